//! Rules and sets that are almost of dwnl's form are not taken for dwnl's. Fuzzing found the first of
//! each kind.

use std::num::NonZeroU32;

use super::super::attribute::{Attributes, put, put_nested};
use super::super::*;
use crate::model::{
    ADMITTED_LABEL, AddressSpec, CgroupMatch, ChainPath, ConnectionLimit, Family, FlowLimits,
    Interval, IpVersion, LogTarget, NftMatch, NftRule, NftStatement, Ports, Position, Protocol,
    Rate, RateLimit, RateUnit, Rule, RuleContent, SetKind, SetPath, SetUpdate, Shard, TablePath,
    UpdateKey,
};

const IPV4_HOSTS: SetKind = SetKind::Hosts { version: IpVersion::V4, capacity: 8 };
const IPV4_INTERVALS: SetKind = SetKind::Intervals { version: IpVersion::V4 };

fn is_known(attributes: &[u8], family: Family) -> bool {
    let mut dumped = attributes.to_vec();
    put(&mut dumped, uapi::rule::HANDLE, &9u64.to_be_bytes());
    let (_, _, rule) = decode_rule(Attributes::new(&dumped), family).expect("a rule");
    matches!(rule.content, RuleContent::Known(_))
}

/// The attributes of the NEWRULE for `tcp dport PORTS MATCHES ip saddr @cdn … ct mark set …`.
fn native(ports: (u16, u16), matches: &[NftMatch]) -> Vec<u8> {
    let ports = Ports::new(Protocol::Tcp, ports.0, ports.1).expect("ports");
    let before = [NftMatch::NfProto(IpVersion::V4), NftMatch::Ports(ports)];
    let behind = [NftMatch::SourceSet(IpVersion::V4, "cdn".into()), NftMatch::DstTypeLocal];
    let matches = [&before, matches, &behind].concat();
    message(&NftRule::new(matches, NftStatement::SetCtMark(0x2000)).into())
}

/// The attributes of a rule's NEWRULE.
fn message(rule: &Rule) -> Vec<u8> {
    let table = TablePath { family: Family::Inet, table: "dwnl".into() };
    let mut batch = Batch::new(1);
    batch.add_rule(&ChainPath { table, chain: "allow".into() }, Position::Append, rule);
    batch.finalize().message(BEGIN_SEQUENCE + 1).expect("the message")[20..].to_vec()
}

/// The same with the first `from` in it become `to`.
fn altered(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).expect("the bytes");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// `NFTA_PAYLOAD_LEN`, loading this number of bytes.
fn loading(length: u8) -> [u8; 8] {
    [8, 0, 4, 0, 0, 0, 0, length]
}

/// The attributes of the NEWRULE for `CONDITION accept`.
fn guarding(condition: NftMatch) -> Vec<u8> {
    message(&NftRule::new([condition], NftStatement::Accept).into())
}

#[test]
fn a_range_of_one_original_port_is_rejected() {
    let ports = Ports::new(Protocol::Tcp, 8000, 8100).expect("ports");
    let rule = guarding(NftMatch::CtOriginalPorts(ports));
    assert!(is_known(&rule, Family::Inet));
    let [first, last] = [8000u16, 8100].map(u16::to_be_bytes);
    assert!(!is_known(&altered(&rule, &last, &first), Family::Inet));
}

