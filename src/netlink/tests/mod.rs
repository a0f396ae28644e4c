//! The bytes of iptables 1.8.7 as the oracle, and `decode(encode(r)) == r`.

mod near_misses;
mod policies;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use ipnetwork::IpNetwork;
use proptest::prelude::*;

use super::attribute::Attributes;
use super::message::Messages;
use super::*;
use crate::model::{
    AddressRange, AddressSpec, BaseChain, CgroupMatch, ChainPath, Direction, Endpoint, Family,
    InstalledRule, Interface, Interval, Match, NftMatch, NftStatement, Ports, Position, Protocol,
    Rule, RuleContent, SetKind, SetPath, SetUpdate, Shard, TablePath, Verdict,
};

/// What iptables 1.8.7 sends: the command, the line that `iptables-save` prints, and the payload
/// of its NEWRULE behind `struct nlmsghdr`, in hexadecimal.
const VECTORS: &str = include_str!("../../../tests/golden/wire-vectors.jsonl");

/// Behind `struct nfgenmsg`.
const ATTRIBUTES: usize = 4;

struct Vector {
    saved: String,
    chain: String,
    payload: Vec<u8>,
}

fn vectors() -> Vec<Vector> {
    let parse = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = |key: &str| value[key].as_str().expect("text").to_owned();
        let hex = text("payload");
        let bytes = (0..hex.len()).step_by(2);
        let payload = bytes.map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex")).collect();
        let saved = text("saved");
        let chain = saved.split(' ').nth(1).expect("a chain").to_owned();
        Vector { saved, chain, payload }
    };
    // A mask with holes is what iptables 1.8.7 itself gets wrong: it sends a prefix.
    VECTORS.lines().map(parse).filter(|vector| !vector.saved.contains("/255.0.255.0")).collect()
}

fn path(family: Family, chain: &str) -> ChainPath {
    ChainPath { table: TablePath { family, table: "nat".into() }, chain: chain.into() }
}

/// The payload of the NEWRULE that dwnl sends to append the rule.
fn encoded(path: &ChainPath, rule: &Rule) -> Vec<u8> {
    let mut batch = Batch::new(1);
    batch.add_rule(path, Position::Append, rule);
    let batch = batch.finalize();
    batch.message(BEGIN_SEQUENCE + 1).expect("the message")[16..].to_vec()
}

/// The attributes that only a dump has are put before those that were sent.
fn decoded(payload: &[u8], family: Family) -> InstalledRule {
    let mut attributes = Vec::new();
    attribute::put(&mut attributes, uapi::rule::HANDLE, &9u64.to_be_bytes());
    attributes.extend_from_slice(&payload[ATTRIBUTES..]);
    let (table, _, rule) = decode_rule(Attributes::new(&attributes), family).expect("a rule");
    assert_eq!((table.as_ref(), rule.handle), ("nat", 9));
    rule
}

#[test]
fn the_bytes_are_those_of_iptables() {
    let mut known = BTreeSet::new();
    for vector in vectors() {
        let RuleContent::Known(rule) = decoded(&vector.payload, Family::Ip).content else {
            continue;
        };
        let line = format!("-A {} {rule}", vector.chain);
        assert_eq!(line, vector.saved);
        let ours = encoded(&path(Family::Ip, &vector.chain), &rule);
        assert_eq!(ours, vector.payload, "{line}");
        known.insert(vector.saved);
    }
    for line in [
        "-A DOCKER-BLOCK -p tcp -m tcp --dport 80 -j RETURN",
        "-A DOCKER-BLOCK -p tcp -m tcp --dport 80:90 -j RETURN",
        "-A DOCKER-BLOCK -p udp -m udp --dport 53 -j RETURN",
        "-A DOCKER-BLOCK -p sctp -m sctp --dport 80 -j RETURN",
        "-A DOCKER-BLOCK -p sctp -m sctp --dport 80:90 -j RETURN",
        "-A DOCKER-BLOCK -s 192.0.2.1/32 -d 10.0.0.1/32 -j RETURN",
        "-A DOCKER-BLOCK -s 192.0.2.0/24 -j RETURN",
        "-A DOCKER-BLOCK -s 10.0.0.0/12 -j RETURN",
        "-A DOCKER-BLOCK -s 0.0.0.0/1 -j RETURN",
        "-A DOCKER-BLOCK -d 10.0.0.0/20 -j RETURN",
        "-A DOCKER-BLOCK -i eth0 -j RETURN",
        "-A DOCKER-BLOCK ! -i eth0 -j RETURN",
        "-A DOCKER-BLOCK -i eth+ -j RETURN",
        "-A DOCKER-BLOCK ! -i eth+ -j RETURN",
        "-A DOCKER-BLOCK -i abcdefghijklmno -j RETURN",
        "-A DOCKER-BLOCK -i abcdefghijklmn+ -j RETURN",
        "-A DOCKER-BLOCK -s 10.1.2.3/32 -d 10.0.0.0/8 -i eth0 -p tcp -m tcp --dport 80 -j RETURN",
        "-A DOCKER-BLOCK -m iprange --src-range 10.0.0.1-10.0.0.9 -j RETURN",
        "-A DOCKER-BLOCK -m comment --comment hello -j RETURN",
        "-A DOCKER-BLOCK -m comment --comment \"hello world\" -j RETURN",
        "-A DOCKER-BLOCK -p tcp -m tcp --dport 80 -m comment --comment cc -j RETURN",
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-BLOCK",
        "-A DOCKER-BLOCK -m addrtype --dst-type LOCAL -j RETURN",
        "-A DOCKER-BLOCK -j ACCEPT",
        "-A DOCKER-BLOCK -j OTHER",
        "-A DOCKER-BLOCK -g OTHER",
    ] {
        assert!(known.contains(line), "not known: {line}");
    }
}

