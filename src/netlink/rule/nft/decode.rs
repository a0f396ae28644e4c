//! Expressions → conditions, if they are of exactly the form that is written.

use super::{
    ADMITTED, BRIDGE, DESTINATION_TRANSLATED, ESTABLISHED_OR_RELATED, LOCAL, NAME_BITS, NAME_START,
    original, service,
};
use crate::model::{AddressSpec, CgroupMatch, Direction, IpVersion, NftMatch, Protocol, TimeMatch};
use crate::netlink::nfproto;
use crate::netlink::rule::expression::Expression;
use crate::netlink::rule::header::AddressField;
use crate::netlink::rule::reader::{
    Read, Rest, interface, is_zero, loads_port, native_number, network, port_numbers, protocol,
    range, shard,
};
use crate::netlink::uapi::cmp_operation::{EQ, NEQ};
use crate::netlink::uapi::{ct_key, meta_key, payload_base, socket_key};

/// The condition that the expressions begin with, and the expressions behind it.
pub fn decode_match<'a>(expressions: Rest<'a>) -> Read<'a, NftMatch> {
    match expressions {
        [Expression::Ct { .. }, ..] => ct(expressions),
        [Expression::Meta(meta_key::L4PROTO), ..] => {
            service::decode_service(expressions).or_else(|| ports(expressions))
        }
        [Expression::Meta(_), ..] => meta(expressions),
        [Expression::Payload { .. }, ..] => {
            let mut versions = IpVersion::ALL.into_iter();
            versions.find_map(|version| header(expressions, version))
        }
        [Expression::FibDaddrType, Expression::Compare { operation: EQ, data }, rest @ ..]
            if **data == LOCAL.to_ne_bytes() =>
        {
            Some((NftMatch::DstTypeLocal, rest))
        }
        [Expression::Socket { key, level }, Expression::Compare { operation, data }, rest @ ..] => {
            Some((socket(*key, *level, *operation, data)?, rest))
        }
        [Expression::CtOriginal(key), rest @ ..] => original::decode(*key, rest),
        _ => None,
    }
}

/// `ct state established,related`, `ct status dnat`, `ct label 13`, `ct mark & BITS == BITS`
fn ct<'a>(expressions: Rest<'a>) -> Read<'a, NftMatch> {
    let [
        Expression::Ct { key, set: false },
        Expression::Bitwise { mask, xor },
        Expression::Compare { operation, data },
        rest @ ..,
    ] = expressions
    else {
        return None;
    };
    if *key == ct_key::LABELS {
        let is_admitted = **mask == ADMITTED && is_zero(xor) && **data == [0; 16];
        return (is_admitted && *operation == NEQ).then_some((NftMatch::CtLabelAdmitted, rest));
    }
    let (mask, data) = (native_number(mask)?, native_number(data)?);
    let condition = match (*key, mask, *operation, data) {
        _ if !is_zero(xor) => return None,
        (ct_key::STATE, ESTABLISHED_OR_RELATED, NEQ, 0) => NftMatch::CtStateEstablished,
        (ct_key::STATUS, DESTINATION_TRANSLATED, NEQ, 0) => NftMatch::CtStatusDnat,
        (ct_key::MARK, bits, EQ, value) if bits == value => NftMatch::CtMark(bits),
        _ => return None,
    };
    Some((condition, rest))
}

/// `meta nfproto ipv4`, `iifname "eth0"`, `iifname "br-*" …`, `meta iifkind "bridge"`,
/// `meta time @SET`
fn meta<'a>(expressions: Rest<'a>) -> Read<'a, NftMatch> {
    use Expression::{Bitwise, Compare, HostToNetwork, Lookup, Meta, NegatedLookup};
    let time = |set: &str, negated| NftMatch::Time(TimeMatch { set: set.into(), negated });
    match expressions {
        [Meta(meta_key::TIME_NS), HostToNetwork, Lookup(set), rest @ ..] => {
            Some((time(set, false), rest))
        }
        [Meta(meta_key::TIME_NS), HostToNetwork, NegatedLookup(set), rest @ ..] => {
            Some((time(set, true), rest))
        }
        [Meta(meta_key::NFPROTO), Compare { operation: EQ, data: [number] }, rest @ ..] => {
            Some((NftMatch::NfProto(nfproto::version(*number)?), rest))
        }
        [
            Meta(key),
            Compare { operation: EQ, data: NAME_START },
            Meta(again),
            Bitwise { mask, xor },
            Compare { operation: EQ, data },
            rest @ ..,
        ] if again == key && **mask == NAME_BITS && is_zero(xor) && **data == NAME_BITS => {
            Some((NftMatch::DockerBridgeName(direction(*key)?), rest))
        }
        [Meta(meta_key::IIFKIND), Compare { operation: EQ, data }, rest @ ..]
            if **data == BRIDGE =>
        {
            Some((NftMatch::InBridge, rest))
        }
        [Meta(key), Compare { operation, data }, rest @ ..] => {
            let interface = interface(*operation, data)?;
            Some((NftMatch::Interface(direction(*key)?, interface), rest))
        }
        _ => None,
    }
}

