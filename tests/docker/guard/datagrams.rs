//! UDP: flows that are older than the port, and broadcast and multicast datagrams.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use super::super::site::Site;
use super::super::support::{Answer, Datagrams, Topology, apply, udp_echo, udp_echo_at};
use super::{POLICY, answered, expect_udp};

fn policy(site: &Site) -> String {
    site.policy_with(&POLICY.replace("8080/tcp", "8080-8087/udp"), "")
}

/// A flow of each client. The tests open them before the port is published.
fn flows(site: &Site, [allowed, refused]: [&str; 2], target: &str, port: u16) -> [Datagrams; 2] {
    let client = &site.topology.client;
    [allowed, refused].map(|source| Datagrams::open(client, source, target, port))
}

const CLIENTS: [&str; 2] = [Topology::ALLOWED, Topology::REFUSED];
const CLIENTS6: [&str; 2] = [Topology::ALLOWED6, Topology::REFUSED6];

/// Asserts that only the allowed client's flow is answered.
#[track_caller]
fn are_open_to_allowed_only([allowed, refused]: &[Datagrams; 2]) {
    answered("the allowed client's flow", || allowed.echo());
    for _ in 0..3 {
        assert_ne!(refused.echo(), Answer::Answered, "the refused client's flow continues");
    }
}

#[test]
fn a_flow_older_than_the_port_is_filtered() {
    let site = Site::service(&[]);
    let host = &site.topology.host;
    // Control: without dwnl docker-proxy accepts the flow, or it is translated.
    let before = flows(&site, CLIENTS, Topology::HOST, 8081);
    before.iter().for_each(|flow| assert_ne!(flow.echo(), Answer::Answered));
    site.docker.run("first", &["-p", "8081:80/udp"], "exec sleep 1000");
    let _first = udp_echo(&site.docker.namespace("first"), 80);
    before.iter().for_each(|flow| answered("a flow without dwnl", || flow.echo()));

    apply(host, &policy(&site));
    let flows = [
        flows(&site, CLIENTS, Topology::HOST, 8082),
        flows(&site, CLIENTS6, Topology::HOST6, 8082),
    ];
    flows.iter().flatten().for_each(|flow| assert_ne!(flow.echo(), Answer::Answered));
    site.docker.run("second", &["-p", "8082:80/udp"], "exec sleep 1000");
    let _second = udp_echo(&site.docker.namespace("second"), 80);
    for flows in &flows {
        are_open_to_allowed_only(flows);
    }
    // The same once Docker's rules name the port.
    apply(host, &policy(&site));
    for flows in &flows {
        are_open_to_allowed_only(flows);
    }
}

/// conntrack considers the flow established: a service of the host has answered it.
#[test]
fn a_flow_that_the_host_answered_ends_when_the_port_is_learned() {
    for family in [(CLIENTS, Topology::HOST), (CLIENTS6, Topology::HOST6)] {
        let (clients, target) = family;
        let site = Site::service(&[]);
        apply(&site.topology.host, &policy(&site));
        let own = udp_echo_at(&site.topology.host, target, 8083);
        let flows = flows(&site, clients, target, 8083);
        for flow in &flows {
            answered("the host's own service", || flow.echo());
            assert_eq!(flow.echo(), Answer::Answered);
        }
        drop(own);
        site.docker.run("dns", &["-p", "8083:80/udp"], "exec sleep 1000");
        let _dns = udp_echo(&site.docker.namespace("dns"), 80);
        apply(&site.topology.host, &policy(&site));
        are_open_to_allowed_only(&flows);
    }
}

/// Whether a datagram from `source` to all hosts of its link gets an answer.
fn gets_an_answer(site: &Site, source: &str, destination: SocketAddr) -> bool {
    let socket = site.topology.client.inside(|| UdpSocket::bind((source, 0)));
    let socket = socket.expect("a UDP socket");
    socket.set_broadcast(true).expect("to broadcast");
    socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a time-out");
    (0..3).any(|_| {
        socket.send_to(b"ping", destination).expect("to send a datagram");
        socket.recv_from(&mut [0; 8]).is_ok()
    })
}

#[test]
fn broadcast_and_multicast_datagrams_are_filtered() {
    let site = Site::service(&[]);
    let client = &site.topology.client;
    // A route for multicast, and the zone of `ff02::`.
    client.run(&["ip", "route", "add", "224.0.0.0/4", "dev", "eth0"]);
    let zone = client.inside(|| nix::net::if_::if_nametoindex("eth0")).expect("eth0");
    let all: SocketAddr = format!("[ff02::1%{zone}]:8084").parse().expect("an address");
    let destinations = [
        (Topology::REFUSED, "192.0.2.255:8084".parse().expect("an address")),
        (Topology::REFUSED, "255.255.255.255:8084".parse().expect("an address")),
        (Topology::REFUSED, "224.0.0.1:8084".parse().expect("an address")),
        (Topology::REFUSED6, all),
    ];
    site.docker.run("dns", &["-p", "8084:80/udp"], "exec sleep 1000");
    let _dns = udp_echo(&site.docker.namespace("dns"), 80);
    expect_udp(&site, Topology::HOST, 8084, super::ALL);
    let reached: Vec<_> =
        destinations.iter().filter(|(from, to)| gets_an_answer(&site, from, *to)).collect();
    println!("reached without dwnl: {reached:?}");
    assert!(reached.len() >= 3, "{reached:?}");

    apply(&site.topology.host, &policy(&site));
    for (from, to) in &destinations {
        assert!(!gets_an_answer(&site, from, *to), "{from} by {to}");
    }
    // A port that is published after the last apply.
    site.docker.run("late", &["-p", "8085:80/udp"], "exec sleep 1000");
    let _late = udp_echo(&site.docker.namespace("late"), 80);
    expect_udp(&site, Topology::HOST, 8085, super::ONLY_ALLOWED);
    for (from, to) in destinations {
        let to = SocketAddr::new(to.ip(), 8085);
        let to = if let SocketAddr::V6(mut v6) = to {
            v6.set_scope_id(zone);
            v6.into()
        } else {
            to
        };
        assert!(!gets_an_answer(&site, from, to), "{from} by {to}, later");
    }
}