#[test]
fn a_rule_of_another_form_is_foreign() {
    for vector in vectors().into_iter().filter(|vector| vector.saved.contains("-m limit")) {
        let content = decoded(&vector.payload, Family::Ip).content;
        assert!(content.to_string().contains("[limit]"), "{content}");
    }
}

/// `--ctstate NEW` alone stands in no vector. The one with ESTABLISHED differs in one byte of
/// the blob (`conntrack` revision 3, states at offset 150).
#[test]
fn the_state_new_is_as_iptables_writes_it() {
    let line = "-A DOCKER-BLOCK -m conntrack --ctstate NEW,ESTABLISHED -j RETURN";
    let vector = vectors().into_iter().find(|vector| vector.saved == line).expect("the vector");
    let rule = Rule { matches: [Match::CtStateNew].into(), ..Rule::new(Verdict::Return) };
    let ours = encoded(&path(Family::Ip, "DOCKER-BLOCK"), &rule);
    let differing: Vec<(u8, u8)> =
        ours.iter().zip(&vector.payload).filter(|(a, b)| a != b).map(|(a, b)| (*a, *b)).collect();
    assert_eq!(ours.len(), vector.payload.len());
    assert_eq!(differing, [(8, 10)]);
}

/// `--set-xmark 0x2000/0x2000` and `0x0/0x2000` stand in no vector. Another mark and mask differ in
/// these words of the blob alone (`CONNMARK` revision 2, mark at offset 0, mask at 4).
#[test]
fn the_mark_is_set_and_cleared_as_iptables_writes_it() {
    let line = "-A DOCKER-BLOCK -j CONNMARK --set-xmark 0x1/0xff";
    let vector = vectors().into_iter().find(|vector| vector.saved == line).expect("the vector");
    let words = |value: u32, mask: u32| [value.to_ne_bytes(), mask.to_ne_bytes()].concat();
    let written = words(1, 0xff);
    let offset = vector.payload.windows(8).position(|window| window == written).expect("the mark");
    for (set, value) in [(true, 0x2000), (false, 0)] {
        let rule = Rule::new(Verdict::Connmark { bits: 0x2000, set });
        let mut expected = vector.payload.clone();
        expected[offset..offset + 8].copy_from_slice(&words(value, 0x2000));
        assert_eq!(encoded(&path(Family::Ip, "DOCKER-BLOCK"), &rule), expected);
        assert_eq!(decoded(&expected, Family::Ip).content, RuleContent::Known(rule));
    }
    assert!(matches!(decoded(&vector.payload, Family::Ip).content, RuleContent::Foreign { .. }));
}

