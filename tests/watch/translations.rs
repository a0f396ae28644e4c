//! The second jump depends on translations of other programs anywhere in `ip nat`.

use super::support::Watch;
use super::support::{Namespace, UNGUARDED, wait_for};
use super::{host, policy};

const CHAIN: &str = "*nat\n:CNI-HOSTPORT-DNAT -\n-A PREROUTING -j CNI-HOSTPORT-DNAT\nCOMMIT\n";
const RULE: &str = "CNI-HOSTPORT-DNAT -p tcp -m tcp --dport 9000 -j DNAT --to-destination 10.2.2.2";

fn iptables(host: &Namespace, action: &str, rule: &str) {
    let words = ["iptables", "-t", "nat", action].into_iter().chain(rule.split(' '));
    host.run(&words.collect::<Vec<_>>());
}

#[track_caller]
fn becomes(host: &Namespace, has_second_jump: bool) {
    wait_for("the second jump to come or go", || {
        let listing = host.run(&["iptables", "-t", "nat", "-S", "PREROUTING"]);
        (listing.contains("LOCAL -j RETURN") == has_second_jump).then_some(())
    });
}

#[test]
fn the_second_jump_is_omitted_while_forwards_exist() {
    let host = host();
    let watch = Watch::start(&host, &policy());
    becomes(&host, true);
    host.try_run(&["iptables-restore", "--noflush"], CHAIN).succeeded();
    for times in [1, 3] {
        // The commit touches only the other program's chain.
        iptables(&host, "-A", RULE);
        becomes(&host, false);
        watch.logged_times("repaired ip nat PREROUTING", times);
        watch.logged("the second jump is left out in ip nat");
        iptables(&host, "-D", RULE);
        becomes(&host, true);
        watch.logged_times("repaired ip nat PREROUTING", times + 1);
    }
}

#[test]
fn cut_off_translations_are_reported_once_without_the_guard() {
    let host = host();
    host.try_run(&["iptables-restore", "--noflush"], CHAIN).succeeded();
    let watch = Watch::start(&host, &format!("{}{UNGUARDED}", policy()));
    assert!(!watch.log().contains("cuts off"), "{}", watch.log());
    iptables(&host, "-A", RULE);
    watch.logged("cuts off translations of other programs (CNI-HOSTPORT-DNAT)");
    becomes(&host, true);
    iptables(&host, "-A", &RULE.replace("9000", "9001"));
    iptables(&host, "-D", "PREROUTING 1");
    watch.logged("repaired ip nat PREROUTING");
    assert_eq!(watch.log().matches("cuts off").count(), 1, "{}", watch.log());

    let later = Watch::start(&host, &format!("{}{UNGUARDED}", policy()));
    later.logged("cuts off translations of other programs (CNI-HOSTPORT-DNAT)");
}
