//! Swarm's ingress network, by the rules that Docker writes for it.

use super::super::site::{ECHO, Site};
use super::super::support::{Docker, Namespace, Topology, apply};
use super::{ALL, ALLOWED_ALONE, POLICY, address, expect_both, unguarded};

/// What Docker writes for a service published as 8080, behind `iptables`. The first time it does so
/// it makes the chains; whenever it makes the network anew it moves its jump to the top.
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
fn a_service_of_swarm_is_open_to_the_allowed_alone() {
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

    // The jump above ours lets everybody in, as soon as Swarm has put it there.
    apply(host, &unguarded());
    iptables(host, &JUMP.replace("-I ", "-D "), &address);
    iptables(host, JUMP, &address);
    expect_both(&site, Topology::HOST, 8080, ALL);

    // Ours above it, then it above ours.
    apply(host, POLICY);
    expect_both(&site, Topology::HOST, 8080, ALLOWED_ALONE);
    iptables(host, &JUMP.replace("-I ", "-D "), &address);
    iptables(host, JUMP, &address);
    expect_both(&site, Topology::HOST, 8080, ALLOWED_ALONE);
}