#[test]
fn a_batch_begins_with_the_generation_and_counts_its_messages() {
    let path = path(Family::Ip6, "PREROUTING");
    let mut batch = Batch::new(0x01020304);
    batch.add_table(&path.table);
    batch.begin_change(7);
    batch.add_chain(&path, Some(BaseChain::NAT_PREROUTING));
    batch.add_rule(&path, Position::Before(5), &Rule::new(Verdict::Return));
    batch.delete_rule(&path, 6);
    batch.flush_chain(&path);
    batch.delete_chain(&path);
    let batch = batch.finalize();
    let messages: Vec<_> = Messages::new(batch.bytes()).collect();
    let sequences: Vec<u32> = messages.iter().map(|message| message.sequence).collect();
    assert_eq!(sequences, (BEGIN_SEQUENCE..BEGIN_SEQUENCE + 8).collect::<Vec<_>>());
    let flags: Vec<u16> = messages.iter().map(|message| message.flags).collect();
    // REQUEST; CREATE; NONREC for the chain.
    assert_eq!(flags, [1, 0x401, 0x401, 0x401, 1, 1, 0x101, 1]);
    let generation = messages[0].attributes().find(1).and_then(|generation| generation.be_u32());
    assert_eq!(generation, Some(0x01020304));
    assert_eq!(batch.change_of(BEGIN_SEQUENCE), None);
    assert_eq!(batch.change_of(BEGIN_SEQUENCE + 3), Some(7));
    assert_eq!(batch.change_of(BEGIN_SEQUENCE + 7), None);
}

#[test]
fn an_offset_leads_to_the_attribute_in_words() {
    let rule = Rule {
        source: Some("192.0.2.0/24".parse().expect("a network")),
        matches: [Match::CtStateNew].into(),
        ..Rule::new(Verdict::Jump("DOCKER".into()))
    };
    let mut batch = Batch::new(1);
    batch.add_rule(&path(Family::Ip, "DOCKER-BLOCK"), Position::Append, &rule);
    let batch = batch.finalize();
    let message = batch.message(BEGIN_SEQUENCE + 1).expect("the message");
    let find = |needle: &[u8]| {
        let position = message.windows(needle.len()).position(|window| window == needle);
        position.expect("the bytes") as u32
    };
    let at = |offset: u32| describe_offset(message, offset).expect("words");
    assert_eq!(at(find(b"nat\0") - 4), "the attribute `table`");
    assert_eq!(at(find(b"DOCKER-BLOCK\0") - 4), "the attribute `chain`");
    assert_eq!(at(find(b"conntrack\0") - 4), "expression 3, match conntrack");
    assert_eq!(at(find(b"DOCKER\0")), "expression 5, [jump DOCKER]");
    assert_eq!(describe_offset(message, 3), None);
}

/// libnftnl copies without looking at lengths; a program that embeds dwnl can build any rule.
#[test]
fn a_rule_out_of_all_proportion_stays_within_the_buffer() {
    let long = "x".repeat(100_000);
    let interface = Interface::named(long.as_str().into());
    let comments = vec![Match::Comment(long.as_str().into()); 1000];
    let rule = Rule {
        in_interface: Some(interface),
        matches: comments.into(),
        ..Rule::new(Verdict::Jump(long.as_str().into()))
    };
    let payload = encoded(&path(Family::Ip, &long), &rule);
    let list = Attributes::new(&payload[ATTRIBUTES..]).find(uapi::rule::EXPRESSIONS);
    let count = list.expect("the expressions").nested().count();
    assert_eq!(count, 2 + 129 + 2, "the interface, too many matches, counter and verdict");
}

fn network(is_ipv4: bool) -> BoxedStrategy<IpNetwork> {
    let new = |address: IpAddr, prefix: u8| {
        let network = IpNetwork::new(address, prefix).expect("a network");
        IpNetwork::new(network.network(), prefix).expect("a network")
    };
    if is_ipv4 {
        (any::<Ipv4Addr>(), 1u8..=32).prop_map(move |(a, prefix)| new(a.into(), prefix)).boxed()
    } else {
        (any::<Ipv6Addr>(), 1u8..=128).prop_map(move |(a, prefix)| new(a.into(), prefix)).boxed()
    }
}

fn range(is_ipv4: bool) -> BoxedStrategy<AddressRange> {
    let new = |a: IpAddr, b: IpAddr| AddressRange::new(a.min(b), a.max(b)).expect("a range");
    if is_ipv4 {
        any::<[Ipv4Addr; 2]>().prop_map(move |[a, b]| new(a.into(), b.into())).boxed()
    } else {
        any::<[Ipv6Addr; 2]>().prop_map(move |[a, b]| new(a.into(), b.into())).boxed()
    }
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop::sample::select(Protocol::ALL.to_vec())
}

