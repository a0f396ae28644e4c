//! Sets of times, as nft sees them.

use super::super::support::{Namespace, apply, dwnl};

const POLICY: &str = r#"
[[deny]]
name = "ban"
from = ["192.0.2.66"]
until = 2099-01-01

[[allow]]
name = "office"
ports = ["8080/tcp"]
from = ["192.0.2.2", "2001:db8::2"]
days = ["mon-fri"]
hours = ["08:00-18:00", "22:00-02:00"]

[[allow]]
name = "ended"
ports = ["81"]
until = 2020-01-01

[schedule]
time-zone = "Europe/Berlin"
"#;

fn listing(host: &Namespace) -> String {
    host.run(&["nft", "list", "table", "inet", "dwnl"])
}

#[test]
fn nft_reloads_its_listing_and_the_compiled_script() {
    let host = Namespace::new();
    apply(&host, POLICY);
    let applied = listing(&host);
    assert_eq!(applied.matches("typeof meta time").count(), 3, "{applied}");
    assert_eq!(
        applied.matches("meta time @time.mon-fri.0800-1800_2200-0200.Europe/Berlin").count(),
        2
    );
    assert!(applied.contains("meta time != @time-not.until-20990101T230000Z"), "{applied}");
    host.try_run(&["nft", "-f", "-"], &format!("delete table inet dwnl\n{applied}")).succeeded();
    assert_eq!(listing(&host), applied);

    let script = dwnl(&host, &["rules", "--nft", "-f", "-"], POLICY).succeeded();
    host.try_run(&["nft", "-f", "-"], &script).succeeded();
    let times = |text: &str| -> Vec<String> {
        let sets = text.split("\tset ").filter(|set| set.starts_with("time"));
        sets.map(|set| set.split("\n\t}").next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(times(&listing(&host)), times(&applied));
}