fn direction(key: u32) -> Option<Direction> {
    match key {
        meta_key::IIFNAME => Some(Direction::In),
        meta_key::OIFNAME => Some(Direction::Out),
        _ => None,
    }
}

/// `ip daddr ADDRESSES`, `ip daddr . meta l4proto . th dport @SET`, `ip saddr & 0.0.0.7 == 0.0.0.3`,
/// `ip saddr @SET`
fn header<'a>(expressions: Rest<'a>, version: IpVersion) -> Read<'a, NftMatch> {
    let destination = AddressField::destination(version);
    if let Some(((network, false), rest)) = network(expressions, destination) {
        return Some((NftMatch::Destination(AddressSpec::exact(network)?), rest));
    }
    let source = AddressField::source(version);
    let [Expression::Payload { base: payload_base::NETWORK, offset, length }, rest @ ..] =
        expressions
    else {
        return None;
    };
    let loads =
        |field: AddressField| (*offset, *length as usize) == (field.offset(), field.length());
    match rest {
        [Expression::Lookup(set), rest @ ..] if loads(source) => {
            Some((NftMatch::SourceSet(version, set.as_ref().into()), rest))
        }
        _ if loads(source) => {
            let (shard, rest) = shard(rest, version)?;
            Some((NftMatch::SourceShard(version, shard), rest))
        }
        _ if loads(destination) => {
            let service = service::decode_destination_service(rest, version);
            service.or_else(|| {
                let (range, rest) = range(rest, version)?;
                Some((NftMatch::Destination(range), rest))
            })
        }
        _ => None,
    }
}

/// `tcp dport 443`, `tcp dport @SET`, `meta l4proto tcp ct original proto-dst 443` and
/// `meta l4proto tcp`
fn ports<'a>(expressions: Rest<'a>) -> Read<'a, NftMatch> {
    let (protocol, rest) = protocol(expressions)?;
    match rest {
        [loading, Expression::Lookup(set), rest @ ..] if loads_port(loading) => {
            Some((NftMatch::PortSet(protocol, set.as_ref().into()), rest))
        }
        [loading, rest @ ..] if loads_port(loading) => own_ports(protocol, rest),
        [Expression::CtOriginal(ct_key::PROTO_DST), rest @ ..] => {
            let (ports, rest) = port_numbers(rest, protocol)?;
            Some((NftMatch::CtOriginalPorts(ports), rest))
        }
        rest => Some((NftMatch::Protocol(protocol), rest)),
    }
}

fn own_ports<'a>(protocol: Protocol, expressions: Rest<'a>) -> Read<'a, NftMatch> {
    let (ports, rest) = port_numbers(expressions, protocol)?;
    Some((NftMatch::Ports(ports), rest))
}

/// `socket cgroupv2 level 1 != 4711`, `socket wildcard 0` and `socket transparent 0`
fn socket(key: u32, level: u32, operation: u32, data: &[u8]) -> Option<NftMatch> {
    match (key, level, operation, data) {
        (socket_key::CGROUPV2, level, EQ | NEQ, id) => {
            let (level, id) = (u8::try_from(level).ok()?, u64::from_ne_bytes(id.try_into().ok()?));
            let negated = operation == NEQ;
            Some(NftMatch::Cgroup(CgroupMatch { level, id, negated }))
        }
        (socket_key::WILDCARD, 0, EQ, [is_wildcard @ (0 | 1)]) => {
            Some(NftMatch::SocketWildcard(*is_wildcard == 1))
        }
        (socket_key::TRANSPARENT, 0, EQ, [is_transparent @ (0 | 1)]) => {
            Some(NftMatch::SocketTransparent(*is_transparent == 1))
        }
        _ => None,
    }
}
