//! Foreign rules in Docker's chains: they may cause more to be blocked, but never less.

use super::super::site::Site;
use super::super::support::{Namespace, Topology, apply};
use super::{ALL, NONE, ONLY_ALLOWED, POLICY, address, expect_both, expect_both6};

/// Rules that look like Docker's own for a bridge `eth0`, the interface of the clients.
const NO_BRIDGES: [&str; 7] = [
    "-I DOCKER -i eth0 ! -s 192.0.2.2 -p tcp --dport 9999 -j DROP",
    "-t nat -I DOCKER -i eth0 -p tcp --dport 9999 -j RETURN",
    "-I DOCKER-ISOLATION-STAGE-1 -i eth0 -p tcp --dport 9999 -j RETURN",
    "-t nat -I DOCKER -i eth0 -j RETURN",
    "-I DOCKER ! -i eth0 -o eth0 -p tcp --dport 9999 -j ACCEPT",
    "-t nat -I DOCKER ! -i eth0 -p tcp --dport 9999 -j DNAT --to-destination 172.17.0.2:80",
    "-I DOCKER -i eth+ -o eth0 -j ACCEPT",
];

fn iptables(host: &Namespace, rule: &str) {
    host.run(&["iptables"].into_iter().chain(rule.split(' ')).collect::<Vec<_>>());
}

#[test]
fn a_foreign_rule_makes_no_interface_a_docker_bridge() {
    let site = Site::stock();
    let host = &site.topology.host;
    expect_both(&site, Topology::HOST, 8080, ALL);
    expect_both6(&site, Topology::HOST6, 8080, ALL);
    // Docker 26 and later may use another chain instead.
    let _ = host.try_run(&["iptables", "-N", "DOCKER-ISOLATION-STAGE-1"], "");
    for rule in NO_BRIDGES {
        println!("{rule}");
        iptables(host, rule);
        // Packets that Docker returns to docker-proxy are filtered on that path.
        apply(host, POLICY);
        expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
        expect_both6(&site, Topology::HOST6, 8080, ONLY_ALLOWED);
        iptables(host, &rule.replace("-I ", "-D "));
    }
}

#[test]
fn a_rule_for_icmp_makes_no_network_routed() {
    let site = Site::stock();
    let host = &site.topology.host;
    super::create_network(&site, "direct0", "nat-unprotected");
    site.docker.run("direct", &["--network", "direct0", "-p", "8089:80"], super::super::site::ECHO);
    let container = address(&site, "direct");
    expect_both(&site, &container, 80, ALL);
    for rule in ["-I DOCKER -p icmp -o direct0 -j ACCEPT", "-A DOCKER -o direct0 -p icmp -j ACCEPT"]
    {
        println!("{rule}");
        iptables(host, rule);
        // In a routed network, the ports of an entry are the container's own.
        apply(host, &POLICY.replace("8080", "80"));
        expect_both(&site, &container, 80, NONE);
        iptables(host, &rule.replace("-I ", "-D ").replace("-A ", "-D "));
    }
}
