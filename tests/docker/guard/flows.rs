//! Flows that exist when the guard is installed.

use std::net::UdpSocket;
use std::time::Duration;

use super::super::site::Site;
use super::super::support::{Answer, Connection, Namespace, Topology, apply, udp_echo, wait_for};
use super::{ALL, ONLY_ALLOWED, POLICY, expect_both};

#[test]
fn connections_survive_the_first_apply() {
    let site = Site::stock();
    expect_both(&site, Topology::HOST, 8080, ALL);
    survives_policies(&site, Topology::REFUSED, Topology::HOST);
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
}

/// Asserts that a connection opened before the first apply survives policies that do not allow it.
pub(super) fn survives_policies(site: &Site, source: &str, target: &str) {
    let connection = Connection::open(&site.topology.client, source, target, 8080);
    let mut connection = connection.expect("a connection");
    for policy in [POLICY, "", POLICY] {
        apply(&site.topology.host, policy);
        assert_eq!(connection.echo(), Answer::Answered, "{policy}");
    }
}

#[test]
fn half_open_flows_continue_for_allowed_clients() {
    let site = Site::stock();
    let client = &site.topology.client;
    site.docker.run("dns", &["-p", "8080:80/udp"], "exec sleep 1000");
    let container = site.docker.namespace("dns");
    let silent = container.inside(|| UdpSocket::bind("0.0.0.0:80")).expect("a UDP socket");
    let allowed = flow(client, Topology::ALLOWED);
    let refused = flow(client, Topology::REFUSED);
    for flow in [&allowed, &refused] {
        arrives(flow, &silent);
    }

    apply(&site.topology.host, &POLICY.replace("tcp", "udp"));
    drop(silent);
    let _server = udp_echo(&container, 80);
    wait_for("an answer to the allowed client", || answer(&allowed).then_some(()));
    assert!(!answer(&refused), "the refused client's flow continued");
}

/// A UDP socket connected to the published port.
fn flow(client: &Namespace, source: &str) -> UdpSocket {
    let socket = client.inside(|| UdpSocket::bind((source, 0))).expect("a UDP socket");
    socket.connect((Topology::HOST, 8080)).expect("to connect a UDP socket");
    socket.set_read_timeout(Some(Duration::from_millis(1500))).expect("a time-out");
    socket
}

/// Sends until the server, which does not answer, has received a datagram.
fn arrives(flow: &UdpSocket, server: &UdpSocket) {
    server.set_read_timeout(Some(Duration::from_millis(100))).expect("a time-out");
    wait_for("a datagram", || {
        let _ = flow.send(b"ping");
        server.recv(&mut [0; 8]).ok()
    });
}

fn answer(flow: &UdpSocket) -> bool {
    flow.send(b"ping").is_ok() && flow.recv(&mut [0; 8]).is_ok()
}
