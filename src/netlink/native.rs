//! Rules of our own table, which need not be readable by iptables: they look up sets and mark
//! connections. Both directions stand here side by side.

use nftnl::expr::{Bitwise, Cmp, CmpOp, Conntrack, Meta, Payload, TransportHeaderField};

use super::batch::family_number;
use super::condition;
use super::decode::{EQUAL, NETWORK_HEADER, Reader};
use super::encode::{
    AddressFields, add_interface, add_network, add_payload, add_protocol, capped_matches, octets,
    to_c_string,
};
use super::expression::{Counter, Expression, FibDaddrType, Lookup};
use crate::model::{AddressRange, Family, Match, Ports, Protocol, Rule, Shard, Verdict};

/// `RTN_LOCAL`, in the host's byte order as the kernel loads it.
const LOCAL: u32 = 2;
/// `NFT_META_NFPROTO`.
pub(super) const META_FAMILY: u32 = 15;
/// `NFT_CT_MARK`.
pub(super) const CT_MARK: u32 = 3;
/// `NFT_PAYLOAD_TRANSPORT_HEADER`, and where the destination port stands in it.
const TRANSPORT_HEADER: u32 = 2;
const DESTINATION_PORT: u32 = 2;
/// The loading of that port.
pub(super) const PORT: Expression =
    Expression::Payload { base: TRANSPORT_HEADER, offset: DESTINATION_PORT, length: 2 };
/// `NFT_CMP_LTE` and `NFT_CMP_GTE`.
pub(super) const AT_MOST: u32 = 3;
pub(super) const AT_LEAST: u32 = 5;

/// Appends the expressions of a native rule, what is cheap to look at first:
/// `iifname INTERFACE meta nfproto FAMILY ip daddr DESTINATION tcp dport PORTS ip saddr @SET
/// fib daddr type local counter ct mark set ct mark | MARK`
pub fn add_expressions(nft: &mut nftnl::Rule, rule: &Rule, counter: Counter) {
    if let Some(interface) = &rule.in_interface {
        add_interface(nft, interface);
    }
    let family = family_of(rule);
    if let Some(family) = family {
        add_family(nft, family);
    }
    if let Some(destination) = &rule.destination {
        add_network(nft, destination, AddressFields::new(destination.is_ipv4()).destination);
    }
    if let Some(protocol) = rule.protocol {
        add_protocol(nft, protocol);
    }
    for condition in capped_matches(rule) {
        add_condition(nft, condition);
    }
    nft.add_expr(&counter);
    match &rule.verdict {
        Verdict::SetCtMark(bits) => {
            nft.add_expr(&Conntrack::Mark { set: false });
            nft.add_expr(&Bitwise::new(!bits, *bits));
            nft.add_expr(&Conntrack::Mark { set: true });
        }
        Verdict::Native(statement) => condition::add_statement(nft, statement),
        _ => {}
    }
}

fn add_condition(nft: &mut nftnl::Rule, condition: &Match) {
    match condition {
        Match::DestinationPorts(ports) => add_ports(nft, ports),
        Match::Range { destination: Some(range), .. } => add_destination_range(nft, range),
        Match::SourceShard { family, part } => add_part(nft, *family, *part),
        Match::SourceSet { family, set } => {
            let is_ipv4 = *family != Family::Ip6;
            let fields = AddressFields::new(is_ipv4);
            add_payload(nft, fields.source, fields.length);
            nft.add_expr(&Lookup(to_c_string(set)));
        }
        Match::DstTypeLocal => {
            nft.add_expr(&FibDaddrType);
            nft.add_expr(&Cmp::new(CmpOp::Eq, LOCAL));
        }
        Match::Native(condition) => condition::add(nft, condition),
        // A comment goes to the rule's user data; the others are of iptables' rules.
        _ => {}
    }
}

/// `ip saddr & 0.0.0.7 == 0.0.0.3`
fn add_part(nft: &mut nftnl::Rule, family: Family, part: Shard) {
    let fields = AddressFields::new(family != Family::Ip6);
    add_payload(nft, fields.source, fields.length);
    add_part_of(nft, part, fields.length);
}

