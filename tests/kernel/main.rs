//! Tests of dwnl against the kernel, each in a network namespace of its own, with iptables and nft
//! as the oracle. They need `scripts/setup` to have run. The tests of privileges and of cgroups
//! need root; the others run under `unshare -rn`.

#![allow(clippy::panic, clippy::unwrap_used)]

mod access;
mod bytes;
mod cgroups;
mod conflict;
mod counters;
mod deferred_close;
mod deny;
mod difference;
mod discovery;
mod dispatch;
mod doctor;
mod explain;
mod extremes;
mod flows;
mod foreign;
mod grants;
mod guard;
mod host;
mod jumps;
mod known_sets;
mod limits;
mod many_ports;
mod mismatches;
mod monitor;
mod namespace;
mod native;
mod preview;
mod privileges;
mod probe;
mod reconcile;
mod refused;
mod rejection;
mod removal;
mod repair;
mod sets;
mod state;
#[path = "../support/mod.rs"]
mod support;
mod trace;
mod translations;
mod verdicts;
mod while_changing;

/// Allows one client of each IP version.
const POLICY: &str = r#"
[[allow]]
name = "web"
ports = ["8080/tcp"]
from = ["192.0.2.2", "2001:db8::2"]
"#;

use support::UNGUARDED;

/// The first rules of `PREROUTING`, as iptables prints them.
const JUMPS: [&str; 2] = [
    "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-BLOCK",
    "-A PREROUTING -m addrtype --dst-type LOCAL -j RETURN",
];

/// The rules of a chain, as iptables prints them.
fn rules(namespace: &support::Namespace, chain: &str) -> Vec<String> {
    let listing = namespace.run(&["iptables", "-t", "nat", "-S", chain]);
    listing.lines().filter(|line| line.starts_with("-A")).map(String::from).collect()
}

/// The whole ruleset with its handles.
fn ruleset(namespace: &support::Namespace) -> String {
    namespace.run(&["nft", "--handle", "list", "ruleset"])
}

/// Splits a line of iptables into arguments. Spaces separate them except in double quotes, where a
/// backslash escapes the next character. This is not shell syntax.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut is_quoted, mut is_escaped) = (false, false);
    for c in line.chars() {
        match c {
            '\\' if !is_escaped => is_escaped = true,
            '"' if !is_escaped => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            _ => {
                words.last_mut().expect("a word").push(c);
                is_escaped = false;
            }
        }
    }
    words
}
