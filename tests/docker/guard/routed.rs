//! A network of gateway mode `routed`, whose containers are called by their own addresses. A Docker
//! that does not know the mode is helped by the rules that a newer one writes.

use super::super::site::{ECHO, Site};
use super::super::support::{Docker, Topology, apply};
use super::{ALL, ALLOWED_ALONE, NOBODY, POLICY, address, expect_both, route};

#[test]
fn a_routed_container_is_open_to_the_allowed_alone() {
    let topology = Topology::new();
    let docker = Docker::start(&topology.host, &[]);
    let site = Site { topology, docker };
    let host = &site.topology.host;
    let create = ["network", "create", "--subnet", "10.77.0.0/24"];
    let name = ["-o", "com.docker.network.bridge.name=routed0", "routed"];
    site.docker.client(&[&create[..], &name].concat());
    site.docker.run("web", &["--network", "routed"], ECHO);
    site.docker.run("plain", &["-p", "8081:80"], ECHO);
    let (routed, plain) = (address(&site, "web"), address(&site, "plain"));
    for rule in [
        format!(
            "-I DOCKER -d {routed}/32 ! -i routed0 -o routed0 -p tcp -m tcp --dport 80 -j ACCEPT"
        ),
        "-A DOCKER -o routed0 -p icmp -j ACCEPT".to_owned(),
    ] {
        host.run(&["iptables"].into_iter().chain(rule.split(' ')).collect::<Vec<_>>());
    }
    route(&site, "10.77.0.0/24");
    route(&site, "172.17.0.0/16");
    expect_both(&site, &routed, 80, ALL);
    expect_both(&site, &plain, 80, ALL);

    apply(host, &POLICY.replace("8080", "80"));
    expect_both(&site, &routed, 80, ALLOWED_ALONE);
    expect_both(&site, &plain, 80, NOBODY);
    apply(host, POLICY);
    expect_both(&site, &routed, 80, NOBODY);
}
