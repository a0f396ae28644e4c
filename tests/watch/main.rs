//! `dwnl watch` while other programs, which are real tools, change the ruleset and its files. Each
//! test runs in a network namespace of its own. The tests need root, and `scripts/setup` to have
//! run.

#![allow(clippy::panic, clippy::unwrap_used)]

mod clients;
mod containers;
mod control;
mod disturbances;
mod docker;
mod firewalld;
mod flapping;
mod idle;
mod listeners;
mod lists;
mod metrics;
mod podman;
mod policy;
mod service;
mod state;
#[path = "../support/mod.rs"]
mod support;
mod translations;

use support::{Namespace, dwnl, wait_for};

/// Allows a group that is large enough for a set, and one client.
fn policy() -> String {
    let many: Vec<String> = (0..100).map(|n| format!("10.0.0.{}", 2 * n + 1)).collect();
    format!(
        r#"
[sources]
many = {many:?}

[[allow]]
name = "web"
ports = ["8080/tcp"]
from = ["192.0.2.2", "2001:db8::2", "many"]
"#
    )
}

/// Docker's rules before dwnl starts: a container's port 80 is published as 8080.
const DOCKER: &str = "*nat
:PREROUTING ACCEPT
:DOCKER -
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
";

/// A host with Docker's rules.
fn host() -> Namespace {
    let host = Namespace::new();
    host.try_run(&["iptables-restore"], DOCKER).succeeded();
    host
}

/// Whether the kernel holds the rules of the policy.
fn is_in_force(host: &Namespace, policy: &str) -> bool {
    let output = dwnl(host, &["plan", "--exit-code", "-f", "-"], policy);
    match output.status.code() {
        Some(0) => true,
        Some(3..=5) => false,
        _ => panic!("{output}"),
    }
}

/// Waits until the kernel holds the rules of the policy.
#[track_caller]
fn wait_until_in_force(host: &Namespace, policy: &str, what: &str) {
    wait_for(what, || is_in_force(host, policy).then_some(()));
}
