//! Expressions → conditions and statements, if they are of exactly the form that is written.

use std::num::NonZeroU32;

use ipnetwork::IpNetwork;

use super::super::decode::{
    EQUAL, META_IN, META_OUT, NETWORK_HEADER, NOT_EQUAL, Reader, interface,
};
use super::super::encode::AddressFields;
use super::super::expression::{Expression, VerdictCode};
use super::super::native::{
    CT_MARK, META_FAMILY, PORT, is_zero, number, numbered_family, read_between,
};
use super::{
    BRIDGE, CT_PORT, CT_STATE, CT_STATUS, DESTINATION_TRANSLATED, ESTABLISHED_OR_RELATED,
    META_IN_KIND, MILLISECONDS, NAME_BITS, NAME_START, SOCKET_CGROUP, SOCKET_WILDCARD, address_key,
};
use crate::model::{
    AddressSpec, CgroupMatch, Direction, Endpoint, Family, Match, NftMatch, NftStatement, Protocol,
    Rule, SetUpdate, Shard, Verdict,
};

impl<'a> Reader<'a> {
    /// A rule of conditions and a statement, if every expression is part of it.
    pub(in crate::netlink) fn conditional_rule(mut self, comment: Option<&str>) -> Option<Rule> {
        let mut matches: Vec<Match> =
            std::iter::from_fn(|| self.condition().map(Match::Native)).collect();
        matches.extend(comment.map(|comment| Match::Comment(comment.into())));
        let [Expression::Counter { .. }, statement @ ..] = self.rest else { return None };
        let verdict = Verdict::Native(read_statement(statement, &matches)?);
        Some(Rule { matches: matches.into(), ..Rule::new(verdict) })
    }

    fn condition(&mut self) -> Option<NftMatch> {
        let (condition, rest) = read(self.rest)?;
        self.rest = rest;
        Some(condition)
    }
}

fn read_statement(expressions: &[Expression], matches: &[Match]) -> Option<NftStatement> {
    Some(match expressions {
        [Expression::Verdict(VerdictCode::Accept)] => NftStatement::Accept,
        [Expression::Verdict(VerdictCode::Drop)] => NftStatement::Drop,
        [Expression::Verdict(VerdictCode::Jump(chain))] => {
            NftStatement::Jump(chain.as_ref().into())
        }
        [Expression::Verdict(VerdictCode::Goto(chain))] => {
            NftStatement::Goto(chain.as_ref().into())
        }
        [
            Expression::Connection { key: CT_MARK, set: false },
            Expression::Bitwise { mask, xor },
            Expression::Connection { key: CT_MARK, set: true },
        ] if is_zero(xor) => NftStatement::ClearCtMark(!native_number(mask)?),
        [loading, Expression::UpdateSet { set, timeout }] if *loading == PORT => {
            NftStatement::UpdateSet(SetUpdate {
                set: set.as_ref().into(),
                protocol: matches.iter().rev().find_map(protocol)?,
                timeout: seconds(*timeout)?,
            })
        }
        _ => return None,
    })
}

/// The protocol that a condition lets through, if it is one on the protocol.
fn protocol(condition: &Match) -> Option<Protocol> {
    let Match::Native(condition) = condition else { return None };
    match condition {
        NftMatch::Protocol(protocol) | NftMatch::PortSet(protocol, _) => Some(*protocol),
        NftMatch::Ports(ports) | NftMatch::CtOriginalPorts(ports) => Some(ports.protocol()),
        _ => None,
    }
}

/// Milliseconds as whole seconds.
fn seconds(milliseconds: u64) -> Option<NonZeroU32> {
    let seconds = u32::try_from(milliseconds / MILLISECONDS).ok()?;
    milliseconds.is_multiple_of(MILLISECONDS).then(|| NonZeroU32::new(seconds))?
}