#[test]
fn an_altered_condition_is_rejected() {
    let cgroup = CgroupMatch { level: 3, id: 0x0102_0304_0506_0708, negated: false };
    let level = [8, 0, 3, 0, 0, 0, 0, 3];
    let key = |key| [8, 0, 1, 0, 0, 0, 0, key];
    let register = |number| [8, 0, 2, 0, 0, 0, 0, number];
    let compared = |value| [5, 0, 1, 0, value, 0, 0, 0];
    let nearly: [(NftMatch, &[u8], &[u8]); 8] = [
        // `socket mark`, a level of 259, and another register.
        (NftMatch::Cgroup(cgroup), &key(3), &key(1)),
        (NftMatch::Cgroup(cgroup), &level, &[8, 0, 3, 0, 0, 0, 1, 3]),
        (NftMatch::Cgroup(cgroup), &register(1), &register(2)),
        // `socket mark 1`, and a number that is neither true nor false.
        (NftMatch::SocketWildcard(true), &key(2), &key(1)),
        (NftMatch::SocketWildcard(true), &compared(1), &compared(2)),
        (NftMatch::SocketTransparent(true), &compared(1), &compared(2)),
        // `meta iifkind "bond"`, and `== invalid,established,related`.
        (NftMatch::InBridge, b"bridge", b"bond\0\0"),
        (NftMatch::CtStateEstablished, &6u32.to_ne_bytes(), &7u32.to_ne_bytes()),
    ];
    for (condition, from, to) in nearly {
        let rule = guarding(condition.clone());
        assert!(is_known(&rule, Family::Inet), "{condition}");
        assert!(!is_known(&altered(&rule, from, to), Family::Inet), "{condition}");
    }
}

#[test]
fn an_altered_update_is_rejected() {
    let update = SetUpdate {
        set: "seen".into(),
        key: UpdateKey::Port(Protocol::Tcp),
        timeout: const { NonZeroU32::new(3600).unwrap() },
    };
    let update = NftStatement::UpdateSet(update);
    let rule = NftRule::new([NftMatch::Protocol(Protocol::Tcp)], update.clone());
    let bytes = message(&rule.into());
    assert!(is_known(&bytes, Family::Inet));
    let without = message(&NftRule::new([], update).into());
    assert!(!is_known(&without, Family::Inet), "the port of no protocol");
    let milliseconds = 3_600_000u32.to_be_bytes();
    let altered = |from: &[u8], to: &[u8]| is_known(&altered(&bytes, from, to), Family::Inet);
    assert!(!altered(&milliseconds, &3_600_500u32.to_be_bytes()), "half a second more");
    assert!(!altered(&milliseconds, &[0; 4]), "no time at all");
    assert!(!altered(&[8, 0, 3, 0, 0, 0, 0, 1], &[8, 0, 3, 0, 0, 0, 0, 0]), "add");
    assert!(!altered(&loading(2), &loading(4)), "more than the port");
}

#[test]
fn an_altered_record_is_rejected() {
    for (key, register) in [
        (UpdateKey::OriginalSource(IpVersion::V4), 10),
        (UpdateKey::OriginalSource(IpVersion::V6), 13),
        (UpdateKey::OriginalPort, 9),
    ] {
        let timeout = const { NonZeroU32::new(86_400).unwrap() };
        let record = NftStatement::UpdateSet(SetUpdate { set: "seen".into(), key, timeout });
        let rule = NftRule::new([NftMatch::Protocol(Protocol::Tcp)], record.clone());
        let bytes = message(&rule.into());
        assert!(is_known(&bytes, Family::Inet), "{key}");
        let without = message(&NftRule::new([], record).into());
        assert!(!is_known(&without, Family::Inet), "{key}: nft reads no port of no protocol");
        let altered = |from: &[u8], to: &[u8]| is_known(&altered(&bytes, from, to), Family::Inet);
        // `NFTA_CT_KEY` and `NFTA_CT_DREG` of the port.
        let port =
            |key, register| [[8, 0, 2, 0, 0, 0, 0, key], [8, 0, 1, 0, 0, 0, 0, register]].concat();
        assert!(!altered(&port(12, register), &port(12, 14)), "{key}: into another register");
        assert!(!altered(&port(12, register), &port(11, register)), "{key}: the source port");
        let update = [8, 0, 3, 0, 0, 0, 0, 1];
        assert!(!altered(&update, &[8, 0, 3, 0, 0, 0, 0, 2]), "{key}: delete");
    }
}

