//! Conditions on the packet's own protocol and port together, and on its destination:
//! `ip daddr . meta l4proto . th dport @SET`.

use nftnl::expr::Meta;

use crate::model::{IpVersion, NftMatch};
use crate::netlink::c_string::to_c_string;
use crate::netlink::rule::expression::{Expression, Field, Load, Lookup};
use crate::netlink::rule::header::AddressField;
use crate::netlink::rule::reader::{Read, Rest};
use crate::netlink::rule::writer::load_address;
use crate::netlink::uapi::meta_key;

/// `NFT_REG32_01`: the second four bytes of the first register.
const REGISTER_32_01: u32 = 9;
/// `NFT_REG_2`: behind the sixteen bytes of the first register.
const REGISTER_2: u32 = 2;

/// `meta l4proto . th dport @SET`
pub fn add_service(nft: &mut nftnl::Rule, set: &str) {
    nft.add_expr(&Meta::L4Proto);
    nft.add_expr(&Load { field: Field::Port, register: REGISTER_32_01 });
    nft.add_expr(&Lookup(to_c_string(set)));
}

/// `ip daddr . meta l4proto . th dport @SET`
pub fn add_destination_service(nft: &mut nftnl::Rule, version: IpVersion, set: &str) {
    load_address(nft, AddressField::destination(version));
    for (field, register) in destination_fields(version) {
        nft.add_expr(&Load { field, register });
    }
    nft.add_expr(&Lookup(to_c_string(set)));
}

/// The fields behind the destination address, with their registers: the first free ones, as nft has
/// them.
fn destination_fields(version: IpVersion) -> [(Field, u32); 2] {
    let [protocol, port] = match version {
        IpVersion::V4 => [REGISTER_32_01, REGISTER_32_01 + 1],
        IpVersion::V6 => [REGISTER_2, REGISTER_32_01 + 4],
    };
    [(Field::Meta(meta_key::L4PROTO), protocol), (Field::Port, port)]
}

/// The lookup of the protocol and the port.
pub fn decode_service<'a>(expressions: Rest<'a>) -> Read<'a, NftMatch> {
    match expressions {
        [
            Expression::Meta(meta_key::L4PROTO),
            Expression::Field { register: REGISTER_32_01, field: Field::Port },
            Expression::Lookup(set),
            rest @ ..,
        ] => Some((NftMatch::ServiceSet(set.as_ref().into()), rest)),
        _ => None,
    }
}

/// The rest of a lookup of the destination, the protocol and the port, behind the destination.
pub fn decode_destination_service<'a>(
    expressions: Rest<'a>,
    version: IpVersion,
) -> Read<'a, NftMatch> {
    let fields = destination_fields(version);
    let fields = fields.map(|(field, register)| Expression::Field { register, field });
    match expressions {
        [protocol, port, Expression::Lookup(set), rest @ ..]
            if [protocol, port] == fields.each_ref() =>
        {
            Some((NftMatch::DestinationServiceSet(version, set.as_ref().into()), rest))
        }
        _ => None,
    }
}
