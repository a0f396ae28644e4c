//! The conditions and statements of native rules that decide by the first packet of a connection.
//! Both directions stand here side by side.

use nftnl::expr::{
    Bitwise, Cmp, CmpOp, Conntrack, Meta, Payload, TransportHeaderField, Verdict as NftVerdict,
};

use super::batch::family_number;
use super::decode::{EQUAL, NETWORK_HEADER, NOT_EQUAL, Reader, interface};
use super::encode::{
    AddressFields, add_interface_name, add_network, add_payload, add_protocol, c_string, octets,
};
use super::expression::{Code, Expression, InSet, Original};
use super::native::{
    AT_LEAST, AT_MOST, CT_MARK, DESTINATION_PORT, META_FAMILY, TRANSPORT_HEADER, add_between,
    number,
};
use crate::ruleset::{
    AddressRange, Addresses, Condition, Direction, End, Family, Match, Part, Ports, Rule,
    Statement, Verdict,
};
use ipnetwork::IpNetwork;

/// `NFT_CT_STATE` and `NFT_CT_STATUS`.
const CT_STATE: u32 = 0;
const CT_STATUS: u32 = 2;
/// `NFT_CT_PROTO_DST`.
const CT_PORT: u32 = 12;
/// `NF_CT_STATE_BIT(IP_CT_NEW)`, the bit that `nft_ct` gives a packet that opens a flow.
const NEW: u32 = 8;
/// `IPS_DST_NAT`.
const DESTINATION_TRANSLATED: u32 = 1 << 5;
/// `NFT_META_IIFNAME` and `NFT_META_OIFNAME`.
const META_IN: u32 = 6;
const META_OUT: u32 = 7;

/// What names of bridges begin with that Docker makes up, and the bits of all sixteen bytes of the
/// name that are then looked at: bit 5 of fifteen characters, which digits and small letters have.
const NAME_START: &[u8] = b"br-";
const NAME_BITS: [u8; 16] = *b"               \0";

/// `NFT_CT_SRC_IP`, `NFT_CT_DST_IP` and the same of IPv6, with the length of the address.
fn address_key(end: End, family: Family) -> (u32, usize) {
    match (family, end) {
        (Family::Ip6, End::Source) => (21, 16),
        (Family::Ip6, End::Destination) => (22, 16),
        (_, End::Source) => (19, 4),
        (_, End::Destination) => (20, 4),
    }
}

/// Appends the expressions of a condition, as nft writes them.
pub fn add(nft: &mut nftnl::Rule, condition: &Condition) {
    match condition {
        Condition::NotNew => {
            nft.add_expr(&Conntrack::State);
            nft.add_expr(&Cmp::new(CmpOp::Neq, NEW));
        }
        Condition::Translated => {
            nft.add_expr(&Conntrack::Status);
            nft.add_expr(&Bitwise::new(DESTINATION_TRANSLATED, 0u32));
            nft.add_expr(&Cmp::new(CmpOp::Neq, 0u32));
        }
        Condition::Mark(bits) => {
            nft.add_expr(&Conntrack::Mark { set: false });
            nft.add_expr(&Bitwise::new(*bits, 0u32));
            nft.add_expr(&Cmp::new(CmpOp::Eq, *bits));
        }
        Condition::Family(family) => {
            nft.add_expr(&Meta::NfProto);
            nft.add_expr(&Cmp::new(CmpOp::Eq, family_number(*family)));
        }
        Condition::Interface(direction, interface) => {
            nft.add_expr(&meta(*direction));
            add_interface_name(nft, interface);
        }
        Condition::DockerName(direction) => {
            nft.add_expr(&meta(*direction));
            nft.add_expr(&Cmp::new(CmpOp::Eq, NAME_START));
            nft.add_expr(&meta(*direction));
            nft.add_expr(&Bitwise::new(NAME_BITS.as_slice(), [0u8; 16].as_slice()));
            nft.add_expr(&Cmp::new(CmpOp::Eq, NAME_BITS.as_slice()));
        }
        Condition::Destination(addresses) => add_destination(nft, addresses),
        Condition::Ports(ports) => {
            add_protocol(nft, ports.protocol());
            let field = TransportHeaderField::Raw { offset_bits: DESTINATION_PORT, length_bits: 2 };
            nft.add_expr(&Payload::Transport(field));
            add_between(nft, &ports.first().to_be_bytes(), &ports.last().to_be_bytes());
        }
        Condition::OriginalPorts(ports) => {
            add_protocol(nft, ports.protocol());
            nft.add_expr(&Original(CT_PORT));
            add_between(nft, &ports.first().to_be_bytes(), &ports.last().to_be_bytes());
        }
        Condition::OriginalAddress(end, addresses) => add_original(nft, *end, addresses),
        Condition::OriginalPart(family, part) => add_original_part(nft, *family, *part),
        Condition::OriginalSet(family, set) => {
            nft.add_expr(&Original(address_key(End::Source, *family).0));
            nft.add_expr(&InSet(c_string(set)));
        }
    }
}