#[test]
fn an_altered_log_is_rejected() {
    let log = |target| {
        let prefix = "dwnl refused: ".into();
        message(&NftRule::new([], NftStatement::Log { target, prefix }).into())
    };
    let bytes = log(LogTarget::Kernel);
    assert!(is_known(&bytes, Family::Inet) && is_known(&log(LogTarget::Nflog(5)), Family::Inet));
    let altered = |from: &[u8], to: &[u8]| is_known(&altered(&bytes, from, to), Family::Inet);
    let attribute = |number, value| [8, 0, number, 0, 0, 0, 0, value];
    assert!(!altered(&attribute(3, 20), &attribute(3, 21)), "another burst");
    assert!(!altered(&attribute(4, 0), &attribute(4, 1)), "bytes in place of packets");
    assert!(!altered(&attribute(5, 0), &attribute(5, 1)), "only what is above the rate");
    assert!(!altered(&attribute(5, 6), &attribute(5, 4)), "another level");
    assert!(!altered(&attribute(5, 6), &attribute(6, 1)), "with flags");
}

#[test]
fn an_address_that_is_not_loaded_completely_is_rejected() {
    let part = NftMatch::SourceShard(IpVersion::V4, Shard { mask: 3, value: 1 });
    let ends = ["10.0.0.1", "10.0.0.9"].map(|end| end.parse().expect("an address"));
    let range = AddressSpec::range(ends[0], ends[1]).expect("a range");
    let range = NftMatch::Destination(range);
    for matches in [&[][..], &[part], &[range]] {
        let rule = native((443, 443), matches);
        assert!(is_known(&rule, Family::Inet));
        let shorter = altered(&rule, &loading(4), &loading(3));
        assert!(!is_known(&shorter, Family::Inet), "{matches:?}");
    }
}

#[test]
fn a_range_of_one_element_is_rejected() {
    let ports = native((0x1f40, 0x1f41), &[]);
    assert!(is_known(&ports, Family::Inet));
    assert!(!is_known(&altered(&ports, &[0x1f, 0x41], &[0x1f, 0x40]), Family::Inet));

    let ends = ["10.0.0.1", "10.0.0.9"].map(|end| end.parse().expect("an address"));
    let range = AddressSpec::range(ends[0], ends[1]).expect("a range");
    let range = NftMatch::Destination(range);
    let addresses = native((443, 443), &[range]);
    assert!(is_known(&addresses, Family::Inet));
    assert!(!is_known(&altered(&addresses, &[10, 0, 0, 9], &[10, 0, 0, 1]), Family::Inet));
}

/// Appends an expression with the attributes that `fill` appends.
fn put_expression(list: &mut Vec<u8>, name: &[u8], fill: impl FnOnce(&mut Vec<u8>)) {
    put_nested(list, uapi::LIST_ELEMENT, |element| {
        put(element, uapi::expression::NAME, name);
        put_nested(element, uapi::expression::DATA, fill);
    });
}

/// `-s 10.16.0.0/12 -j RETURN` with these lengths of address, mask and flipped bits.
fn masked(address: usize, mask: usize, flipped: usize) -> Vec<u8> {
    let number = |data: &mut Vec<u8>, attribute, value: u32| {
        put(data, attribute, &value.to_be_bytes());
    };
    let value = |data: &mut Vec<u8>, attribute, bytes: &[u8]| {
        put_nested(data, attribute, |data| put(data, uapi::data::VALUE, bytes));
    };
    let mut rule = Vec::new();
    put(&mut rule, uapi::rule::TABLE, b"nat\0");
    put(&mut rule, uapi::rule::CHAIN, b"DOCKER-BLOCK\0");
    put_nested(&mut rule, uapi::rule::EXPRESSIONS, |list| {
        put_expression(list, b"payload\0", |data| {
            number(data, uapi::payload::DESTINATION, 1);
            number(data, uapi::payload::BASE, 1);
            number(data, uapi::payload::OFFSET, 12);
            number(data, uapi::payload::LENGTH, address as u32);
        });
        put_expression(list, b"bitwise\0", |data| {
            number(data, uapi::bitwise::SOURCE, 1);
            number(data, uapi::bitwise::DESTINATION, 1);
            value(data, uapi::bitwise::MASK, &[0xff, 0xf0, 0, 0][..mask]);
            value(data, uapi::bitwise::XOR, &[0; 4][..flipped]);
        });
        put_expression(list, b"cmp\0", |data| {
            number(data, uapi::cmp::SOURCE, 1);
            number(data, uapi::cmp::OPERATION, 0);
            value(data, uapi::cmp::DATA, &[10, 16, 0, 0][..address]);
        });
        put_expression(list, b"counter\0", |data| {
            put(data, uapi::counter::PACKETS, &[0; 8]);
            put(data, uapi::counter::BYTES, &[0; 8]);
        });
        put_expression(list, b"immediate\0", |data| {
            number(data, uapi::immediate::DESTINATION, 0);
            put_nested(data, uapi::immediate::DATA, |data| {
                put_nested(data, uapi::data::VERDICT, |verdict| {
                    number(verdict, uapi::verdict::CODE, (-5i32).cast_unsigned());
                });
            });
        });
    });
    rule
}

