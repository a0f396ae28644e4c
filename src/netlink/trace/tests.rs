use proptest::prelude::*;

use super::super::attribute::{put, put_nested, put_string};
use super::super::message::Messages;
use super::super::request::{put_headers, set_length};
use super::*;
use crate::model::{IpVersion, PacketHeader, Transport};
use crate::netlink::uapi::MESSAGE_HEADER;

/// A message about a packet with these further attributes.
fn message(kind: u32, fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_headers(&mut bytes, libc::NFT_MSG_TRACE, libc::NFPROTO_IPV4 as u8, 0, 0);
    put(&mut bytes, trace::NFPROTO, &(libc::NFPROTO_IPV4 as u32).to_be_bytes());
    put(&mut bytes, trace::TYPE, &kind.to_be_bytes());
    put(&mut bytes, trace::ID, &7u32.to_be_bytes());
    put_string(&mut bytes, trace::TABLE, "nat");
    put_string(&mut bytes, trace::CHAIN, "PREROUTING");
    fill(&mut bytes);
    set_length(&mut bytes, 0);
    bytes
}

fn put_verdict(bytes: &mut Vec<u8>, code: i32, chain: Option<&str>) {
    put_nested(bytes, trace::VERDICT, |bytes| {
        put(bytes, uapi::verdict::CODE, &code.to_be_bytes());
        if let Some(chain) = chain {
            put_string(bytes, uapi::verdict::CHAIN, chain);
        }
    });
}

fn decode(bytes: &[u8]) -> Option<TraceMessage> {
    decode_trace(&Messages::new(bytes).next().expect("a message"))
}

/// From 192.0.2.2 to 192.0.2.1, TCP, 60 bytes.
const IPV4: [u8; 20] = [0x45, 0, 0, 60, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1];
/// From port 40000 to 443, SYN.
const SYN: [u8; 20] = [0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0xa0, 2, 0, 0, 0, 0, 0, 0];

#[test]
fn a_rule_is_read_with_the_packet() {
    let bytes = message(trace_type::RULE, |bytes| {
        put(bytes, trace::RULE_HANDLE, &9u64.to_be_bytes());
        put_verdict(bytes, verdict_code::JUMP, Some("DOCKER"));
        put(bytes, trace::IN_INTERFACE, &2u32.to_be_bytes());
        put(bytes, trace::NETWORK_HEADER, &IPV4);
        put(bytes, trace::TRANSPORT_HEADER, &SYN);
    });
    let header = PacketHeader {
        source: [192, 0, 2, 2].into(),
        destination: [192, 0, 2, 1].into(),
        protocol: 6,
        length: 60,
        transport: Transport::Tcp { source_port: 40000, port: 443, flags: 2 },
    };
    let [family, table, chain] = ["ip", "nat", "PREROUTING"].map(Into::into);
    let expected = TraceMessage {
        id: 7,
        chain: TracedChain { family, table, chain },
        cause: TraceCause::Rule(9),
        verdict: TraceVerdict::Jump("DOCKER".into()),
        packet: Some(TracedState {
            header: Some(header),
            in_interface: Some(2),
            out_interface: None,
        }),
    };
    assert_eq!(decode(&bytes), Some(expected));
}

#[test]
fn the_ends_of_chains_are_read() {
    let step = |bytes: &[u8]| decode(bytes).map(|message| (message.cause, message.verdict));
    let policy = message(trace_type::POLICY, |bytes| {
        put(bytes, trace::POLICY, &(libc::NF_DROP as u32).to_be_bytes());
    });
    assert_eq!(step(&policy), Some((TraceCause::Policy, TraceVerdict::Drop)));
    let end = message(trace_type::RETURN, |bytes| put_verdict(bytes, CONTINUE, None));
    assert_eq!(step(&end), Some((TraceCause::End, TraceVerdict::Continue)));
    let rule = message(trace_type::RETURN, |bytes| {
        put(bytes, trace::RULE_HANDLE, &3u64.to_be_bytes());
        put_verdict(bytes, verdict_code::RETURN, None);
    });
    assert_eq!(step(&rule), Some((TraceCause::Rule(3), TraceVerdict::Return)));
}

#[test]
fn every_verdict_is_read() {
    let verdict = |code| decode_code(code, None);
    assert_eq!(verdict(0), TraceVerdict::Drop);
    assert_eq!(verdict(1), TraceVerdict::Accept);
    assert_eq!(verdict(2), TraceVerdict::Stolen);
    // `queue to 5`
    assert_eq!(verdict(5 << 16 | 3), TraceVerdict::Queue);
    // A drop with EPERM for the sender.
    assert_eq!(verdict(libc::EPERM << 16), TraceVerdict::Drop);
    assert_eq!(verdict(4), TraceVerdict::Other(4));
    assert_eq!(verdict(i32::MIN), TraceVerdict::Other(i32::MIN));
}

#[test]
fn headers_are_read_as_far_as_they_are_there() {
    let transport = |network: &[u8], rest: &[u8]| {
        header::decode(IpVersion::V4, network, rest).map(|header| header.transport)
    };
    assert_eq!(transport(&IPV4[..19], &SYN), None);
    assert_eq!(transport(&IPV4, &SYN[..13]), Some(Transport::Other));
    let mut udp = IPV4;
    udp[9] = 17;
    let expected = Transport::Ports { source_port: 40000, port: 443 };
    assert_eq!(transport(&udp, &SYN[..4]), Some(expected));
    let mut icmp = IPV4;
    icmp[9] = 1;
    assert_eq!(transport(&icmp, &[8, 0]), Some(Transport::Icmp { kind: 8 }));

    let mut ipv6 = vec![0x60, 0, 0, 0, 0, 40, 6, 64];
    ipv6.extend([[0x20, 1, 0xd, 0xb8], [0; 4], [0; 4], [0, 0, 0, 2]].concat());
    ipv6.extend([[0x20, 1, 0xd, 0xb8], [0; 4], [0; 4], [0, 0, 0, 1]].concat());
    let header = header::decode(IpVersion::V6, &ipv6, &SYN).expect("a header");
    assert_eq!(header.source.to_string(), "2001:db8::2");
    assert_eq!(header.destination.to_string(), "2001:db8::1");
    assert_eq!(header.length, 80);
}

#[test]
fn other_messages_are_none() {
    let mut bytes = Vec::new();
    put_headers(&mut bytes, libc::NFT_MSG_NEWRULE, libc::NFPROTO_IPV4 as u8, 0, 0);
    assert_eq!(decode(&bytes), None);
    assert_eq!(decode(&message(4, |_| {})), None, "an unknown type");
    assert_eq!(decode(&message(trace_type::RULE, |_| {})), None, "a rule without its handle");
}

proptest! {
    #[test]
    fn any_attributes_are_read_without_panic(
        attributes in prop::collection::vec(
            (0u16..24, prop::collection::vec(any::<u8>(), 0..48)), 0..12,
        ),
        family in any::<u8>(),
        cut in 0usize..16,
    ) {
        let mut bytes = Vec::new();
        put_headers(&mut bytes, libc::NFT_MSG_TRACE, family, 0, 0);
        for (number, payload) in attributes {
            put(&mut bytes, number, &payload);
        }
        bytes.truncate(bytes.len().saturating_sub(cut).max(MESSAGE_HEADER));
        set_length(&mut bytes, 0);
        let _ = decode(&bytes);
    }
}