/// `& 0.0.0.7 == 0.0.0.3`, behind the loading of an address of so many bytes.
pub(super) fn add_part_of(nft: &mut nftnl::Rule, part: Shard, length: usize) {
    let bytes = |bits: u128| bits.to_be_bytes()[16 - length..].to_vec();
    nft.add_expr(&Bitwise::new(bytes(part.mask).as_slice(), bytes(0).as_slice()));
    nft.add_expr(&Cmp::new(CmpOp::Eq, bytes(part.value).as_slice()));
}

/// `meta nfproto ipv4`
pub(super) fn add_family(nft: &mut nftnl::Rule, family: Family) {
    nft.add_expr(&Meta::NfProto);
    nft.add_expr(&Cmp::new(CmpOp::Eq, family_number(family)));
}

/// `tcp dport 443`, `tcp dport 8000-8100`
pub(super) fn add_ports(nft: &mut nftnl::Rule, ports: &Ports) {
    load_port(nft);
    add_port_numbers(nft, ports);
}

/// `tcp dport`, behind the protocol.
pub(super) fn load_port(nft: &mut nftnl::Rule) {
    let field = TransportHeaderField::Raw { offset_bits: DESTINATION_PORT, length_bits: 2 };
    nft.add_expr(&Payload::Transport(field));
}

/// `443`, `8000-8100`, behind the loading of a port.
pub(super) fn add_port_numbers(nft: &mut nftnl::Rule, ports: &Ports) {
    add_between(nft, &ports.first().to_be_bytes(), &ports.last().to_be_bytes());
}

/// `ip daddr A-B`
pub(super) fn add_destination_range(nft: &mut nftnl::Rule, range: &AddressRange) {
    let (first, last) = (octets(range.first()), octets(range.last()));
    let offset = AddressFields::new(range.first().is_ipv4()).destination;
    add_payload(nft, offset, first.len());
    add_between(nft, &first, &last);
}

pub(super) fn add_between(nft: &mut nftnl::Rule, first: &[u8], last: &[u8]) {
    if first == last {
        nft.add_expr(&Cmp::new(CmpOp::Eq, first));
    } else {
        nft.add_expr(&Cmp::new(CmpOp::Gte, first));
        nft.add_expr(&Cmp::new(CmpOp::Lte, last));
    }
}

/// `== A`, or `>= A` and `<= B`, as [`add_between`] writes it, and what stands behind.
pub(super) fn read_between<'a>(
    expressions: &'a [Expression<'a>],
) -> Option<(&'a [u8], &'a [u8], &'a [Expression<'a>])> {
    match expressions {
        [Expression::Compare { operation: EQUAL, data }, rest @ ..] => Some((data, data, rest)),
        [
            Expression::Compare { operation: AT_LEAST, data: first },
            Expression::Compare { operation: AT_MOST, data: last },
            rest @ ..,
        ] if first != last => Some((first, last, rest)),
        _ => None,
    }
}

/// Two bytes in the network's order as a port.
pub(super) fn read_port(data: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(data.try_into().ok()?))
}

/// The family of the number (`NFPROTO_*`), IPv4 or IPv6.
pub(super) fn numbered_family(number: u8) -> Option<Family> {
    Family::NAT.into_iter().find(|family| family_number(*family) == number)
}

pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Bytes in the network's order as a number.
pub(super) fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn family_of(rule: &Rule) -> Option<Family> {
    rule.matches.iter().find_map(|condition| match condition {
        Match::SourceSet { family, .. } => Some(*family),
        _ => None,
    })
}