#[test]
fn a_mask_is_as_long_as_an_address() {
    assert!(is_known(&masked(4, 4, 4), Family::Ip));
    for (address, mask, flipped) in [(3, 3, 3), (4, 4, 2)] {
        assert!(!is_known(&masked(address, mask, flipped), Family::Ip));
    }
}

/// The attributes of a NEWSETELEM with one element.
fn element(key: &[u8], flags: Option<u32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_nested(&mut bytes, uapi::element_list::ELEMENTS, |list| {
        put_nested(list, uapi::LIST_ELEMENT, |element| {
            if !key.is_empty() {
                put_nested(element, uapi::element::KEY, |data| {
                    put(data, uapi::data::VALUE, key);
                });
            }
            if let Some(flags) = flags {
                put(element, uapi::element::FLAGS, &flags.to_be_bytes());
            }
        });
    });
    bytes
}

/// The set that has these elements, one a message.
fn set_of(elements: &[Vec<u8>], kind: SetKind) -> Option<Vec<Interval>> {
    let mut dumped = DumpedElements::default();
    for element in elements {
        dumped.read(Attributes::new(element))?;
    }
    dumped.into_intervals(kind)
}

#[test]
fn elements_of_another_form_are_rejected() {
    let host = [10, 0, 0, 1];
    let is_known_element = |element, kind| set_of(&[element], kind).is_some();
    assert!(is_known_element(element(&host, None), IPV4_HOSTS));
    assert!(is_known_element(element(&host, Some(1)), IPV4_INTERVALS));
    assert!(
        !is_known_element(element(&host, Some(1)), IPV4_HOSTS),
        "an end where there are no intervals"
    );
    assert!(!is_known_element(element(&[], Some(2)), IPV4_INTERVALS), "the catch-all");
    assert!(!is_known_element(element(&[1; 16], None), IPV4_HOSTS), "an IPv6 address");
}

#[test]
fn a_duplicate_key_counts_once() {
    let elements = [7, 5, 7].map(|last| element(&[0, 0, 0, last], None));
    let host = |number| Interval { first: number, last: number };
    assert_eq!(set_of(&elements, IPV4_HOSTS), Some(vec![host(5), host(7)]));
    let end = Interval { first: 7, last: u128::from(u32::MAX) };
    let intervals = vec![Interval { first: 5, last: 6 }, end];
    assert_eq!(set_of(&elements, IPV4_INTERVALS), Some(intervals));
}

/// The attributes of the NEWSET of a dynamic set, with these behind them.
fn dynamic_set(more: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let table = TablePath { family: Family::Inet, table: "dwnl".into() };
    let mut batch = Batch::new(1);
    batch.add_set(&SetPath { table, set: "docker-tcp".into() }, SetKind::DynamicPorts);
    let mut set = batch.finalize().message(BEGIN_SEQUENCE + 1).expect("the message")[20..].to_vec();
    more(&mut set);
    set
}

