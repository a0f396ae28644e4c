//! Packets to a container's own address that conntrack assigns to no flow, or that are exempt from
//! conntrack. They open no connection, but they allow a scan.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::super::site::{ECHO, Site};
use super::super::support::{
    ACK, FIN, Namespace, RST, SYN, Topology, apply, remove, send_segment, wait_for,
};
use super::{ALL, NONE, ONLY_ALLOWED, POLICY, address, create_network, expect_both};

/// Packets that a scanner sends. None of them is addressed to a port of the host.
const PROBES: [(&str, u8); 7] = [
    ("SYN,ACK", SYN | ACK),
    ("FIN", FIN),
    ("RST", RST),
    ("ACK", ACK),
    ("FIN,ACK", FIN | ACK),
    ("SYN,FIN", SYN | FIN),
    ("no flags", 0),
];

/// Counts in the container the packets from the refused client.
const COUNTER: &str = "
table ip probes {
    counter probes { }
    counter ends { }
    chain input {
        type filter hook prerouting priority -400;
        tcp sport 7 counter name ends
        ip saddr 192.0.2.66 tcp sport 1000-1100 counter name probes
    }
}
";

/// A container that is reachable by its own address and counts packets.
struct Target {
    site: Site,
    container: Namespace,
    address: Ipv4Addr,
}

impl Target {
    fn new() -> Target {
        let site = Site::stock();
        create_network(&site, "direct0", "nat-unprotected");
        site.docker.run("direct", &["--network", "direct0", "-p", "8089:80"], ECHO);
        let container = site.docker.namespace("direct");
        container.try_run(&["nft", "-f", "-"], COUNTER).succeeded();
        let address = address(&site, "direct");
        expect_both(&site, &address, 80, ALL);
        Target { site, container, address: address.parse().expect("an address") }
    }

    fn received(&self, counter: &str) -> u64 {
        let listing = self.container.run(&["nft", "list", "counter", "ip", "probes", counter]);
        let packets = listing.split("packets ").nth(1).and_then(|rest| rest.split(' ').next());
        packets.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{listing}"))
    }

    /// The names of the probes that arrive, each sent in a flow of its own. A packet that is never
    /// blocked follows each probe; once it has arrived, the probe has arrived or was dropped.
    fn arrive(&self, probes: &[(&str, u8)]) -> Vec<String> {
        let refused: Ipv4Addr = Topology::REFUSED.parse().expect("an address");
        let mut arrived = Vec::new();
        for (number, (name, flags)) in (1000..).zip(probes) {
            let (before, ends) = (self.received("probes"), self.received("ends"));
            let target = SocketAddrV4::new(self.address, 80);
            let source = SocketAddrV4::new(refused, number);
            send_segment(&self.site.topology.client, source, target, *flags);
            self.send_end();
            wait_for("the end of the probes", || (self.received("ends") > ends).then_some(()));
            if self.received("probes") > before {
                arrived.push((*name).to_owned());
            }
        }
        arrived
    }

    /// Sent by the host itself, which always reaches its containers.
    fn send_end(&self) {
        let source = SocketAddrV4::new(GATEWAY, 7);
        send_segment(&self.site.topology.host, source, SocketAddrV4::new(self.address, 80), RST);
    }
}

/// The host's address in the network of [`create_network`].
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

#[test]
fn packets_that_belong_to_no_flow_are_dropped() {
    let target = Target::new();
    let host = &target.site.topology.host;
    let names: Vec<_> = PROBES.iter().map(|(name, _)| (*name).to_owned()).collect();
    for loose in ["1", "0"] {
        let setting = format!("net.netfilter.nf_conntrack_tcp_loose={loose}");
        host.run(&["sysctl", "-qw", &setting]);
        assert_eq!(target.arrive(&PROBES), names, "{setting}: the control");
        apply(host, POLICY);
        assert_eq!(target.arrive(&PROBES), [""; 0], "{setting}");
        remove(host);
    }
}

/// The operator exempts the refused client from connection tracking.
#[test]
fn untracked_packets_open_no_connection() {
    let target = Target::new();
    let host = &target.site.topology.host;
    for (chain, match_) in [("PREROUTING", "-s"), ("OUTPUT", "-d")] {
        let rule = [match_, Topology::REFUSED, "-j", "CT", "--notrack"];
        host.run(&[&["iptables", "-t", "raw", "-I", chain], &rule[..]].concat());
    }
    // Untracked packets are not translated and reach docker-proxy. The container's answers are not
    // translated either.
    let rule = ["-d", Topology::REFUSED, "-j", "CT", "--notrack"];
    host.run(&[&["iptables", "-t", "raw", "-I", "PREROUTING"], &rule[..]].concat());
    let address = target.address.to_string();
    // Docker's own FORWARD rules only accept answers with a tracked state.
    host.run(&["iptables", "-I", "DOCKER-USER", "-d", Topology::REFUSED, "-j", "ACCEPT"]);
    expect_both(&target.site, Topology::HOST, 8080, ALL);
    expect_both(&target.site, &address, 80, ALL);

    apply(host, POLICY);
    expect_both(&target.site, Topology::HOST, 8080, ONLY_ALLOWED);
    expect_both(&target.site, &address, 80, NONE);
}
