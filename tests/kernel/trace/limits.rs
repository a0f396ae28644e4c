//! A busy sender is not traced packet by packet, and only what is asked for is traced.

use std::net::UdpSocket;
use std::time::Instant;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Topology, Trace, tcp};

const DATAGRAMS: u64 = 3000;

#[test]
fn a_busy_sender_is_limited() {
    let Topology { host, client } = &Topology::new();
    let trace = Trace::start(host, &[Topology::ALLOWED, "9/udp"]);
    let started = Instant::now();
    let socket = client.inside(|| UdpSocket::bind((Topology::ALLOWED, 0))).expect("a socket");
    for _ in 0..DATAGRAMS {
        // The host refuses each with ICMP, which is an error of a later call.
        while socket.send_to(b"x", (Topology::HOST, 9)).is_err() {}
    }
    let first = trace.packet();
    assert_eq!(first["header"]["protocol"], "udp");
    let events = trace.end(Signal::SIGINT);
    let (end, packets) = events.split_last().expect("an end");
    assert!(packets.iter().all(|event| event["event"] == "packet"), "{packets:?}");
    assert_eq!(end["packets_matched"], DATAGRAMS);
    let traced = end["packets"].as_u64().expect("a number");
    assert_eq!(traced, packets.len() as u64 + 1);
    // A burst, and 20 in each second since.
    let most = 20 + 20 * (started.elapsed().as_secs() + 1);
    assert!(traced >= 1 && traced <= most, "{traced} of at most {most}");
}

fn ports(events: &[Value]) -> Vec<u64> {
    let packets = events.iter().filter(|event| event["event"] == "packet");
    packets.map(|packet| packet["header"]["destination_port"].as_u64().expect("a port")).collect()
}

#[test]
fn only_the_source_and_the_ports_are_traced() {
    let Topology { host, client } = &Topology::new();
    let trace = Trace::start(host, &[Topology::ALLOWED, "8080-8081"]);
    let connect = |source, port| {
        let _ = tcp(client, source, Topology::HOST, port);
    };
    connect(Topology::REFUSED, 8080);
    connect(Topology::ALLOWED, 8082);
    connect(Topology::ALLOWED, 8081);
    assert_eq!(ports(&[trace.packet()]), [8081]);
    assert_eq!(ports(&trace.end(Signal::SIGINT)), [0; 0]);

    let trace = Trace::start(host, &["192.0.2.64/26"]);
    connect(Topology::ALLOWED, 8080);
    connect(Topology::REFUSED, 8082);
    assert_eq!(ports(&[trace.packet()]), [8082]);
    assert_eq!(ports(&trace.end(Signal::SIGINT)), [0; 0]);
}

#[test]
fn two_traces_at_once_report_their_own_packets() {
    let Topology { host, client } = &Topology::new();
    let port = |port| Trace::start(host, &[Topology::ALLOWED, port]);
    let (first, second, both) = (port("8081"), port("8082"), port("8081-8082"));
    let tables = host.run(&["nft", "list", "tables"]);
    assert_eq!(tables.matches("dwnl-trace-").count(), 3, "{tables}");
    for port in [8081, 8082] {
        let _ = tcp(client, Topology::ALLOWED, Topology::HOST, port);
    }
    let all = |trace: Trace, number: usize| {
        let mut events: Vec<Value> = (0..number).map(|_| trace.packet()).collect();
        events.extend(trace.end(Signal::SIGINT));
        for event in &events {
            assert_eq!(event.pointer("/chains/0"), None, "the chains of a trace: {event}");
        }
        ports(&events)
    };
    assert_eq!(all(first, 1), [8081]);
    assert_eq!(all(second, 1), [8082]);
    assert_eq!(all(both, 2), [8081, 8082]);
}