type Read<'a> = (NftMatch, &'a [Expression<'a>]);

/// The condition that the expressions begin with, and the expressions behind it.
pub(in crate::netlink) fn read<'a>(expressions: &'a [Expression<'a>]) -> Option<Read<'a>> {
    use Expression::{Bitwise, Compare, Connection, InSet, Meta, Original};
    match expressions {
        [
            Connection { key: CT_STATE, set: false },
            Bitwise { mask, xor },
            Compare { operation: NOT_EQUAL, data },
            rest @ ..,
        ] if native_number(mask) == Some(ESTABLISHED_OR_RELATED)
            && is_zero(xor)
            && native_number(data) == Some(0) =>
        {
            Some((NftMatch::CtStateEstablished, rest))
        }
        [
            Connection { key: CT_STATUS, set: false },
            Bitwise { mask, xor },
            Compare { operation, data },
            rest @ ..,
        ] if *operation == NOT_EQUAL
            && native_number(mask) == Some(DESTINATION_TRANSLATED)
            && is_zero(xor)
            && native_number(data) == Some(0) =>
        {
            Some((NftMatch::CtStatusDnat, rest))
        }
        [
            Connection { key: CT_MARK, set: false },
            Bitwise { mask, xor },
            Compare { operation: EQUAL, data },
            rest @ ..,
        ] if mask == data && is_zero(xor) => Some((NftMatch::CtMark(native_number(mask)?), rest)),
        [
            Meta(META_FAMILY),
            Compare { operation: EQUAL, data: [family] },
            Expression::Payload { base: NETWORK_HEADER, .. },
            ..,
        ] => read_destination(*family, &expressions[2..]),
        [Meta(META_FAMILY), Compare { operation: EQUAL, data: [number] }, rest @ ..] => {
            Some((NftMatch::Family(numbered_family(*number)?), rest))
        }
        [
            Meta(key @ (META_IN | META_OUT)),
            Compare { operation: EQUAL, data: NAME_START },
            Meta(again),
            Bitwise { mask, xor },
            Compare { operation: EQUAL, data },
            rest @ ..,
        ] if again == key && **mask == NAME_BITS && is_zero(xor) && **data == NAME_BITS => {
            Some((NftMatch::DockerBridgeName(direction(*key)), rest))
        }
        [Meta(key @ (META_IN | META_OUT)), Compare { operation, data }, rest @ ..] => {
            let interface = interface(*operation, data)?;
            Some((NftMatch::Interface(direction(*key), interface), rest))
        }
        [Meta(META_IN_KIND), Compare { operation: EQUAL, data }, rest @ ..] if **data == BRIDGE => {
            Some((NftMatch::InBridge, rest))
        }
        [Meta(_), Compare { .. }, ..] => read_ports(expressions),
        [Expression::Socket { key, level }, Compare { operation, data }, rest @ ..] => {
            Some((read_socket(*key, *level, *operation, data)?, rest))
        }
        [Original(key), Bitwise { mask, xor }, Compare { operation: EQUAL, data }, rest @ ..]
            if is_zero(xor) =>
        {
            Some((read_masked(*key, mask, data, rest)?, rest))
        }
        [Original(key), InSet(set), rest @ ..] => {
            let (Endpoint::Source, family, _) = address_end(*key)? else { return None };
            Some((NftMatch::CtOriginalSet(family, set.as_ref().into()), rest))
        }
        [Original(key), ..] => {
            let (end, family, length) = address_end(*key)?;
            let (first, last, rest) = read_between(&expressions[1..])?;
            let addresses = addresses(family, length, first, last)?;
            Some((NftMatch::CtOriginalAddress(end, addresses), rest))
        }
        _ => None,
    }
}

fn read_destination<'a>(number: u8, expressions: &'a [Expression<'a>]) -> Option<Read<'a>> {
    let family = numbered_family(number)?;
    let fields = AddressFields::new(family == Family::Ip);
    let mut reader = Reader::new(expressions, family);
    if let Some(network) = reader.network(fields.destination) {
        return Some((NftMatch::Destination(AddressSpec::exact(network)?), reader.rest));
    }
    let range = reader.destination_range(fields.destination, fields.length)?;
    let range = AddressSpec::range(range.first(), range.last()).ok()?;
    Some((NftMatch::Destination(range), reader.rest))
}

/// `tcp dport 443`, `tcp dport @SET`, `meta l4proto tcp ct original proto-dst 443` and
/// `meta l4proto tcp`
fn read_ports<'a>(expressions: &'a [Expression<'a>]) -> Option<Read<'a>> {
    let mut reader = Reader::new(expressions, Family::Ip);
    let protocol = reader.protocol()?;
    let (loading, rest) = match reader.rest {
        [loading, rest @ ..] if is_port(loading) => (loading, rest),
        rest => return Some((NftMatch::Protocol(protocol), rest)),
    };
    let is_original = *loading != PORT;
    match rest {
        [Expression::InSet(set), rest @ ..] if !is_original => {
            return Some((NftMatch::PortSet(protocol, set.as_ref().into()), rest));
        }
        rest => reader.rest = rest,
    }
    let ports = reader.port_numbers(protocol)?;
    let condition = match is_original {
        true => NftMatch::CtOriginalPorts(ports),
        false => NftMatch::Ports(ports),
    };
    Some((condition, reader.rest))
}

fn is_port(loading: &Expression) -> bool {
    *loading == PORT || *loading == Expression::Original(CT_PORT)
}

/// `socket cgroupv2 level 1 != 4711` and `socket wildcard 0`
fn read_socket(key: u32, level: u32, operation: u32, data: &[u8]) -> Option<NftMatch> {
    match (key, level, operation, data) {
        (SOCKET_CGROUP, level, EQUAL | NOT_EQUAL, id) => {
            let (level, id) = (u8::try_from(level).ok()?, u64::from_ne_bytes(id.try_into().ok()?));
            let negated = operation == NOT_EQUAL;
            Some(NftMatch::Cgroup(CgroupMatch { level, id, negated }))
        }
        (SOCKET_WILDCARD, 0, EQUAL, [is_wildcard @ (0 | 1)]) => {
            Some(NftMatch::SocketWildcard(*is_wildcard == 1))
        }
        _ => None,
    }
}

/// An original address behind a mask: a network, or before the set that holds it the part of a
/// large group.
fn read_masked(key: u32, mask: &[u8], data: &[u8], rest: &[Expression]) -> Option<NftMatch> {
    let (end, family, length) = address_end(key)?;
    if mask.len() != length || data.len() != length {
        return None;
    }
    if let (Endpoint::Source, [Expression::Original(_), Expression::InSet(_), ..]) = (end, rest) {
        let part = Shard { mask: number(mask), value: number(data) };
        return Some(NftMatch::CtOriginalShard(family, part));
    }
    let address = Reader::new(&[], family).address(data);
    let network = IpNetwork::new(address, prefix(mask)?).ok()?;
    Some(NftMatch::CtOriginalAddress(end, AddressSpec::exact(network)?))
}

/// The length of a prefix mask that is neither empty nor full.
fn prefix(mask: &[u8]) -> Option<u8> {
    let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let leading = number(mask).checked_shl(128 - 8 * mask.len() as u32)?.leading_ones();
    let is_prefix = ones == leading && (1..8 * mask.len() as u32).contains(&ones);
    is_prefix.then(|| u8::try_from(ones).ok())?
}

fn addresses(family: Family, length: usize, first: &[u8], last: &[u8]) -> Option<AddressSpec> {
    if first.len() != length || last.len() != length {
        return None;
    }
    let reader = Reader::new(&[], family);
    let (first, last) = (reader.address(first), reader.address(last));
    if first == last {
        return AddressSpec::exact(first.into());
    }
    AddressSpec::range(first, last).ok()
}

fn address_end(key: u32) -> Option<(Endpoint, Family, usize)> {
    let ends = [Endpoint::Source, Endpoint::Destination];
    let mut all = Family::NAT.into_iter().flat_map(|family| ends.map(|end| (end, family)));
    all.find_map(|(end, family)| {
        let (number, length) = address_key(end, family);
        (number == key).then_some((end, family, length))
    })
}

fn direction(key: u32) -> Direction {
    if key == META_OUT { Direction::Out } else { Direction::In }
}

/// Four bytes in the host's order.
fn native_number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}
