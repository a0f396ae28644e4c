//! The next apply repairs foreign changes in `table inet dwnl`.

use super::super::UNGUARDED;
use super::super::support::{Namespace, apply, dwnl};
use super::{hosts, policy, saved, state};

/// nft commands, each line in a transaction of its own: nft 0.9.8 rejects a transaction that
/// deletes an interval and adds a part of it.
const DAMAGE: [&str; 35] = [
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
    "add chain inet dwnl allow { type nat hook prerouting priority -101; policy drop; }",
    "add table inet dwnl { flags dormant; }",
    "add rule inet dwnl allow ip saddr { 192.0.2.1, 192.0.2.2 } drop",
    "add rule inet dwnl allow ip saddr vmap { 192.0.2.1 : accept, 192.0.2.2 : drop }",
    "add chain inet dwnl foreign
     add rule inet dwnl allow ip saddr vmap { 192.0.2.1 : jump foreign, 192.0.2.2 : drop }",
    "add rule inet dwnl allow jump { ip saddr 192.0.2.1 accept; }",
    "add chain inet dwnl foreign
     add map inet dwnl foreign { type ipv4_addr : verdict; elements = { 192.0.2.1 : jump foreign }; }",
    "add chain inet dwnl foreign
     add map inet dwnl foreign { type ipv4_addr : verdict; elements = { 192.0.2.1 : jump foreign }; }
     add rule inet dwnl allow ip saddr vmap @foreign",
    "add set inet dwnl foreign { type ipv4_addr; size 1024; elements = { 192.0.2.1 }; }
     add rule inet dwnl allow ip saddr @foreign accept",
    "add counter inet dwnl foreign",
    "add counter inet dwnl foreign
     add rule inet dwnl allow counter name foreign",
    "add counter inet dwnl foreign
     add map inet dwnl foreign { type ipv4_addr : counter; elements = { 192.0.2.1 : foreign }; }",
    "add quota inet dwnl foreign { over 10 mbytes }",
    "add limit inet dwnl foreign { rate 10/second }",
    "add set inet dwnl foreign { type ipv4_addr; size 9; flags dynamic; }
     add rule inet dwnl allow add @foreign { ip saddr }",
];

/// Commands that need Linux 5.13.
const CATCH_ALL: [&str; 1] = ["add element inet dwnl many-4 { * }"];

#[test]
fn the_next_apply_repairs_the_table() {
    is_repaired(&DAMAGE);
}

#[test]
fn an_unused_table_is_deleted_with_its_contents() {
    is_deleted_when_unused(&DAMAGE);
}

#[test]
fn removal_deletes_the_table_with_its_contents() {
    is_removed(&DAMAGE);
}

#[test]
fn a_catch_all_element_is_handled() {
    is_repaired(&CATCH_ALL);
    is_deleted_when_unused(&CATCH_ALL);
    is_removed(&CATCH_ALL);
}

fn is_repaired(damages: &[&str]) {
    let host = Namespace::new();
    let policy = policy(&sources());
    apply(&host, &policy);
    let intact = (state(&host), saved(&host));
    for damage in damages {
        inflict(&host, damage);
        assert_ne!(state(&host), intact.0, "no damage: {damage}");
        let outcome = apply(&host, &policy);
        assert_eq!(outcome["has_changes"], true, "{damage}\n{outcome}");
        assert_eq!((state(&host), saved(&host)), intact, "{damage}");
        assert_eq!(apply(&host, &policy)["has_changes"], false, "{damage}");
    }
}

fn is_deleted_when_unused(damages: &[&str]) {
    for damage in damages {
        let host = damaged(damage);
        apply(&host, UNGUARDED);
        let tables = host.run(&["nft", "list", "tables"]);
        assert_eq!(tables, "table ip nat\ntable ip6 nat\n", "{damage}");
    }
}

fn is_removed(damages: &[&str]) {
    for damage in damages {
        let host = damaged(damage);
        dwnl(&host, &["remove"], "").succeeded();
        assert_eq!(host.run(&["nft", "list", "tables"]), "", "{damage}");
    }
}

fn damaged(damage: &str) -> Namespace {
    let host = Namespace::new();
    apply(&host, &policy(&sources()));
    inflict(&host, damage);
    host
}

fn inflict(host: &Namespace, damage: &str) {
    for line in damage.lines() {
        host.try_run(&["nft", "-f", "-"], line).succeeded();
    }
}

/// A set of hosts and one of intervals.
fn sources() -> Vec<String> {
    let networks = (0..30).map(|n| format!("172.16.{}.0/24", 2 * n + 1));
    hosts(100).into_iter().chain(networks).collect()
}