impl Reader<'_> {
    /// The native rule, if every expression is part of it and they stand in our order.
    pub(super) fn native_rule(mut self, comment: Option<&str>) -> Option<Rule> {
        let in_interface = self.interface();
        let family = self.family()?;
        self.set_family(family);
        let fields = AddressFields::new(family == Family::Ip);
        let destination = self.network(fields.destination);
        let protocol = self.protocol()?;
        let mut matches = vec![Match::DestinationPorts(self.ports(protocol)?)];
        let range = self.destination_range(fields.destination, fields.length);
        if range.is_some() {
            matches.push(Match::Range { source: None, destination: range });
        }
        matches.extend(self.part(&fields).map(|part| Match::SourceShard { family, part }));
        matches.push(Match::SourceSet { family, set: self.set(&fields)? });
        self.take(&[&Expression::DestinationType])?;
        self.compare(EQUAL, &LOCAL.to_ne_bytes())?;
        matches.push(Match::DstTypeLocal);
        matches.extend(comment.map(|comment| Match::Comment(comment.into())));
        let verdict = self.mark()?;
        let matches = matches.into();
        Some(Rule {
            source: None,
            destination,
            in_interface,
            protocol: Some(protocol),
            matches,
            verdict,
        })
    }

    fn family(&mut self) -> Option<Family> {
        let [
            Expression::Meta(META_FAMILY),
            Expression::Compare { operation: EQUAL, data: [number] },
            rest @ ..,
        ] = self.rest
        else {
            return None;
        };
        let family = numbered_family(*number)?;
        self.rest = rest;
        Some(family)
    }

    pub(super) fn destination_range(&mut self, field: u32, length: usize) -> Option<AddressRange> {
        let [
            Expression::Payload { base: NETWORK_HEADER, offset, length: loaded },
            Expression::Compare { operation: AT_LEAST, data: first },
            Expression::Compare { operation: AT_MOST, data: last },
            rest @ ..,
        ] = self.rest
        else {
            return None;
        };
        let is_address = |bytes: &[u8]| bytes.len() == length;
        if (*offset, *loaded as usize) != (field, length) || !is_address(first) || !is_address(last)
        {
            return None;
        }
        let range = AddressRange::new(self.address(first), self.address(last)).ok()?;
        // A single address is written as one comparison.
        (first != last).then_some(())?;
        self.rest = rest;
        Some(range)
    }

    pub(super) fn ports(&mut self, protocol: Protocol) -> Option<Ports> {
        self.take(&[&PORT])?;
        self.port_numbers(protocol)
    }

    /// `443`, `8000-8100`
    pub(super) fn port_numbers(&mut self, protocol: Protocol) -> Option<Ports> {
        let (first, last, rest) = read_between(self.rest)?;
        self.rest = rest;
        Ports::new(protocol, read_port(first)?, read_port(last)?).ok()
    }

    fn part(&mut self, fields: &AddressFields) -> Option<Shard> {
        let [
            Expression::Payload { base: NETWORK_HEADER, offset, length },
            Expression::Bitwise { mask, xor },
            Expression::Compare { operation: EQUAL, data },
            rest @ ..,
        ] = self.rest
        else {
            return None;
        };
        let is_address = |bytes: &[u8]| bytes.len() == fields.length;
        let is_exact = (*offset, *length as usize) == (fields.source, fields.length)
            && is_address(mask)
            && is_address(xor)
            && is_address(data)
            && is_zero(xor);
        is_exact.then(|| self.rest = rest)?;
        Some(Shard { mask: number(mask), value: number(data) })
    }

    fn set(&mut self, fields: &AddressFields) -> Option<crate::model::Name> {
        let [
            Expression::Payload { base: NETWORK_HEADER, offset, length },
            Expression::InSet(set),
            rest @ ..,
        ] = self.rest
        else {
            return None;
        };
        if (*offset, *length as usize) != (fields.source, fields.length) {
            return None;
        }
        self.rest = rest;
        Some(set.as_ref().into())
    }

    fn mark(self) -> Option<Verdict> {
        let [
            Expression::Counter { .. },
            Expression::Connection { key: CT_MARK, set: false },
            Expression::Bitwise { mask, xor },
            Expression::Connection { key: CT_MARK, set: true },
        ] = self.rest
        else {
            return None;
        };
        let bits = u32::from_ne_bytes((*xor).try_into().ok()?);
        (*mask == (!bits).to_ne_bytes()).then_some(Verdict::SetCtMark(bits))
    }

    fn take(&mut self, expected: &[&Expression]) -> Option<()> {
        let (first, rest) = self.rest.split_at_checked(expected.len())?;
        first.iter().eq(expected.iter().copied()).then(|| self.rest = rest)
    }

    fn compare(&mut self, operation: u32, data: &[u8]) -> Option<()> {
        self.take(&[&Expression::Compare { operation, data }])
    }
}
