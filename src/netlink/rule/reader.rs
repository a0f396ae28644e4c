//! Reads the expressions that rules of iptables and of nft have in common. Each function returns
//! what the expressions begin with, and the expressions behind it.

use ipnetwork::IpNetwork;

use super::expression::Expression;
use super::header::{AddressField, PORT, address};
use crate::model::{AddressSpec, INTERFACE_NAME_MAX, Interface, IpVersion, Ports, Protocol, Shard};
use crate::netlink::uapi::cmp_operation::{EQ, GTE, LTE, NEQ};
use crate::netlink::uapi::{meta_key, payload_base};

/// The expressions that have not been read yet.
pub type Rest<'a> = &'a [Expression<'a>];

/// What the expressions begin with, and the expressions behind it.
pub type Read<'a, T> = Option<(T, Rest<'a>)>;

/// `-p tcp`, `meta l4proto tcp`
pub fn protocol(expressions: Rest) -> Read<Protocol> {
    let [
        Expression::Meta(meta_key::L4PROTO),
        Expression::Compare { operation: EQ, data: [number] },
        rest @ ..,
    ] = expressions
    else {
        return None;
    };
    Some((Protocol::from_number(*number)?, rest))
}

/// The network that an address is compared with, and whether it is inverted.
pub fn network(expressions: Rest, field: AddressField) -> Read<(IpNetwork, bool)> {
    let [Expression::Payload { base: payload_base::NETWORK, offset, length }, rest @ ..] =
        expressions
    else {
        return None;
    };
    let size = field.length();
    let (prefix, operation, data, rest) = match rest {
        [Expression::Compare { operation, data }, rest @ ..] => {
            (u8::try_from(data.len() * 8).ok()?, *operation, *data, rest)
        }
        [Expression::Bitwise { mask, xor }, Expression::Compare { operation, data }, rest @ ..]
            if [mask.len(), xor.len(), data.len()] == [size; 3] && is_zero(xor) =>
        {
            (masked_prefix(mask)?, *operation, *data, rest)
        }
        _ => return None,
    };
    let negated = is_negated(operation)?;
    let is_field = *offset == field.offset() && *length as usize == data.len();
    if !is_field || data.is_empty() || data.len() > size {
        return None;
    }
    let network = IpNetwork::new(address(field.version, data), prefix).ok()?;
    // Host bits would never match, and a mask that is not needed is not iptables' form.
    (network.network() == network.ip()).then_some(((network, negated), rest))
}

/// The interface whose name is compared with these bytes.
pub fn interface(operation: u32, data: &[u8]) -> Option<Interface> {
    let negated = is_negated(operation)?;
    let name = data.strip_suffix(&[0]);
    let wildcard = name.is_none();
    let name = std::str::from_utf8(name.unwrap_or(data)).ok()?;
    if name.is_empty() || name.len() > INTERFACE_NAME_MAX || name.contains('\0') {
        return None;
    }
    Some(Interface::unchecked(name.into(), wildcard, negated))
}

/// `== A`, or `>= A` and `<= B` where they differ.
pub fn between<'a>(expressions: Rest<'a>) -> Read<'a, (&'a [u8], &'a [u8])> {
    match expressions {
        [Expression::Compare { operation: EQ, data }, rest @ ..] => Some(((data, data), rest)),
        [
            Expression::Compare { operation: GTE, data: first },
            Expression::Compare { operation: LTE, data: last },
            rest @ ..,
        ] if first != last => Some(((first, last), rest)),
        _ => None,
    }
}

/// `& 0.0.0.7 == 0.0.0.3`, behind the loading of an address.
pub fn shard(expressions: Rest, version: IpVersion) -> Read<Shard> {
    let [Expression::Bitwise { mask, xor }, Expression::Compare { operation: EQ, data }, rest @ ..] =
        expressions
    else {
        return None;
    };
    let is_exact = [mask.len(), xor.len(), data.len()] == [version.address_bytes(); 3];
    let shard = Shard { mask: number(mask), value: number(data) };
    (is_exact && is_zero(xor)).then_some((shard, rest))
}

/// `A-B`, behind the loading of an address.
pub fn range(expressions: Rest, version: IpVersion) -> Read<AddressSpec> {
    let ((first, last), rest) = between(expressions)?;
    if first >= last || [first.len(), last.len()] != [version.address_bytes(); 2] {
        return None;
    }
    let (first, last) = (address(version, first), address(version, last));
    Some((AddressSpec::of_range(first, last), rest))
}

/// `443`, `8000-8100`, behind the loading of a port.
pub fn port_numbers(expressions: Rest, protocol: Protocol) -> Read<Ports> {
    let ((first, last), rest) = between(expressions)?;
    Some((Ports::new(protocol, port(first)?, port(last)?).ok()?, rest))
}

/// Two bytes in the network's order as a port.
pub fn port(data: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(data.try_into().ok()?))
}

/// Bytes in the network's order as a number.
pub fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// Four bytes in the host's order.
pub fn native_number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// Whether the expression loads the packet's own destination port.
pub fn loads_port(expression: &Expression) -> bool {
    *expression == PORT
}

/// Whether all bytes are 0.
pub fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn is_negated(operation: u32) -> Option<bool> {
    match operation {
        EQ => Some(false),
        NEQ => Some(true),
        _ => None,
    }
}

/// The length of a prefix mask, which iptables writes only where it does not end with a byte.
fn masked_prefix(mask: &[u8]) -> Option<u8> {
    let ones: u32 = mask.iter().map(|byte| byte.leading_ones()).sum();
    let total: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let is_prefix = mask.windows(2).all(|pair| pair[0] == 0xff || pair[1] == 0);
    (is_prefix && ones == total && !ones.is_multiple_of(8)).then(|| u8::try_from(ones).ok())?
}

/// What an optional part of a rule reads as: `None` and all expressions where it is missing.
pub fn optional<'a, T>(
    read: impl FnOnce(Rest<'a>) -> Read<'a, T>,
    expressions: Rest<'a>,
) -> (Option<T>, Rest<'a>) {
    match read(expressions) {
        Some((value, rest)) => (Some(value), rest),
        None => (None, expressions),
    }
}

/// Reads as often as possible.
pub fn repeated<'a, T>(
    read: impl Fn(Rest<'a>) -> Read<'a, T>,
    mut expressions: Rest<'a>,
) -> (Vec<T>, Rest<'a>) {
    let mut all = Vec::new();
    while let Some((value, rest)) = read(expressions) {
        all.push(value);
        expressions = rest;
    }
    (all, expressions)
}
