use std::time::Duration;

use dwnl::model::{Family, Ports, Protocol, TraceFilter};

use super::super::test_support::text;
use super::*;

fn filter(source: &str, port: Option<u16>) -> TraceFilter {
    let ports = port.map(|port| Ports::single(Protocol::Tcp, port).expect("a port"));
    TraceFilter::new(source.parse().expect("a network"), ports)
}

#[test]
fn the_start_says_what_is_traced() {
    let start =
        |filter: &TraceFilter| text(&TraceReport::start(filter, Duration::from_secs(90), &[]));
    assert_eq!(
        start(&filter("192.0.2.9/32", Some(443))),
        "tracing up to 20 packets/s from 192.0.2.9 to 443/tcp for 1m 30s\n"
    );
    assert_eq!(
        start(&filter("2001:db8::/64", None)),
        "tracing up to 20 packets/s from 2001:db8::/64 for 1m 30s\n"
    );
}

#[test]
fn legacy_tables_are_warned_of() {
    let tables = [(Family::Ip, "filter".into()), (Family::Ip6, "raw".into())];
    let filter = filter("192.0.2.9/32", None);
    let start = TraceReport::start(&filter, Duration::from_secs(1), &tables);
    assert_eq!(
        start.warnings(),
        ["rules of iptables-legacy do not appear in the trace, and may drop packets: there are \
          some in ip filter and ip6 raw"]
    );
}

#[test]
fn the_end_says_how_many_packets_there_were() {
    let filter = filter("192.0.2.9/32", Some(443));
    let end = |packets, matched| {
        text(&TraceReport::end(&filter, packets, matched, Duration::from_secs(30)))
    };
    assert_eq!(end(2, 2), "2 packets in 30.0 s\n");
    assert_eq!(end(20, 12_345), "20 of 12,345 packets in 30.0 s\n");
    assert!(end(0, 0).starts_with("no packet from 192.0.2.9 to 443/tcp came in within 30.0 s.\n"));
    assert!(end(0, 0).lines().all(|line| line.len() <= 80), "{}", end(0, 0));
}

#[test]
fn flags_have_their_names() {
    assert_eq!(sentences::flags(0x02), "SYN");
    assert_eq!(sentences::flags(0x18), "PSH ACK");
    assert_eq!(sentences::protocol(47), "protocol 47");
}