fn cgroup() -> impl Strategy<Value = CgroupMatch> {
    (any::<u8>(), any::<u64>(), any::<bool>()).prop_map(|(level, id, negated)| CgroupMatch {
        level,
        id,
        negated,
    })
}

fn ports() -> impl Strategy<Value = Ports> {
    (protocol(), 1u16.., 1u16..).prop_filter_map("a range", |(protocol, a, b)| {
        Ports::new(protocol, a.min(b), a.max(b)).ok()
    })
}

fn interface() -> impl Strategy<Value = Interface> {
    ("[a-z][a-z0-9.-]{0,13}", any::<bool>(), any::<bool>())
        .prop_map(|(name, wildcard, negated)| Interface::unchecked(name.into(), wildcard, negated))
}

fn extension(is_ipv4: bool) -> impl Strategy<Value = Match> {
    prop_oneof![
        Just(Match::CtStateNew),
        Just(Match::DstTypeLocal),
        "[a-zA-Z0-9 äß\"'\\\\-]{1,80}".prop_map(|text| Match::Comment(text.into())),
        (prop::option::of(range(is_ipv4)), prop::option::of(range(is_ipv4)))
            .prop_map(|(source, destination)| Match::Range { source, destination }),
    ]
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Accept),
        Just(Verdict::Return),
        "[A-Z-]{1,28}".prop_map(|chain| Verdict::Jump(chain.into())),
        "[A-Z-]{1,28}".prop_map(|chain| Verdict::Goto(chain.into())),
        (0u32..32, any::<bool>()).prop_map(|(bit, set)| Verdict::Connmark { bits: 1 << bit, set }),
    ]
}

fn addresses(is_ipv4: bool) -> impl Strategy<Value = AddressSpec> {
    let range = range(is_ipv4)
        .prop_filter_map("a range", |it| AddressSpec::range(it.first(), it.last()).ok());
    prop_oneof![network(is_ipv4).prop_filter_map("no host bits", AddressSpec::exact), range]
}

/// The conditions in any order; a part stands before the set that holds it.
fn conditions() -> impl Strategy<Value = Vec<NftMatch>> {
    let direction = || prop::sample::select(vec![Direction::In, Direction::Out]);
    let end = prop::sample::select(vec![Endpoint::Source, Endpoint::Destination]);
    let family = || prop::sample::select(Family::NAT.to_vec());
    let any_addresses = || any::<bool>().prop_flat_map(addresses);
    let part = (1u32..32, 0u32..64).prop_map(|(mask, value)| Shard {
        mask: u128::from(mask),
        value: u128::from(value & mask),
    });
    let condition = prop_oneof![
        Just(NftMatch::CtStateEstablished),
        Just(NftMatch::CtStatusDnat),
        (0u32..32).prop_map(|bit| NftMatch::CtMark(1 << bit)),
        family().prop_map(NftMatch::Family),
        (direction(), interface()).prop_map(|(way, it)| NftMatch::Interface(way, it)),
        direction().prop_map(NftMatch::DockerBridgeName),
        Just(NftMatch::InBridge),
        any_addresses().prop_map(NftMatch::Destination),
        protocol().prop_map(NftMatch::Protocol),
        ports().prop_map(NftMatch::Ports),
        (protocol(), "[a-z]{1,9}").prop_map(|(of, set)| NftMatch::PortSet(of, set.into())),
        cgroup().prop_map(NftMatch::Cgroup),
        any::<bool>().prop_map(NftMatch::SocketWildcard),
        ports().prop_map(NftMatch::CtOriginalPorts),
        (end, any_addresses()).prop_map(|(end, it)| NftMatch::CtOriginalAddress(end, it)),
    ];
    let lookup = (family(), prop::option::of(part), "[a-z]{1,9}-4");
    (prop::collection::vec(condition, 0..4), prop::option::of(lookup)).prop_map(|(mut all, set)| {
        if let Some((family, part, set)) = set {
            // A rule asks for the source once.
            all.retain(|it| !matches!(it, NftMatch::CtOriginalAddress(Endpoint::Source, _)));
            all.extend(part.map(|part| NftMatch::CtOriginalShard(family, part)));
            all.push(NftMatch::CtOriginalSet(family, set.into()));
        }
        all
    })
}

