//! The guard's bit of the connection mark, overwritten by other programs on the packet's path.

use super::super::site::{ECHO, Site};
use super::super::support::{Namespace, Topology, apply};
use super::{ALL, NONE, ONLY_ALLOWED, POLICY, create_named_network, expect_both, unguarded};

/// Tables that overwrite the whole mark after `PREROUTING` of `nat` and before the guard's
/// `forward`.
const OVERWRITERS: [&str; 2] = [
    "table inet other { chain marks { type filter hook prerouting priority 0; ct mark set 0x1; }; }",
    "table inet other { chain marks { type filter hook forward priority -200; ct mark set 0x1; }; }",
];

fn overwrite(host: &Namespace, table: &str) {
    host.try_run(&["nft", "-f", "-"], table).succeeded();
}

/// A network that is created after the last apply, with an unknown bridge name.
#[test]
fn a_later_network_stays_blocked_when_the_mark_is_overwritten() {
    let site = Site::stock();
    let host = &site.topology.host;
    expect_both(&site, Topology::HOST, 8080, ALL);
    apply(host, POLICY);
    create_named_network(&site);
    site.docker.run("late", &["--network", "named", "-p", "8083:80"], ECHO);
    site.answers_the_host(8083);
    for table in OVERWRITERS {
        println!("{table}");
        overwrite(host, table);
        expect_both(&site, Topology::HOST, 8083, NONE);
        expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
        host.run(&["nft", "delete", "table", "inet", "other"]);
    }
    // Control: the ports are published.
    apply(host, &unguarded());
    expect_both(&site, Topology::HOST, 8083, ALL);
}

/// The operator sets a mark with iptables' own target, in the usual chains for it.
#[test]
fn an_operators_connmark_rule_opens_nothing() {
    let site = Site::stock();
    let host = &site.topology.host;
    create_named_network(&site);
    site.docker.run("named", &["--network", "named", "-p", "8083:80"], ECHO);
    expect_both(&site, Topology::HOST, 8083, ALL);
    for chain in ["PREROUTING", "FORWARD", "INPUT"] {
        for mark in ["0x1", "0xffffffff"] {
            let target = ["-j", "CONNMARK", "--set-mark", mark];
            host.run(&[&["iptables", "-t", "mangle", "-I", chain], &target[..]].concat());
        }
        apply(host, POLICY);
        expect_both(&site, Topology::HOST, 8083, NONE);
        expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
        host.run(&["iptables", "-t", "mangle", "-F"]);
    }
}