#[test]
fn a_dynamic_set_of_another_form_is_rejected() {
    let kind = |bytes: &[u8]| decode_set(Attributes::new(bytes)).expect("a set").1.kind;
    let set = dynamic_set(|_| {});
    assert_eq!(kind(&set), Some(SetKind::DynamicPorts));
    let with_time = dynamic_set(|set| put(set, uapi::set::TIMEOUT, &60_000u64.to_be_bytes()));
    assert_eq!(kind(&with_time), None, "a time for all elements");
    let counting = dynamic_set(|set| put_nested(set, uapi::set::EXPRESSION, |_| {}));
    assert_eq!(kind(&counting), None, "a counter for each element");
    let attribute = |number, value: u8| [8, 0, number, 0, 0, 0, 0, value];
    let altered = |from: [u8; 8], to: [u8; 8]| kind(&altered(&set, &from, &to));
    assert_eq!(altered(attribute(3, 0x30), attribute(3, 0x20)), None, "without times");
    assert_eq!(altered(attribute(5, 2), attribute(5, 4)), None, "of four bytes");
    assert_eq!(altered(attribute(4, 13), attribute(4, 7)), None, "of addresses");
}

/// `add @open { ct original ip6 saddr & ffff:… ct count 3 } update @web { … limit rate 3/hour … }`
fn limited() -> Rule {
    let rate = Rate::new(3, RateUnit::Hour, None).expect("a rate");
    let connections = ConnectionLimit {
        set: "open".into(),
        version: IpVersion::V6,
        count: const { NonZeroU32::new(3).expect("a number") },
    };
    let key = UpdateKey::SourceNetwork(IpVersion::V6);
    let rate = Some(RateLimit { rate, set: "web".into(), key });
    let limits = FlowLimits { connections: Some(connections), rate };
    NftRule::new([], NftStatement::AcceptWithin(limits)).into()
}

#[test]
fn limits_of_another_form_are_rejected() {
    let rule = message(&limited());
    assert!(is_known(&rule, Family::Inet));
    let attribute =
        |number: u8, value: u32| [&[8, 0, number, 0][..], &value.to_be_bytes()].concat();
    let long = |number: u8, value: u64| [&[12, 0, number, 0][..], &value.to_be_bytes()].concat();
    let changed = |from: &[u8], to: &[u8]| is_known(&altered(&rule, from, to), Family::Inet);
    assert!(!changed(&[0xff; 8], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]), "/63");
    assert!(!changed(&long(6, 3_600_000), &long(6, 1_800_000)), "forgotten before it is full");
    assert!(!changed(&long(2, 3600), &long(2, 7200)), "in two hours");
    assert!(!changed(&attribute(3, 3), &attribute(3, 0)), "no burst");
    assert!(!changed(&attribute(1, 3), &attribute(1, 0)), "no connections");
    let label = (1u64 << ADMITTED_LABEL).to_ne_bytes();
    assert!(!changed(&label, &(1u64 << 14).to_ne_bytes()), "another label");
    assert!(!changed(b"connlimit\0", b"connlimix\0"));
    assert!(!changed(&attribute(3, 0), &attribute(3, 1)), "update");
}

#[test]
fn a_set_of_open_flows_has_no_timeout() {
    let table = TablePath { family: Family::Inet, table: "dwnl".into() };
    let kind = SetKind::ConnectedSources { version: IpVersion::V4 };
    let mut batch = Batch::new(1);
    batch.add_set(&SetPath { table, set: "open".into() }, kind);
    let set = batch.finalize().message(BEGIN_SEQUENCE + 1).expect("the message")[20..].to_vec();
    let read = |bytes: &[u8]| decode_set(Attributes::new(bytes)).expect("a set").1.kind;
    assert_eq!(read(&set), Some(kind));
    let flags = |flags: u8| [8, 0, 3, 0, 0, 0, 0, flags];
    let limited = SetKind::LimitedSources { version: IpVersion::V4 };
    assert_eq!(read(&altered(&set, &flags(0x20), &flags(0x30))), Some(limited));
    assert_eq!(
        read(&altered(&set, &flags(0x20), &flags(0))),
        Some(SetKind::Hosts { version: IpVersion::V4, capacity: SetKind::LIMITED_SOURCES })
    );
}
