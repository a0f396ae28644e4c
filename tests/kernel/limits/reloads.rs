//! What becomes of the counts when the policy or the rules change.

use dwnl::Engine;
use dwnl::plan::Change;

use super::super::support::Topology;
use super::entry;
use super::site::Site;

const LIMIT: &str = "limit = '3/day per source'";

#[test]
fn a_reload_keeps_the_counts_while_the_limit_stays() {
    let mut site = Site::new();
    site.apply(&entry(LIMIT));
    site.expect_answers(Topology::ALLOWED, Topology::HOST, 2, 2);
    // Other sources, another port, an entry in front of it.
    let more = "from = ['192.0.2.0/24']\n";
    site.apply(&format!("[[allow]]\nports = ['9']\n{}{more}", entry(LIMIT)));
    site.expect_answers(Topology::ALLOWED, Topology::HOST, 3, 1);
    let desired = dwnl::compile(&site.policy());
    let mut other = site.topology.host.inside(Engine::open).expect("an engine");
    assert!(other.plan(&desired).expect("a plan").is_empty(), "counts are no difference");

    let point = site.engine.restore_point().expect("a restore point");
    assert_eq!(point.unrestorable(), [""; 0]);
    site.apply(&entry("limit = '1/day per source'"));
    site.expect_answers(Topology::ALLOWED, Topology::HOST, 2, 1);
    site.engine.restore(&point).expect("success");
    site.apply(&format!("[[allow]]\nports = ['9']\n{}{more}", entry(LIMIT)));
    // The counts of the limit that was not in force are gone.
    site.expect_answers(Topology::ALLOWED, Topology::HOST, 4, 3);

    site.apply(&entry(""));
    site.expect_answers(Topology::ALLOWED, Topology::HOST, 4, 4);
    site.engine.remove().expect("success");
    assert!(!site.topology.host.run(&["nft", "list", "ruleset"]).contains("limited"));
}

#[test]
fn nft_reads_and_writes_the_limits() {
    let mut site = Site::new();
    let entries = [
        ("a", "limit = '20/second burst 50 per source'\nconnections = 7"),
        ("b", "limit = '300/minute per port'"),
        ("c", "limit = '5/hour'\nconnections = 1"),
        ("d", "connections = 100"),
    ];
    let text: String = entries
        .iter()
        .map(|(name, keys)| {
            format!("[[allow]]\nname = '{name}'\nports = ['8080/udp', '80']\n{keys}\n")
        })
        .collect();
    site.apply(&text);
    let host = &site.topology.host;
    let list = || host.run(&["nft", "-s", "list", "table", "inet", "dwnl"]);
    let listed = list();
    for words in [
        "add @limited-a-7-open-ip6 { ct original ip6 saddr & ffff:ffff:ffff:ffff:: ct count 7 }",
        "update @limited-a-20-second-50-ip { ct original ip saddr timeout 3s limit rate 20/second burst \
         50 packets } ct label set 13 accept",
        "update @limited-b-300-minute-300 { meta l4proto . ct original proto-dst timeout 1m limit rate \
         300/minute burst 300 packets } ct label set 13 accept",
        "update @limited-c-5-hour-5 { ct direction timeout 1h limit rate 5/hour } ct label set 13 accept",
    ] {
        assert!(listed.contains(words), "{words}\n{listed}");
    }
    host.try_run(&["nft", "-f", "-"], &format!("delete table inet dwnl\n{listed}")).succeeded();
    assert_eq!(list(), listed);
    let desired = dwnl::compile(&site.policy());
    // nft writes some of the guard's rules in another order.
    let plan = site.engine.plan(&desired).expect("a plan");
    let is_limit = |change: &&Change| format!("{change:?}").contains("limited-");
    let changes: Vec<&Change> = plan.changes.iter().filter(is_limit).collect();
    assert!(changes.is_empty(), "what nft has written is another: {changes:#?}");
}