fn conditional_rule() -> impl Strategy<Value = Rule> {
    let statement = prop_oneof![
        Just(NftStatement::Accept),
        Just(NftStatement::Drop),
        "[a-z]{1,9}".prop_map(|chain| NftStatement::Jump(chain.into())),
        "[a-z]{1,9}".prop_map(|chain| NftStatement::Goto(chain.into())),
        any::<u32>().prop_map(NftStatement::ClearCtMark),
        ("[a-z]{1,9}", protocol(), any::<NonZeroU32>()).prop_map(|(set, protocol, timeout)| {
            NftStatement::UpdateSet(SetUpdate { set: set.into(), protocol, timeout })
        }),
    ];
    let comment = prop::option::of("[a-z ]{1,80}");
    (conditions(), comment, statement).prop_map(|(mut conditions, comment, statement)| {
        if let NftStatement::UpdateSet(update) = &statement {
            conditions.push(NftMatch::Protocol(update.protocol));
        }
        let comment = comment.map(|text| Match::Comment(text.into()));
        let matches = conditions.into_iter().map(Match::Native).chain(comment).collect();
        Rule { matches, ..Rule::new(Verdict::Native(statement)) }
    })
}

fn rule(is_ipv4: bool) -> impl Strategy<Value = Rule> {
    let header = (
        prop::option::of(network(is_ipv4)),
        prop::option::of(network(is_ipv4)),
        prop::option::of(interface()),
        prop::option::of(ports()),
    );
    let matches = prop::collection::vec(extension(is_ipv4), 0..4);
    (header, matches, verdict()).prop_map(|(header, mut matches, verdict)| {
        let (source, destination, in_interface, ports) = header;
        if let Some(ports) = ports {
            matches.insert(0, Match::DestinationPorts(ports));
        }
        let protocol = ports.map(|ports| ports.protocol());
        Rule { source, destination, in_interface, protocol, matches: matches.into(), verdict }
    })
}

fn native_rule() -> impl Strategy<Value = Rule> {
    let part = (0u32..6).prop_map(|bits| Shard { mask: (1 << bits) - 1, value: 0 });
    let header = (any::<bool>(), prop::option::of(interface()), ports(), prop::option::of(part));
    let rest = (any::<u32>(), prop::option::of("[a-z ]{1,80}"), 0u8..3);
    (header, rest).prop_flat_map(|((is_ipv4, in_interface, ports, part), (bits, comment, to))| {
        (network(is_ipv4), range(is_ipv4)).prop_map(move |(network, range)| {
            let family = if is_ipv4 { Family::Ip } else { Family::Ip6 };
            let mut matches = vec![Match::DestinationPorts(ports)];
            if to == 1 && range.first() < range.last() {
                matches.push(Match::Range { source: None, destination: Some(range) });
            }
            matches.extend(part.map(|part| Match::SourceShard { family, part }));
            matches.push(Match::SourceSet { family, set: "cdn-4.0".into() });
            matches.push(Match::DstTypeLocal);
            matches.extend(comment.as_deref().map(|text| Match::Comment(text.into())));
            Rule {
                source: None,
                destination: (to == 2).then_some(network),
                in_interface: in_interface.clone(),
                protocol: Some(ports.protocol()),
                matches: matches.into(),
                verdict: Verdict::SetCtMark(bits),
            }
        })
    })
}

fn sorted_intervals(kind: SetKind) -> impl Strategy<Value = Vec<Interval>> {
    let (limit, number) = match kind.family() {
        Some(Family::Ip6) => (u128::MAX, 60),
        Some(_) => (u128::from(u32::MAX), 60),
        None => (0, 1),
    };
    let ends = prop::collection::btree_set(0..=limit, 0..number);
    ends.prop_map(move |ends| {
        let ends: Vec<u128> = ends.into_iter().collect();
        if !kind.is_intervals() {
            return ends.into_iter().map(|end| Interval { first: end, last: end }).collect();
        }
        ends.chunks_exact(2).map(|pair| Interval { first: pair[0], last: pair[1] }).collect()
    })
}

fn set_kind() -> impl Strategy<Value = SetKind> {
    let family = prop::sample::select(Family::NAT.to_vec());
    family.prop_flat_map(|family| {
        let hosts = SetKind::Hosts { family, capacity: 1024 };
        prop::sample::select(vec![hosts, SetKind::Intervals { family }, SetKind::DynamicPorts])
    })
}

