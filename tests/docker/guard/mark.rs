//! The guard's bit of the connection mark, overwritten by other programs on the packet's path.

use super::super::site::{ECHO, Site};
use super::super::support::{Namespace, Topology, apply};
use super::{ALL, ALLOWED_ALONE, NOBODY, POLICY, create_named_network, expect_both, unguarded};

/// Each sets the whole mark after `PREROUTING` of `nat` and before the guard's `forward`.
const OVERWRITERS: [&str; 2] = [
    "table inet other { chain marks { type filter hook prerouting priority 0; ct mark set 0x1; }; }",
    "table inet other { chain marks { type filter hook forward priority -200; ct mark set 0x1; }; }",
];

fn overwrite(host: &Namespace, table: &str) {
    host.try_run(&["nft", "-f", "-"], table).succeeded();
}

/// A network that is made after the last apply, with a bridge of a name that nothing is known of.
#[test]
fn a_late_network_is_closed_although_the_mark_is_overwritten() {
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
        expect_both(&site, Topology::HOST, 8083, NOBODY);
        expect_both(&site, Topology::HOST, 8080, ALLOWED_ALONE);
        host.run(&["nft", "delete", "table", "inet", "other"]);
    }
    // The control: the ports were published.
    apply(host, &unguarded());
    expect_both(&site, Topology::HOST, 8083, ALL);
}

/// The operator's own mark, by iptables' target, in the chain that is the usual place for it.
#[test]
fn a_connmark_of_the_operators_opens_nothing() {
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
        expect_both(&site, Topology::HOST, 8083, NOBODY);
        expect_both(&site, Topology::HOST, 8080, ALLOWED_ALONE);
        host.run(&["iptables", "-t", "mangle", "-F"]);
    }
}
