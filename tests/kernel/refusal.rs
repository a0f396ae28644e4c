//! What stands in the way is named, and nothing is half applied.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use super::support::{Namespace, dwnl, wait_for};
use super::{POLICY, ruleset};

/// Asserts that apply fails with a message that has all of these phrases, and leaves everything as
/// it is.
#[track_caller]
fn is_refused(host: &Namespace, phrases: &[&str]) {
    let before = ruleset(host);
    let message = dwnl(host, &["apply", "-f", "-"], POLICY).failed(1);
    for phrase in phrases {
        assert!(message.contains(phrase), "no `{phrase}` in: {message}");
    }
    assert_eq!(ruleset(host), before);
}

/// Asserts that the same policy is applied where nothing stands in the way.
#[track_caller]
fn is_accepted(host: &Namespace) {
    dwnl(host, &["apply", "-f", "-"], POLICY).succeeded();
}

#[test]
fn a_base_chain_of_our_name() {
    let host = Namespace::new();
    host.run(&["nft", "add table ip nat"]);
    let chain = "add chain ip nat DOCKER-BLOCK { type nat hook prerouting priority -100; }";
    host.run(&["nft", chain]);
    is_refused(&host, &["DOCKER-BLOCK", "base chain"]);

    host.run(&["nft", "delete chain ip nat DOCKER-BLOCK"]);
    is_accepted(&host);
}

#[test]
fn a_base_chain_of_the_name_of_the_guard() {
    let host = Namespace::new();
    host.run(&["nft", "add table ip6 nat"]);
    let chain = "ip6 nat DOCKER-BLOCK-GUARD { type nat hook prerouting priority -100; }";
    host.run(&["nft", &format!("add chain {chain}")]);
    is_refused(&host, &["ip6 nat DOCKER-BLOCK-GUARD", "base chain"]);
}

#[test]
fn a_base_chain_of_the_name_of_docker() {
    let host = Namespace::new();
    host.run(&["nft", "add table ip6 nat"]);
    host.run(&["nft", "add chain ip6 nat DOCKER { type nat hook prerouting priority -100; }"]);
    is_refused(&host, &["ip6 nat DOCKER", "base chain"]);

    host.run(&["nft", "delete chain ip6 nat DOCKER"]);
    is_accepted(&host);
}

#[test]
fn a_chain_prerouting_that_is_hooked_in_elsewhere() {
    let hooks = [
        "type nat hook prerouting priority -90",
        "type filter hook prerouting priority -100",
        "type nat hook output priority -100",
    ];
    for hook in hooks {
        let host = Namespace::new();
        host.run(&["nft", "add table ip nat"]);
        host.run(&["nft", &format!("add chain ip nat PREROUTING {{ {hook}; }}")]);
        is_refused(&host, &["ip nat PREROUTING"]);

        host.run(&["nft", "delete chain ip nat PREROUTING"]);
        is_accepted(&host);
    }
}

#[test]
fn a_chain_prerouting_that_is_not_hooked_in() {
    let host = Namespace::new();
    host.run(&["nft", "add table ip nat"]);
    host.run(&["nft", "add chain ip nat PREROUTING"]);
    is_refused(&host, &["ip nat PREROUTING"]);
}

#[test]
fn a_table_that_another_program_owns() {
    for table in ["ip nat", "ip6 nat"] {
        let host = Namespace::new();
        let owner = Owner::new(&host, table);
        is_refused(&host, &[table, "owned by another program"]);

        // The table goes with its owner.
        drop(owner);
        wait_for("the table's end", || ruleset(&host).is_empty().then_some(()));
        is_accepted(&host);
    }
}

/// An nft that owns a table as long as it runs.
struct Owner(Child);

impl Owner {
    fn new(host: &Namespace, table: &str) -> Owner {
        let start = || {
            let mut nft = Command::new("nft");
            nft.arg("-i").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()
        };
        let mut nft = host.inside(start).expect("nft");
        let mut input = nft.stdin.take().expect("its input");
        writeln!(input, "add table {table} {{ flags owner; }}").expect("to write to nft");
        nft.stdin = Some(input);
        wait_for("the owned table", || ruleset(host).contains("flags owner").then_some(()));
        Owner(nft)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn rules_of_iptables_legacy() {
    for iptables in ["iptables-legacy", "ip6tables-legacy"] {
        let host = Namespace::new();
        host.run(&[iptables, "-t", "nat", "-A", "PREROUTING", "-j", "ACCEPT"]);
        is_refused(&host, &["iptables-legacy", "nat"]);
    }
}
