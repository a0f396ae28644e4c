//! Swarm's ingress network, represented by the rules that Docker writes for it.

use super::super::site::{ECHO, Site};
use super::super::support::{Docker, Namespace, Topology, apply};
use super::{ALL, ONLY_ALLOWED, POLICY, address, expect_both, unguarded};

/// Docker's rules for a service published as 8080. Docker creates the chains once, and moves its
/// jump to the top whenever it creates the network again.
const CHAINS: [&str; 2] = ["-t nat -N DOCKER-INGRESS", "-t filter -N DOCKER-INGRESS"];
const RULES: [&str; 5] = [
    "-t nat -A DOCKER-INGRESS -p tcp -m tcp --dport 8080 -j DNAT --to-destination ADDRESS:80",
    "-t nat -A DOCKER-INGRESS -j RETURN",
    "-t filter -A DOCKER-INGRESS -p tcp -m tcp --dport 80 -j ACCEPT",
    "-t filter -A DOCKER-INGRESS -j RETURN",
    "-t filter -I FORWARD -j DOCKER-INGRESS",
];
const JUMP: &str = "-t nat -I PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS";

fn iptables(host: &Namespace, rule: &str, address: &str) {
    let rule = rule.replace("ADDRESS", address);
    let words: Vec<&str> = ["iptables"].into_iter().chain(rule.split(' ')).collect();
    host.run(&words);
}

#[test]
fn a_swarm_service_is_open_to_allowed_clients_only() {
    let topology = Topology::closed();
    let docker = Docker::start(&topology.host, &[]);
    let site = Site { topology, docker };
    let host = &site.topology.host;
    let name = "com.docker.network.bridge.name=docker_gwbridge";
    site.docker.client(&["network", "create", "-o", name, "docker_gwbridge"]);
    site.docker.run("service", &["--network", "docker_gwbridge"], ECHO);
    let address = address(&site, "service");
    for rule in CHAINS.iter().chain(&RULES).chain([&JUMP]) {
        iptables(host, rule, &address);
    }
    expect_both(&site, Topology::HOST, 8080, ALL);

    // Swarm's jump above dwnl's lets every client in.
    apply(host, &unguarded());
    iptables(host, &JUMP.replace("-I ", "-D "), &address);
    iptables(host, JUMP, &address);
    expect_both(&site, Topology::HOST, 8080, ALL);

    // With the guard, dwnl's jump above Swarm's, then Swarm's above dwnl's.
    apply(host, POLICY);
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
    iptables(host, &JUMP.replace("-I ", "-D "), &address);
    iptables(host, JUMP, &address);
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
}
