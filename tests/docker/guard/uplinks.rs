//! Interfaces that lead outside, although their names or bridges look like Docker's.

use super::super::site::Site;
use super::super::support::{Answer, Docker, Topology, apply, tcp};
use super::{ALL, ONLY_ALLOWED, POLICY, answered, becomes, expect_both};

#[test]
fn an_interface_named_like_a_bridge_is_outside() {
    let site = Site::stock();
    let host = &site.topology.host;
    let attempt = || tcp(&site.topology.client, Topology::CLIENT_ETH1, Topology::HOST_ETH1, 8080);
    answered("the second interface", attempt);
    let mut name = "eth1";
    // Docker's bridge names end with twelve hexadecimal digits.
    for other in ["br-external-net", "br-ext.rnal.net", "br-externalnets"] {
        println!("{other}");
        rename(&site, name, other);
        name = other;
        apply(host, POLICY);
        assert_eq!(attempt(), Answer::TimedOut);
        expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
    }
}

fn rename(site: &Site, from: &str, to: &str) {
    let host = &site.topology.host;
    host.run(&["ip", "link", "set", from, "down"]);
    host.run(&["ip", "link", "set", from, "name", to]);
    host.run(&["ip", "link", "set", to, "up"]);
}

/// A bridge of the operator with a host interface as a port, named like one of Docker's.
#[test]
fn a_bridge_with_an_uplink_is_outside() {
    let site = Site::stock();
    let host = &site.topology.host;
    bridge(&site.topology, "br-0123456789ab", "203.0.113.1", &["203.0.113.2"]);
    let attempt = || tcp(&site.topology.client, "203.0.113.2", "203.0.113.1", 8080);
    answered("the bridge", attempt);
    apply(host, POLICY);
    assert_eq!(attempt(), Answer::TimedOut);
    apply(host, &POLICY.replace(Topology::ALLOWED, "203.0.113.2"));
    answered("the bridge, allowed", attempt);
}

/// Creates a bridge on the host with this address, and an uplink in it through which clients with
/// these addresses connect. The uplink is a VXLAN, because the topology's veth interfaces look like
/// those of containers.
fn bridge(topology: &Topology, name: &str, address: &str, clients: &[&str]) {
    let ends = [
        (&topology.host, Topology::HOST_ETH1, Topology::CLIENT_ETH1),
        (&topology.client, Topology::CLIENT_ETH1, Topology::HOST_ETH1),
    ];
    for (namespace, local, remote) in ends {
        let between = ["type", "vxlan", "id", "5", "dstport", "4790"];
        let between = [&between[..], &["local", local, "remote", remote]].concat();
        namespace.run(&[&["ip", "link", "add", "uplink0"], &between[..]].concat());
        namespace.run(&["ip", "link", "set", "uplink0", "up"]);
    }
    let host = &topology.host;
    host.run(&["ip", "link", "add", name, "type", "bridge"]);
    host.run(&["ip", "link", "set", "uplink0", "master", name]);
    host.run(&["ip", "link", "set", name, "up"]);
    host.run(&["ip", "address", "add", &format!("{address}/24"), "dev", name]);
    for client in clients {
        topology.client.run(&["ip", "address", "add", &format!("{client}/24"), "dev", "uplink0"]);
    }
}

/// The containers share a network with the clients.
#[test]
fn clients_on_dockers_bridge_are_outside() {
    let topology = Topology::new();
    let host = &topology.host;
    for namespace in [host, &topology.client] {
        namespace.run(&["ip", "address", "flush", "dev", "eth0"]);
    }
    bridge(&topology, "br0", Topology::HOST, &[Topology::ALLOWED, Topology::REFUSED]);
    let docker = Docker::start(host, &["--bridge=br0", "--fixed-cidr=192.0.2.128/28"]);
    let site = Site { topology, docker };
    site.publish_web();
    expect_both(&site, Topology::HOST, 8080, ALL);

    apply(&site.topology.host, POLICY);
    becomes(&site, Topology::ALLOWED, 8080, Answer::Answered);
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
}
