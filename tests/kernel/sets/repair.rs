//! What others have done to `table inet dwnl` is undone by the next apply.

use super::super::support::{Namespace, apply};
use super::{hosts, policy, saved, state};

/// What is to be done by nft in the order of these lines.
const DAMAGE: [&str; 20] = [
    "add element inet dwnl many-4 { 203.0.113.77 }",
    "delete element inet dwnl many-4 { 10.0.0.0 }",
    "flush set inet dwnl many-4",
    "add element inet dwnl many-4-intervals { 203.0.113.0/24 }",
    "delete element inet dwnl many-4-intervals { 172.16.3.0/24 }",
    "delete element inet dwnl many-4-intervals { 172.16.3.0/24 }
     add element inet dwnl many-4-intervals { 172.16.3.0-172.16.3.254 }",
    "add chain inet dwnl foreign { type filter hook input priority 0; policy drop; }
     add rule inet dwnl foreign ip saddr 203.0.113.1 accept",
    "add chain inet dwnl foreign
     add chain inet dwnl zother
     add rule inet dwnl foreign jump zother
     add rule inet dwnl allow jump foreign",
    "add chain inet dwnl aother
     add chain inet dwnl foreign
     add rule inet dwnl foreign jump aother",
    "add set inet dwnl foreign { type inet_service; flags interval; elements = { 1-7, 9 }; }
     add chain inet dwnl foreign
     add rule inet dwnl foreign tcp dport @foreign accept",
    "add rule inet dwnl allow counter accept",
    "insert rule inet dwnl allow ip saddr 203.0.113.1 ct mark set 0x2000",
    "flush chain inet dwnl allow",
    "flush table inet dwnl",
    "delete table inet dwnl",
    "flush chain inet dwnl allow
     delete set inet dwnl many-4
     add set inet dwnl many-4 { type inet_service; elements = { 7 }; }",
    "flush chain inet dwnl allow
     delete set inet dwnl many-4
     add set inet dwnl many-4 { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }",
    "flush chain inet dwnl allow
     delete set inet dwnl many-4
     add set inet dwnl many-4 { type ipv4_addr; size 1024; flags timeout; elements = { 10.0.0.0 }; }",
    "flush chain inet dwnl allow
     delete set inet dwnl many-4
     add map inet dwnl many-4 { type ipv4_addr : mark; elements = { 10.0.0.0 : 1 }; }",
    "flush chain inet dwnl allow
     delete chain inet dwnl allow
     add chain inet dwnl allow { type filter hook prerouting priority 0; policy accept; }",
];

#[test]
fn the_next_apply_repairs_the_table() {
    let host = Namespace::new();
    let mut sources = hosts(100);
    sources.extend((0..30).map(|n| format!("172.16.{}.0/24", 2 * n + 1)));
    let policy = policy(&sources);
    apply(&host, &policy);
    let intact = (state(&host), saved(&host));
    for damage in DAMAGE {
        host.try_run(&["nft", "-f", "-"], damage).succeeded();
        assert_ne!(state(&host), intact.0, "no damage: {damage}");
        let outcome = apply(&host, &policy);
        assert_eq!(outcome["changed"], true, "{damage}\n{outcome}");
        assert_eq!((state(&host), saved(&host)), intact, "{damage}");
        assert_eq!(apply(&host, &policy)["changed"], false, "{damage}");
    }
}

#[test]
fn a_table_that_is_no_longer_wanted_goes_with_all_that_is_in_it() {
    for damage in DAMAGE {
        let host = Namespace::new();
        let mut sources = hosts(100);
        sources.extend((0..30).map(|n| format!("172.16.{}.0/24", 2 * n + 1)));
        apply(&host, &policy(&sources));
        host.try_run(&["nft", "-f", "-"], damage).succeeded();
        apply(&host, "");
        let tables = host.run(&["nft", "list", "tables"]);
        assert_eq!(tables, "table ip nat\ntable ip6 nat\n", "{damage}");
    }
}
