//! Foreign rules are kept; those in dwnl's own chain are removed.

use super::support::{Namespace, apply, count, remove};
use super::{JUMPS, POLICY, rules};

/// Chains and rules of other programs, in the tables that dwnl uses and in another one.
const FOREIGN: &str = "\
*nat
:CUSTOM - [0:0]
:DOCKER - [0:0]
-A PREROUTING -s 203.0.113.1 -j CUSTOM
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A CUSTOM -p tcp -m multiport --dports 80,443 -m comment --comment \"foreign\" -j RETURN
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:INPUT DROP [0:0]
-A INPUT -i lo -j ACCEPT
COMMIT
";

/// An nftables table that iptables cannot express.
const NATIVE: &str = "
    table inet other {
        set blocked { type ipv4_addr; elements = { 203.0.113.9 }; }
        chain input { type filter hook input priority 0; ip saddr @blocked drop; }
    }
    table ip6 nat {
        chain other { counter return; }
    }
";

#[test]
fn foreign_rules_keep_their_handles_and_text() {
    let host = Namespace::new();
    host.try_run(&["iptables-restore"], FOREIGN).succeeded();
    host.try_run(&["nft", "-f", "-"], NATIVE).succeeded();
    let before = foreign(&host);
    assert!(before.iter().any(|line| line.contains("172.17.0.2:80")), "{before:?}");

    for policy in [POLICY, "", POLICY] {
        apply(&host, policy);
        assert_eq!(foreign(&host), before);
        assert_eq!(rules(&host, "PREROUTING")[..2], JUMPS);
    }
    remove(&host);
    assert_eq!(foreign(&host), before);
}

/// Everything that dwnl does not own, with its handles.
fn foreign(host: &Namespace) -> Vec<String> {
    let mut lines = Vec::new();
    let chains =
        ["CUSTOM", "DOCKER", "POSTROUTING"].map(|chain| ["chain", "ip", "nat", chain].to_vec());
    let tables = [vec!["table", "ip", "filter"], vec!["table", "inet", "other"]];
    let other = [vec!["chain", "ip6", "nat", "other"]];
    for object in chains.into_iter().chain(tables).chain(other) {
        let listing = host.run(&[&["nft", "--handle", "list"], &object[..]].concat());
        lines.extend(listing.lines().map(String::from));
    }
    let listing = host.run(&["nft", "--handle", "list", "chain", "ip", "nat", "PREROUTING"]);
    let dwnl_rules = ["jump DOCKER-BLOCK", "return #"];
    let others = listing.lines().filter(|line| !dwnl_rules.iter().any(|text| line.contains(text)));
    lines.extend(others.map(String::from));
    lines
}

#[test]
fn foreign_rules_in_the_dwnl_chain_are_removed() {
    let host = Namespace::new();
    apply(&host, POLICY);
    let dwnl_rules = rules(&host, "DOCKER-BLOCK");
    let damage: [&[&str]; 4] = [
        &["iptables", "-t", "nat", "-I", "DOCKER-BLOCK", "-j", "DOCKER"],
        &["iptables", "-t", "nat", "-A", "DOCKER-BLOCK", "-s", "192.0.2.66", "-j", "DOCKER"],
        &[
            "iptables",
            "-t",
            "nat",
            "-A",
            "DOCKER-BLOCK",
            "-m",
            "mark",
            "--mark",
            "1",
            "-j",
            "DOCKER",
        ],
        &["nft", "add rule ip nat DOCKER-BLOCK fib daddr type local jump DOCKER"],
    ];
    for command in damage {
        host.run(command);
        let outcome = apply(&host, POLICY);
        assert_eq!(count(&outcome, "removed"), 1, "{command:?}: {outcome}");
        assert_eq!(count(&outcome, "added"), 0, "{command:?}: {outcome}");
        assert_eq!(rules(&host, "DOCKER-BLOCK"), dwnl_rules, "{command:?}");
    }
}

#[test]
fn a_manually_deleted_rule_is_restored() {
    let host = Namespace::new();
    apply(&host, POLICY);
    let dwnl_rules = rules(&host, "DOCKER-BLOCK");
    assert_eq!(dwnl_rules.len(), 2, "{dwnl_rules:?}");
    host.run(&["iptables", "-t", "nat", "-D", "DOCKER-BLOCK", "1"]);

    assert_eq!(count(&apply(&host, POLICY), "added"), 1);
    assert_eq!(rules(&host, "DOCKER-BLOCK"), dwnl_rules);
}