fn meta(direction: Direction) -> Meta {
    match direction {
        Direction::In => Meta::IifName,
        Direction::Out => Meta::OifName,
    }
}

/// `meta nfproto ipv4 ip daddr 203.0.113.5`
fn add_destination(nft: &mut nftnl::Rule, addresses: &Addresses) {
    let family = addresses.family();
    let field = AddressFields::new(family == Family::Ip).destination;
    nft.add_expr(&Meta::NfProto);
    nft.add_expr(&Cmp::new(CmpOp::Eq, family_number(family)));
    match addresses {
        Addresses::Network(network) => add_network(nft, network, field),
        Addresses::Range(range) => {
            let (first, last) = (octets(range.first()), octets(range.last()));
            add_payload(nft, field, first.len());
            add_between(nft, &first, &last);
        }
    }
}

/// `ct original ip saddr 192.0.2.0/24`
fn add_original(nft: &mut nftnl::Rule, end: End, addresses: &Addresses) {
    nft.add_expr(&Original(address_key(end, addresses.family()).0));
    match addresses {
        Addresses::Network(network) => {
            let address = octets(network.ip());
            if usize::from(network.prefix()) < 8 * address.len() {
                let mask = octets(network.mask());
                nft.add_expr(&Bitwise::new(mask.as_slice(), vec![0u8; mask.len()].as_slice()));
            }
            nft.add_expr(&Cmp::new(CmpOp::Eq, address.as_slice()));
        }
        Addresses::Range(range) => {
            add_between(nft, &octets(range.first()), &octets(range.last()));
        }
    }
}

/// `ct original ip saddr & 0.0.0.7 == 0.0.0.3`
fn add_original_part(nft: &mut nftnl::Rule, family: Family, part: Part) {
    let (key, length) = address_key(End::Source, family);
    let bytes = |bits: u128| bits.to_be_bytes()[16 - length..].to_vec();
    nft.add_expr(&Original(key));
    nft.add_expr(&Bitwise::new(bytes(part.mask).as_slice(), bytes(0).as_slice()));
    nft.add_expr(&Cmp::new(CmpOp::Eq, bytes(part.value).as_slice()));
}

/// Appends the expressions of a statement.
pub fn add_statement(nft: &mut nftnl::Rule, statement: &Statement) {
    let verdict = match statement {
        Statement::Accept => NftVerdict::Accept,
        Statement::Drop => NftVerdict::Drop,
        Statement::Jump(chain) => NftVerdict::Jump { chain: c_string(chain) },
        Statement::Goto(chain) => NftVerdict::Goto { chain: c_string(chain) },
        Statement::ClearMark(bits) => {
            nft.add_expr(&Conntrack::Mark { set: false });
            nft.add_expr(&Bitwise::new(!bits, 0u32));
            return nft.add_expr(&Conntrack::Mark { set: true });
        }
    };
    nft.add_expr(&verdict);
}

impl<'a> Reader<'a> {
    /// A rule of conditions and a statement, if every expression is part of it.
    pub(super) fn conditional_rule(mut self, comment: Option<&str>) -> Option<Rule> {
        let mut matches: Vec<Match> =
            std::iter::from_fn(|| self.condition().map(Match::Native)).collect();
        matches.extend(comment.map(|comment| Match::Comment(comment.into())));
        let [Expression::Counter { .. }, statement @ ..] = self.rest else { return None };
        let verdict = Verdict::Native(read_statement(statement)?);
        Some(Rule { matches: matches.into(), ..Rule::new(verdict) })
    }

