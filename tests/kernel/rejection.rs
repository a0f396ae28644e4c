//! dwnl names what prevents an apply, and changes nothing.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use super::support::{Namespace, dwnl, wait_for};
use super::{POLICY, ruleset};

/// Asserts that apply fails with a message that contains all phrases, and changes nothing.
#[track_caller]
fn is_rejected(host: &Namespace, phrases: &[&str]) {
    let before = ruleset(host);
    let message = dwnl(host, &["apply", "-f", "-"], POLICY).failed(1);
    for phrase in phrases {
        assert!(message.contains(phrase), "no `{phrase}` in: {message}");
    }
    assert_eq!(ruleset(host), before);
}

#[test]
fn what_was_prepared_is_removed_if_the_rest_is_rejected() {
    let host = Namespace::new();
    host.run(&["nft", "add table ip6 nat"]);
    // Only the kernel says that no rule can jump there.
    host.run(&["nft", "add chain ip6 nat DOCKER { type nat hook prerouting priority -100; }"]);
    let prefixes: Vec<String> = (0..200).map(|n| format!("10.0.{n}.0/25")).collect();
    let entry = |port| format!("[[allow]]\nports = ['{port}']\nfrom = {prefixes:?}\n");
    // With maps, too.
    let policy: String = (0..40).map(|n| entry(20_000 + n)).collect();
    let before = ruleset(&host);
    let message = dwnl(&host, &["apply", "-f", "-"], &policy).failed(1);
    assert!(message.contains("ip6 nat DOCKER"), "{message}");
    assert_eq!(ruleset(&host), before);

    host.run(&["nft", "delete chain ip6 nat DOCKER"]);
    dwnl(&host, &["apply", "-f", "-"], &policy).succeeded();
}

/// Asserts that the same policy is applied once the obstacle is gone.
#[track_caller]
fn is_accepted(host: &Namespace) {
    dwnl(host, &["apply", "-f", "-"], POLICY).succeeded();
}

#[test]
fn a_base_chain_named_docker_block_is_rejected() {
    let host = Namespace::new();
    host.run(&["nft", "add table ip nat"]);
    let chain = "add chain ip nat DOCKER-BLOCK { type nat hook prerouting priority -100; }";
    host.run(&["nft", chain]);
    is_rejected(&host, &["DOCKER-BLOCK", "base chain"]);

    host.run(&["nft", "delete chain ip nat DOCKER-BLOCK"]);
    is_accepted(&host);
}

#[test]
fn a_base_chain_with_the_name_of_the_guards_is_rejected() {
    let host = Namespace::new();
    host.run(&["nft", "add table ip6 nat"]);
    let chain = "ip6 nat DOCKER-BLOCK-GUARD { type nat hook prerouting priority -100; }";
    host.run(&["nft", &format!("add chain {chain}")]);
    is_rejected(&host, &["ip6 nat DOCKER-BLOCK-GUARD", "base chain"]);
}

#[test]
fn a_base_chain_named_docker_is_rejected() {
    let host = Namespace::new();
    host.run(&["nft", "add table ip6 nat"]);
    host.run(&["nft", "add chain ip6 nat DOCKER { type nat hook prerouting priority -100; }"]);
    is_rejected(&host, &["ip6 nat DOCKER", "base chain"]);

    host.run(&["nft", "delete chain ip6 nat DOCKER"]);
    is_accepted(&host);
}

#[test]
fn a_prerouting_chain_at_another_hook_is_rejected() {
    let hooks = [
        "type nat hook prerouting priority -90",
        "type filter hook prerouting priority -100",
        "type nat hook output priority -100",
    ];
    for hook in hooks {
        let host = Namespace::new();
        host.run(&["nft", "add table ip nat"]);
        host.run(&["nft", &format!("add chain ip nat PREROUTING {{ {hook}; }}")]);
        is_rejected(&host, &["ip nat PREROUTING"]);

        host.run(&["nft", "delete chain ip nat PREROUTING"]);
        is_accepted(&host);
    }
}

#[test]
fn a_prerouting_chain_without_a_hook_is_rejected() {
    let host = Namespace::new();
    host.run(&["nft", "add table ip nat"]);
    host.run(&["nft", "add chain ip nat PREROUTING"]);
    is_rejected(&host, &["ip nat PREROUTING"]);
}

#[test]
fn a_table_owned_by_another_program_is_rejected() {
    for table in ["ip nat", "ip6 nat"] {
        let host = Namespace::new();
        let owner = Owner::new(&host, table);
        is_rejected(&host, &[table, "owned by another program"]);

        // The kernel deletes the table when its owner exits.
        drop(owner);
        wait_for("the table's end", || ruleset(&host).is_empty().then_some(()));
        is_accepted(&host);
    }
}

/// An nft process that owns a table while it runs.
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
fn rules_of_iptables_legacy_are_rejected() {
    for iptables in ["iptables-legacy", "ip6tables-legacy"] {
        let host = Namespace::new();
        host.run(&[iptables, "-t", "nat", "-A", "PREROUTING", "-j", "ACCEPT"]);
        is_rejected(&host, &["iptables-legacy", "nat"]);
    }
}
