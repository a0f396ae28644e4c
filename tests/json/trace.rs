//! The events that `trace` prints.

use std::net::UdpSocket;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::checker::Checker;
use super::support::{Namespace, Topology, Trace};

/// Has every packet traced, and accepts or drops what is forwarded.
const RULES: &str = "table inet t {
    chain everything { type filter hook prerouting priority -400; meta nftrace set 1; }
    chain c { type filter hook forward priority 0; udp dport 9 accept; jump inner; }
    chain inner { udp dport 10 counter; udp dport 10 drop; }
}";
/// An address behind the host.
const TARGET: &str = "198.51.100.77";
/// More packets than fit into the receive buffer of the trace.
const FLOOD: usize = 10_000;

/// Lets every event happen, and checks what was printed.
pub fn check_all(checker: &mut Checker) {
    let Topology { host, client } = Topology::new();
    host.run(&["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    client.run(&["ip", "route", "add", TARGET, "via", Topology::HOST]);
    host.try_run(&["nft", "-f", "-"], RULES).succeeded();
    let (trace, start) = Trace::start_with(&host, &[Topology::ALLOWED, "1-10/udp"]);
    check(checker, &start);
    for (port, fate) in [(9, "sent"), (10, "dropped")] {
        send(&client, port, 1);
        let packet = trace.packet();
        assert_eq!(packet["fate"], fate);
        check(checker, &packet);
    }
    let (tcp, start) = Trace::start_with(&host, &[Topology::ALLOWED]);
    check(checker, &start);
    let _ = super::support::tcp(&client, Topology::ALLOWED, Topology::HOST, 8080);
    check(checker, &tcp.packet());
    tcp.end(Signal::SIGINT).iter().for_each(|event| check(checker, event));

    trace.signal(Signal::SIGSTOP);
    send(&client, 8, FLOOD);
    trace.signal(Signal::SIGCONT);
    let events = trace.end(Signal::SIGINT);
    assert!(events.iter().any(|event| event["event"] == "overrun"), "{events:?}");
    events.iter().for_each(|event| check(checker, event));
}

#[track_caller]
fn check(checker: &mut Checker, event: &Value) {
    checker.check("trace", event).unwrap_or_else(|error| panic!("{error}\n{event}"));
}

fn send(client: &Namespace, port: u16, datagrams: usize) {
    let socket = client.inside(|| UdpSocket::bind((Topology::ALLOWED, 0))).expect("a socket");
    for _ in 0..datagrams {
        // The host answers some with ICMP, which is an error of a later call.
        while socket.send_to(b"x", (TARGET, port)).is_err() {}
    }
}
