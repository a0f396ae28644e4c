//! Batches and dumps. `bytes` compares with iptables, `round_trip` reads what was written, and
//! `near_misses` reads what is almost of dwnl's form.

mod bytes;
mod near_misses;
mod policies;
mod round_trip;
mod strategies;

use super::attribute::Attributes;
use super::message::Messages;
use super::*;
use crate::model::{
    BaseChain, ChainPath, Family, InstalledRule, Interface, Interval, IpVersion, IptablesRule,
    Match, PortTarget, Position, Rule, RuleContent, SetKind, SetPath, TablePath, Verdict,
};

/// Behind `struct nfgenmsg`.
const ATTRIBUTES: usize = 4;

fn path(family: Family, chain: &str) -> ChainPath {
    ChainPath { table: TablePath { family, table: "nat".into() }, chain: chain.into() }
}

/// A rule of iptables without header conditions.
fn iptables<const N: usize>(matches: [Match; N], verdict: Verdict) -> Rule {
    IptablesRule { matches: matches.into(), ..IptablesRule::new(verdict) }.into()
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

fn set_path() -> SetPath {
    let table = TablePath { family: Family::Inet, table: "dwnl".into() };
    SetPath { table, set: "cdn".into() }
}

#[test]
fn a_batch_begins_with_the_generation_and_counts_its_messages() {
    let path = path(Family::Ip6, "PREROUTING");
    let mut batch = Batch::new(0x01020304);
    batch.add_table(&path.table);
    batch.begin_change(7);
    batch.add_chain(&path, Some(BaseChain::NAT_PREROUTING));
    batch.add_rule(&path, Position::Before(5), &iptables([], Verdict::Return));
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
    let rule = Rule::from(IptablesRule {
        source: Some("192.0.2.0/24".parse().expect("a network")),
        matches: [Match::CtStateNew].into(),
        ..IptablesRule::new(Verdict::Jump("DOCKER".into()))
    });
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
fn a_huge_rule_fits_into_the_buffer() {
    let long = "x".repeat(100_000);
    let interface = Interface::named(long.as_str().into());
    let comments = vec![Match::Comment(long.as_str().into()); 1000];
    let rule = Rule::from(IptablesRule {
        in_interface: Some(interface),
        matches: comments.into(),
        ..IptablesRule::new(Verdict::Jump(long.as_str().into()))
    });
    let payload = encoded(&path(Family::Ip, &long), &rule);
    let list = Attributes::new(&payload[ATTRIBUTES..]).find(uapi::rule::EXPRESSIONS);
    let count = list.expect("the expressions").nested().count();
    assert_eq!(count, 2 + 129 + 2, "the interface, too many matches, counter and verdict");
}

#[test]
fn many_elements_are_divided_among_messages() {
    let kind = SetKind::Hosts { version: IpVersion::V6, capacity: 1 << 15 };
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
