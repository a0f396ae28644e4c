//! Apply on a host with 100,000 flows.

use std::net::{IpAddr, UdpSocket};

use super::site::{CUT, PUBLISHED, Site, policy};
use crate::support::{Topology, apply};

const PORTS: std::ops::Range<u16> = 10_000..60_000;
const CLIENTS: [&str; 2] = [Topology::ALLOWED, Topology::REFUSED];

/// Sends a datagram from each of 100,000 addresses and ports.
fn send(site: &Site) {
    site.topology.client.inside(|| {
        for client in CLIENTS {
            let client: IpAddr = client.parse().expect("an address");
            for port in PORTS {
                let socket = UdpSocket::bind((client, port)).expect("a UDP socket");
                socket.send_to(b"ping", (Topology::HOST, PUBLISHED)).expect("to send");
            }
        }
    });
}

fn count(site: &Site) -> String {
    site.topology.host.run(&["sysctl", "-n", "net.netfilter.nf_conntrack_count"])
}

/// Prints the time that an apply takes with 100,000 flows:
/// `cargo test --release --test kernel -- --ignored --nocapture many`.
#[test]
#[ignore = "takes minutes and prints figures"]
fn time_to_reconcile_many_flows() {
    let site = Site::new();
    let host = &site.topology.host;
    let step = |what: &str, sources: &[&str], settings: &str| {
        let before = count(&site);
        let outcome = apply(host, &policy(sources, settings));
        let ms = outcome["elapsed_us"].as_f64().expect("a number") / 1000.0;
        println!("{what}: {ms:.1} ms, {} flows before, {outcome}", before.trim());
        outcome
    };
    step("first", &["203.0.113.1"], "");
    send(&site);
    step("none to clear", &["203.0.113.2"], "");
    assert_eq!(step("clear", &CLIENTS, "")["flows_cleared"], 100_000);
    send(&site);
    step("none to terminate, keep", &CLIENTS, "");
    step("none to terminate, cut", &CLIENTS, CUT);
    assert_eq!(step("terminate", &["203.0.113.1"], CUT)["flows_terminated"], 100_000);
}
