//! A network with gateway mode `routed`, whose containers are reached by their own addresses.

use super::super::site::{ECHO, Site};
use super::super::support::{Docker, Topology, apply, uncovered_ports};
use super::{ALL, NETWORK, NONE, ONLY_ALLOWED, POLICY, address, create_network, expect_both};

/// Adds the rules of the mode, which Docker before 27 does not know.
fn make_routed(site: &Site, container: &str) {
    let host = &site.topology.host;
    let listing = host.run(&["iptables", "-S", "DOCKER"]);
    if listing.contains("-o routed0 -p icmp -j ACCEPT") {
        return;
    }
    let port = "! -i routed0 -o routed0 -p tcp -m tcp --dport 80 -j ACCEPT";
    for rule in [
        format!("-I DOCKER -d {container}/32 {port}"),
        "-A DOCKER -o routed0 -p icmp -j ACCEPT".to_owned(),
        format!("-t nat -D POSTROUTING -s {NETWORK} ! -o routed0 -j MASQUERADE"),
    ] {
        host.run(&["iptables"].into_iter().chain(rule.split(' ')).collect::<Vec<_>>());
    }
}

/// Deletes the translations of the published port. A Docker that does not know the mode has written
/// them in addition.
fn unpublish(site: &Site) {
    let host = &site.topology.host;
    let listing = host.run(&["iptables", "-t", "nat", "-S", "DOCKER"]);
    for rule in listing.lines().filter(|line| line.contains("! -i routed0")) {
        let words = rule.split(' ').skip(1);
        host.run(&["iptables", "-t", "nat", "-D"].into_iter().chain(words).collect::<Vec<_>>());
    }
}

#[test]
fn a_routed_container_is_open_to_allowed_clients_only() {
    let topology = Topology::new();
    let docker = Docker::start(&topology.host, &[]);
    let site = Site { topology, docker };
    let host = &site.topology.host;
    create_network(&site, "routed0", "routed");
    site.docker.run("web", &["--network", "routed0", "-p", "80"], ECHO);
    let container = address(&site, "web");
    make_routed(&site, &container);
    unpublish(&site);
    expect_both(&site, &container, 80, ALL);

    apply(host, &POLICY.replace("8080", "80"));
    expect_both(&site, &container, 80, ONLY_ALLOWED);
    assert_eq!(uncovered_ports(&apply(host, POLICY)), [format!("80/tcp on {container}")]);
    expect_both(&site, &container, 80, NONE);
}
