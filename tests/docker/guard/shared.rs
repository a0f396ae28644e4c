//! `dockerd --bridge` with an operator's bridge that has a host interface as a port.

use super::super::site::{Site, expect};
use super::super::support::{Answer, Docker, Topology, apply};
use super::{POLICY, unguarded};

/// Makes the host's second interface a port of a bridge, which takes over its address.
fn bridge(topology: &Topology) {
    let host = &topology.host;
    host.run(&["ip", "link", "add", "br0", "type", "bridge"]);
    host.run(&["ip", "address", "flush", "dev", "eth1"]);
    host.run(&["ip", "link", "set", "eth1", "master", "br0"]);
    host.run(&["ip", "address", "add", &format!("{}/24", Topology::HOST_ETH1), "dev", "br0"]);
    host.run(&["ip", "link", "set", "br0", "up"]);
}

#[test]
fn traffic_from_a_shared_bridge_is_external() {
    let topology = Topology::new();
    bridge(&topology);
    let flags = ["--bridge=br0", "--fixed-cidr=198.51.100.128/25"];
    let docker = Docker::start(&topology.host, &flags);
    let site = Site { topology, docker };
    site.publish_web();
    let (topology, host) = (&site.topology, &site.topology.host);
    let expect = |answer| {
        expect(topology, Topology::CLIENT_ETH1, Topology::HOST_ETH1, 8080, answer);
    };
    expect(Answer::Answered);
    apply(host, &unguarded());
    expect(Answer::Answered);

    let warnings = apply(host, POLICY)["warnings"].to_string();
    assert!(warnings.contains("Docker's bridge br0 also has ports"), "{warnings}");
    assert!(warnings.contains("(eth1)"), "{warnings}");
    expect(Answer::TimedOut);
    apply(host, &POLICY.replace("192.0.2.2", Topology::CLIENT_ETH1));
    expect(Answer::Answered);
}
