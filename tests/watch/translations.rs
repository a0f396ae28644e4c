//! The RETURN rule is left out while other programs forward ports anywhere in `ip nat`.

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
fn becomes(host: &Namespace, has_return_rule: bool) {
    wait_for("the RETURN rule to come or go", || {
        let listing = host.run(&["iptables", "-t", "nat", "-S", "PREROUTING"]);
        (listing.contains("LOCAL -j RETURN") == has_return_rule).then_some(())
    });
}

#[test]
fn the_return_rule_is_left_out_while_forwards_exist() {
    let host = host();
    let watch = Watch::start(&host, &policy());
    becomes(&host, true);
    host.try_run(&["iptables-restore", "--noflush"], CHAIN).succeeded();
    for times in [1, 3] {
        // The commit touches only the other program's chain.
        iptables(&host, "-A", RULE);
        becomes(&host, false);
        watch.logged_times("repaired ip nat PREROUTING", times);
        watch.logged("  the RETURN rule is left out in ip nat PREROUTING, because");
        iptables(&host, "-D", RULE);
        becomes(&host, true);
        watch.logged_times("repaired ip nat PREROUTING", times + 1);
    }
}

#[test]
fn without_the_guard_hidden_forwards_are_warned_of_once() {
    let host = host();
    host.try_run(&["iptables-restore", "--noflush"], CHAIN).succeeded();
    let watch = Watch::start(&host, &format!("{}{UNGUARDED}", policy()));
    assert!(!watch.log().contains("hides port forwards"), "{}", watch.log());
    iptables(&host, "-A", RULE);
    watch.logged("hides port forwards of other programs (CNI-HOSTPORT-DNAT)");
    becomes(&host, true);
    iptables(&host, "-A", &RULE.replace("9000", "9001"));
    iptables(&host, "-D", "PREROUTING 1");
    watch.logged("repaired ip nat PREROUTING");
    assert_eq!(watch.log().matches("hides port forwards").count(), 1, "{}", watch.log());
    drop(watch);

    let later = Watch::start(&host, &format!("{}{UNGUARDED}", policy()));
    later.logged("hides port forwards of other programs (CNI-HOSTPORT-DNAT)");
}