    fn condition(&mut self) -> Option<Condition> {
        let (condition, rest) = read(self.rest)?;
        self.rest = rest;
        Some(condition)
    }
}

fn read_statement(expressions: &[Expression]) -> Option<Statement> {
    Some(match expressions {
        [Expression::Verdict(Code::Accept)] => Statement::Accept,
        [Expression::Verdict(Code::Drop)] => Statement::Drop,
        [Expression::Verdict(Code::Jump(chain))] => Statement::Jump(chain.as_ref().into()),
        [Expression::Verdict(Code::Goto(chain))] => Statement::Goto(chain.as_ref().into()),
        [
            Expression::Connection { key: CT_MARK, set: false },
            Expression::Bitwise { mask, xor },
            Expression::Connection { key: CT_MARK, set: true },
        ] if is_zero(xor) => Statement::ClearMark(!native_number(mask)?),
        _ => return None,
    })
}

type Read<'a> = (Condition, &'a [Expression<'a>]);

/// The condition that the expressions begin with, and the expressions behind it.
fn read<'a>(expressions: &'a [Expression<'a>]) -> Option<Read<'a>> {
    use Expression::{Bitwise, Compare, Connection, InSet, Meta, Original};
    match expressions {
        [Connection { key: CT_STATE, set: false }, Compare { operation, data }, rest @ ..]
            if *operation == NOT_EQUAL && native_number(data) == Some(NEW) =>
        {
            Some((Condition::NotNew, rest))
        }
        [
            Connection { key: CT_STATUS, set: false },
            Bitwise { mask, xor },
            Compare { operation, data },
            rest @ ..,
        ] if *operation == NOT_EQUAL
            && native_number(mask) == Some(DESTINATION_TRANSLATED)
            && is_zero(xor)
            && is_zero(data) =>
        {
            Some((Condition::Translated, rest))
        }
        [
            Connection { key: CT_MARK, set: false },
            Bitwise { mask, xor },
            Compare { operation: EQUAL, data },
            rest @ ..,
        ] if mask == data && is_zero(xor) => Some((Condition::Mark(native_number(mask)?), rest)),
        [
            Meta(META_FAMILY),
            Compare { operation: EQUAL, data: [family] },
            Expression::Payload { base: NETWORK_HEADER, .. },
            ..,
        ] => read_destination(*family, &expressions[2..]),
        [Meta(META_FAMILY), Compare { operation: EQUAL, data: [number] }, rest @ ..] => {
            Some((Condition::Family(family(*number)?), rest))
        }
        [
            Meta(key @ (META_IN | META_OUT)),
            Compare { operation: EQUAL, data: NAME_START },
            Meta(again),
            Bitwise { mask, xor },
            Compare { operation: EQUAL, data },
            rest @ ..,
        ] if again == key && **mask == NAME_BITS && is_zero(xor) && **data == NAME_BITS => {
            Some((Condition::DockerName(direction(*key)), rest))
        }
        [Meta(key @ (META_IN | META_OUT)), Compare { operation, data }, rest @ ..] => {
            let interface = interface(*operation, data)?;
            Some((Condition::Interface(direction(*key), interface), rest))
        }
        [Meta(_), Compare { .. }, ..] => read_ports(expressions),
        [Original(key), Bitwise { mask, xor }, Compare { operation: EQUAL, data }, rest @ ..]
            if is_zero(xor) =>
        {
            Some((read_masked(*key, mask, data, rest)?, rest))
        }
        [Original(key), InSet(set), rest @ ..] => {
            let (End::Source, family, _) = address_end(*key)? else { return None };
            Some((Condition::OriginalSet(family, set.as_ref().into()), rest))
        }
        [Original(key), ..] => {
            let (end, family, length) = address_end(*key)?;
            let (first, last, rest) = read_between(&expressions[1..])?;
            let addresses = addresses(family, length, first, last)?;
            Some((Condition::OriginalAddress(end, addresses), rest))
        }
        _ => None,
    }
}

fn read_destination<'a>(number: u8, expressions: &'a [Expression<'a>]) -> Option<Read<'a>> {
    let family = family(number)?;
    let fields = AddressFields::new(family == Family::Ip);
    let mut reader = Reader::new(expressions, family);
    if let Some(network) = reader.network(fields.destination) {
        return Some((Condition::Destination(Addresses::Network(network)), reader.rest));
    }
    let range = Addresses::Range(reader.destination_range(fields.destination, fields.length)?);
    Some((Condition::Destination(range), reader.rest))
}

/// `tcp dport 443` and `meta l4proto tcp ct original proto-dst 443`
fn read_ports<'a>(expressions: &'a [Expression<'a>]) -> Option<Read<'a>> {
    const HEADER_PORT: Expression =
        Expression::Payload { base: TRANSPORT_HEADER, offset: DESTINATION_PORT, length: 2 };
    let mut reader = Reader::new(expressions, Family::Ip);
    let protocol = reader.protocol()?;
    let (loading, rest) = reader.rest.split_first()?;
    let (first, last, rest) = read_between(rest)?;
    let port = |data: &[u8]| Some(u16::from_be_bytes(data.try_into().ok()?));
    let ports = Ports::new(protocol, port(first)?, port(last)?)?;
    match loading {
        Expression::Original(CT_PORT) => Some((Condition::OriginalPorts(ports), rest)),
        loading if *loading == HEADER_PORT => Some((Condition::Ports(ports), rest)),
        _ => None,
    }
}

/// An original address behind a mask: a network, or before the set that holds it the part of a
/// large group.
fn read_masked(key: u32, mask: &[u8], data: &[u8], rest: &[Expression]) -> Option<Condition> {
    let (end, family, length) = address_end(key)?;
    if mask.len() != length || data.len() != length {
        return None;
    }
    if let (End::Source, [Expression::Original(_), Expression::InSet(_), ..]) = (end, rest) {
        let part = Part { mask: number(mask), value: number(data) };
        return Some(Condition::OriginalPart(family, part));
    }
    let address = Reader::new(&[], family).address(data);
    let network = IpNetwork::new(address, prefix(mask)?).ok()?;
    let is_exact = network.network() == network.ip();
    is_exact.then_some(Condition::OriginalAddress(end, Addresses::Network(network)))
}

/// The length of a prefix mask that is neither empty nor full.
fn prefix(mask: &[u8]) -> Option<u8> {
    let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let leading = number(mask).checked_shl(128 - 8 * mask.len() as u32)?.leading_ones();
    let is_prefix = ones == leading && (1..8 * mask.len() as u32).contains(&ones);
    is_prefix.then(|| u8::try_from(ones).ok())?
}

/// `== A`, or `>= A` and `<= B`.
fn read_between<'a>(
    expressions: &'a [Expression<'a>],
) -> Option<(&'a [u8], &'a [u8], &'a [Expression<'a>])> {
    match expressions {
        [Expression::Compare { operation: EQUAL, data }, rest @ ..] => Some((data, data, rest)),
        [
            Expression::Compare { operation: AT_LEAST, data: first },
            Expression::Compare { operation: AT_MOST, data: last },
            rest @ ..,
        ] => Some((first, last, rest)),
        _ => None,
    }
}

fn addresses(family: Family, length: usize, first: &[u8], last: &[u8]) -> Option<Addresses> {
    if first.len() != length || last.len() != length {
        return None;
    }
    let reader = Reader::new(&[], family);
    let (first, last) = (reader.address(first), reader.address(last));
    if first == last {
        return Some(Addresses::Network(first.into()));
    }
    AddressRange::new(first, last).map(Addresses::Range)
}

fn address_end(key: u32) -> Option<(End, Family, usize)> {
    let ends = [End::Source, End::Destination];
    let mut all = Family::NAT.into_iter().flat_map(|family| ends.map(|end| (end, family)));
    all.find_map(|(end, family)| {
        let (number, length) = address_key(end, family);
        (number == key).then_some((end, family, length))
    })
}

fn family(number: u8) -> Option<Family> {
    Family::NAT.into_iter().find(|family| family_number(*family) == number)
}

fn direction(key: u32) -> Direction {
    if key == META_OUT { Direction::Out } else { Direction::In }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Four bytes in the host's order.
fn native_number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}
