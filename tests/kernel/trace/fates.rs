//! What becomes of packets.

use nix::sys::signal::Signal;
use serde_json::Value;

use super::chains;
use super::site::{CONTAINER, PORT, Site};
use crate::support::{Answer, Namespace, Topology, Trace, tcp, tcp_echo};

/// The first packet of a connection that a client opens while the host is traced.
fn first_packet(
    host: &Namespace,
    source: &str,
    connect: impl FnOnce() -> Answer,
) -> (Answer, Value) {
    let trace = Trace::start(host, &[source]);
    let answer = connect();
    (answer, trace.packet())
}

#[test]
fn a_translated_packet_is_followed_to_the_container() {
    let Site { host, client, .. } = &Site::new();
    let connect = || tcp(client, Topology::ALLOWED, Topology::HOST, PORT);
    let (answer, packet) = first_packet(host, Topology::ALLOWED, connect);
    assert_eq!(answer, Answer::Answered);
    assert_eq!((&packet["fate"], &packet["out_interface"]), (&"sent".into(), &"docker0".into()));
    assert_eq!(chains(&packet), ["prerouting ip nat PREROUTING accept"]);
    assert_eq!(packet["header"]["destination"], Topology::HOST);
    assert_eq!(packet["header"]["flags"], "SYN");
    assert_eq!(packet["last_header"]["destination"], CONTAINER);
    assert_eq!(packet["last_header"]["destination_port"], 80);
    assert_eq!(packet["in_interface"], "eth0");
}

#[test]
fn a_drop_is_found_whichever_table_it_is_in() {
    let Site { host, client, .. } = &Site::new();
    let connect = || tcp(client, Topology::ALLOWED, Topology::HOST, PORT);
    assert_eq!(connect(), Answer::Answered);
    for (rules, chain, decision) in [
        (
            "table inet late {
                 chain inner { tcp dport 80 drop; }
                 chain c { type filter hook forward priority 10; ip daddr 172.30.0.2 jump inner; }
             }",
            "forward inet late c drop",
            "inner",
        ),
        (
            "table ip early {
                 chain c { type filter hook prerouting priority -310; tcp dport 8080 drop; }
             }",
            "prerouting ip early c drop",
            "c",
        ),
        (
            "table inet closed {
                 chain c { type filter hook forward priority 0; policy drop; }
             }",
            "forward inet closed c drop",
            "c",
        ),
    ] {
        host.try_run(&["nft", "-f", "-"], rules).succeeded();
        let (answer, packet) = first_packet(host, Topology::ALLOWED, connect);
        assert_eq!(answer, Answer::TimedOut);
        assert_eq!(packet["fate"], "dropped", "{packet}");
        assert_eq!(chains(&packet).last().map(String::as_str), Some(chain));
        assert_eq!(packet["decision"]["chain"], decision);
        let family = chain.split(' ').nth(1).expect("a family");
        let table = chain.split(' ').nth(2).expect("a table");
        host.run(&["nft", "delete", "table", family, table]);
    }
}

#[test]
fn a_packet_for_the_host_is_delivered_or_rejected() {
    let Topology { host, client } = &Topology::new();
    let _server = tcp_echo(host, 8080);
    for (source, target, iptables) in [
        (Topology::ALLOWED, Topology::HOST, "iptables"),
        (Topology::ALLOWED6, Topology::HOST6, "ip6tables"),
    ] {
        let connect = || tcp(client, source, target, 8080);
        let (answer, packet) = first_packet(host, source, connect);
        assert_eq!(answer, Answer::Answered);
        assert_eq!(packet["fate"], "delivered");
        let reject = ["INPUT", "-p", "tcp", "--dport", "8080", "-j", "REJECT"];
        let reset = ["--reject-with", "tcp-reset"];
        host.run(&[&[iptables, "-A"], &reject[..], &reset].concat());
        let (answer, packet) = first_packet(host, source, connect);
        assert_eq!(answer, Answer::Refused);
        assert_eq!(packet["fate"], "rejected");
        assert_eq!(packet["decision"]["chain"], "INPUT");
    }
}

/// The fate of a packet to an address that the client reaches through the host.
fn through(host: &Namespace, client: &Namespace, target: &str) -> Value {
    let trace = Trace::start(host, &[Topology::ALLOWED]);
    let _ = tcp(client, Topology::ALLOWED, target, 80);
    trace.packet()
}

#[test]
fn a_packet_that_no_rule_drops_is_lost() {
    let Topology { host, client } = &Topology::new();
    client.run(&["ip", "route", "add", "203.0.113.0/24", "via", Topology::HOST]);
    let packet = through(host, client, "203.0.113.1");
    assert_eq!(packet["fate"], "lost");
    let summary = packet["summary"].as_str().expect("a summary");
    assert!(summary.starts_with("lost after prerouting,"), "{summary}");
    assert!(packet["decision"].is_null(), "{packet}");
}

#[test]
fn later_packets_of_a_flow_are_traced_too() {
    let Site { host, client, .. } = &Site::new();
    let trace = Trace::start(host, &[Topology::ALLOWED, &PORT.to_string()]);
    assert_eq!(tcp(client, Topology::ALLOWED, Topology::HOST, PORT), Answer::Answered);
    assert_eq!(chains(&trace.packet()), ["prerouting ip nat PREROUTING accept"]);
    let second = trace.packet();
    assert_eq!(chains(&second), [""; 0], "nat sees only the first packet");
    assert_eq!((&second["fate"], &second["header"]["flags"]), (&"sent".into(), &"ACK".into()));
    trace.end(Signal::SIGINT);
}
