//! Sockets that are closed in the background do not stay open.

use std::fs;

use dwnl::{Engine, Policy, compile};

use super::support::{Namespace, wait_for};

/// `NETLINK_NETFILTER`.
const NETFILTER: &str = "12";

/// The number of nfnetlink sockets in a namespace.
fn sockets(namespace: &Namespace) -> usize {
    let table =
        namespace.inside(|| fs::read_to_string("/proc/thread-self/net/netlink")).expect("a table");
    let protocol = |line: &&str| line.split_whitespace().nth(1) == Some(NETFILTER);
    table.lines().skip(1).filter(protocol).count()
}

#[test]
fn no_socket_stays_open() {
    let host = Namespace::new();
    // The kernel itself has one.
    let before = sockets(&host);
    for _ in 0..50 {
        let mut engine = host.inside(Engine::open).expect("an engine");
        engine.apply(&compile(&Policy::default())).expect("success");
        engine.remove().expect("success");
        assert!(sockets(&host) > before);
    }
    wait_for("the sockets to be closed", || (sockets(&host) == before).then_some(()));
}