fn set_path() -> SetPath {
    let table = TablePath { family: Family::Inet, table: "dwnl".into() };
    SetPath { table, set: "cdn".into() }
}

#[test]
fn many_elements_are_divided_among_messages() {
    let kind = SetKind::Hosts { family: Family::Ip6, capacity: 1 << 15 };
    let host = |number| Interval { first: number, last: number };
    let elements: Vec<Interval> = (0..10_000).map(host).collect();
    let mut batch = Batch::new(1);
    batch.begin_change(3);
    batch.add_elements(&set_path(), kind, &elements);
    let batch = batch.finalize();
    let messages: Vec<_> = Messages::new(batch.bytes()).collect();
    assert_eq!(messages.len(), 7);
    let mut dumped = DumpedElements::default();
    for message in &messages[1..6] {
        dumped.read(message.attributes()).expect("elements");
        assert_eq!(batch.change_of(message.sequence), Some(3));
    }
    assert_eq!(dumped.into_intervals(kind), Some(elements));
}

proptest! {
    #[test]
    fn a_rule_of_conditions_that_is_encoded_is_decoded(rule in conditional_rule()) {
        let payload = encoded(&path(Family::Inet, "forward"), &rule);
        prop_assert_eq!(decoded(&payload, Family::Inet).content, RuleContent::Known(rule));
    }

    #[test]
    fn a_damaged_rule_of_conditions_is_decoded_without_panic(
        rule in conditional_rule(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut payload = encoded(&path(Family::Inet, "forward"), &rule);
        for (index, byte) in damage {
            let position = index.index(payload.len());
            payload[position] = byte;
        }
        let _ = decode_rule(Attributes::new(&payload[ATTRIBUTES..]), Family::Inet);
        let _ = decode_facts(Attributes::new(&payload[ATTRIBUTES..]), Family::Ip);
    }

    #[test]
    fn a_native_rule_that_is_encoded_is_decoded(rule in native_rule()) {
        let payload = encoded(&path(Family::Inet, "allow"), &rule);
        prop_assert_eq!(decoded(&payload, Family::Inet).content, RuleContent::Known(rule));
    }

    #[test]
    fn a_set_that_is_encoded_is_decoded(
        (kind, elements) in set_kind().prop_flat_map(|kind| (Just(kind), sorted_intervals(kind)))
    ) {
        let mut batch = Batch::new(1);
        batch.add_set(&set_path(), kind);
        batch.add_elements(&set_path(), kind, &elements);
        let batch = batch.finalize();
        let messages: Vec<_> = Messages::new(batch.bytes()).collect();
        let (name, installed) = decode_set(messages[1].attributes()).expect("a set");
        prop_assert_eq!((name.as_ref(), installed.kind), ("cdn", Some(kind)));
        let mut dumped = DumpedElements::default();
        for message in &messages[2..messages.len() - 1] {
            dumped.read(message.attributes()).expect("elements");
        }
        prop_assert_eq!(dumped.into_intervals(kind), Some(elements));
    }

    #[test]
    fn any_elements_are_read_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..128),
        keys in prop::collection::vec((any::<u128>(), any::<bool>()), 0..20),
        kind in set_kind(),
    ) {
        let attributes = Attributes::new(&bytes);
        let _ = (decode_set(attributes.clone()), is_anonymous(attributes.clone()));
        let mut dumped = DumpedElements { keys, catch_all: false };
        let _ = (dumped.read(attributes), dumped.into_intervals(kind));
    }

    #[test]
    fn what_is_encoded_is_decoded(
        (is_ipv4, rule) in any::<bool>().prop_flat_map(|v4| (Just(v4), rule(v4)))
    ) {
        let family = if is_ipv4 { Family::Ip } else { Family::Ip6 };
        let payload = encoded(&path(family, "DOCKER-BLOCK"), &rule);
        prop_assert_eq!(decoded(&payload, family).content, RuleContent::Known(rule));
    }

    #[test]
    fn a_damaged_rule_is_decoded_without_panic(
        rule in rule(true),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut payload = encoded(&path(Family::Ip, "DOCKER-BLOCK"), &rule);
        for (index, byte) in damage {
            let position = index.index(payload.len());
            payload[position] = byte;
        }
        let _ = decode_rule(Attributes::new(&payload[ATTRIBUTES..]), Family::Ip);
        let _ = describe_offset(&payload, 70);
    }
}
