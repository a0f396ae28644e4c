//! The whole ruleset, with the tables of every program.

use std::path::Path;

use dwnl::Engine;
use dwnl::model::{Family, Hook, KernelRuleset, TablePath};

use super::support::Namespace;

/// What the engine reads in a namespace.
fn read(host: &Namespace) -> KernelRuleset {
    let mut engine = Engine::open_in(Path::new(&host.path())).expect("an engine");
    engine.read_ruleset().expect("a ruleset")
}

#[test]
fn tables_chains_rules_and_sets_of_every_program_are_read() {
    let host = Namespace::new();
    host.run(&["iptables", "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT"]);
    let native = "table inet other {
        set blocked { type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 203.0.113.9 }; }
        chain input { type filter hook input priority 5; policy drop; ip saddr @blocked drop; }
        chain off { tcp dport { 80, 443 } accept comment \"web\"; }
    }";
    host.try_run(&["nft", "-f", "-"], native).succeeded();

    let ruleset = read(&host);
    let other = TablePath { family: Family::Inet, table: "other".into() };
    let table = &ruleset.tables[&other];
    assert_eq!(table.sets["blocked"].len(), 2);
    let base = table.chains["input"].base.as_ref().expect("a base chain");
    assert_eq!((base.hook, base.priority, base.drops), (Hook::Input, 5, true));
    let rule = &table.chains["off"].rules[0];
    assert_eq!(rule.comment.as_deref(), Some("web"));
    assert_eq!(ruleset.rule(&other, "off", rule.handle), Some(rule));
    let filter = TablePath { family: Family::Ip, table: "filter".into() };
    assert_eq!(ruleset.tables[&filter].chains["INPUT"].rules.len(), 1);
}
