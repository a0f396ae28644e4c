//! Conditions on the first packet of a flow as it was before translation: `ct original …`.

use ipnetwork::IpNetwork;
use nftnl::expr::{Bitwise, Cmp, CmpOp, Meta};

use crate::model::{AddressSpec, Endpoint, IpVersion, NftMatch, UpdateKey};
use crate::netlink::rule::expression::{CtOriginal, Expression, Field, Load};
use crate::netlink::rule::header::{address, octets};
use crate::netlink::rule::reader::{Read, Rest, is_zero, number, range, shard};
use crate::netlink::rule::writer::add_between;
use crate::netlink::uapi::cmp_operation::EQ;
use crate::netlink::uapi::{ct_key, meta_key};

/// `NFT_REG32_01`: the second four bytes of the first register.
const REGISTER_32_01: u32 = 9;
/// `NFT_REG_2`: behind the sixteen bytes of the first register.
const REGISTER_2: u32 = 2;
/// `ffff:ffff:ffff:ffff::`
const NETWORK_64: [u8; 16] = (u128::MAX << 64).to_be_bytes();
/// `ct original proto-dst` as a further field.
const PORT: Field = Field::CtOriginal(ct_key::PROTO_DST);

/// `NFT_CT_SRC_IP`, `NFT_CT_DST_IP` and those of IPv6.
fn key(end: Endpoint, version: IpVersion) -> u32 {
    match (version, end) {
        (IpVersion::V4, Endpoint::Source) => ct_key::SRC_IP,
        (IpVersion::V4, Endpoint::Destination) => ct_key::DST_IP,
        (IpVersion::V6, Endpoint::Source) => ct_key::SRC_IP6,
        (IpVersion::V6, Endpoint::Destination) => ct_key::DST_IP6,
    }
}

/// The end and the version of a key.
fn end_of(number: u32) -> Option<(Endpoint, IpVersion)> {
    let ends = [Endpoint::Source, Endpoint::Destination];
    let mut all = IpVersion::ALL.into_iter().flat_map(|version| ends.map(|end| (end, version)));
    all.find(|(end, version)| key(*end, *version) == number)
}

/// `ct original proto-dst`
pub fn load_port(nft: &mut nftnl::Rule) {
    nft.add_expr(&CtOriginal(ct_key::PROTO_DST));
}

/// `ct original ip saddr`
pub fn load_source(nft: &mut nftnl::Rule, version: IpVersion) {
    nft.add_expr(&CtOriginal(key(Endpoint::Source, version)));
}

/// `ct original ip saddr . meta l4proto . ct original proto-dst`
pub fn load_source_and_port(nft: &mut nftnl::Rule, version: IpVersion) {
    load_source(nft, version);
    for (field, register) in source_fields(version) {
        nft.add_expr(&Load { field, register });
    }
}

/// `meta l4proto . ct original proto-dst`
pub fn load_protocol_and_port(nft: &mut nftnl::Rule) {
    nft.add_expr(&Meta::L4Proto);
    nft.add_expr(&Load { field: PORT, register: REGISTER_32_01 });
}

/// `ct original ip saddr`, `ct original ip6 saddr & ffff:ffff:ffff:ffff::`
pub fn load_source_network(nft: &mut nftnl::Rule, version: IpVersion) {
    load_source(nft, version);
    if version == IpVersion::V6 {
        nft.add_expr(&Bitwise::new(NETWORK_64.as_slice(), [0u8; 16].as_slice()));
    }
}

/// The fields behind the source address, with their registers: the first free ones, as nft has them.
fn source_fields(version: IpVersion) -> [(Field, u32); 2] {
    let [protocol, port] = match version {
        IpVersion::V4 => [REGISTER_32_01, REGISTER_32_01 + 1],
        IpVersion::V6 => [REGISTER_2, REGISTER_32_01 + 4],
    };
    [(Field::Meta(meta_key::L4PROTO), protocol), (PORT, port)]
}

/// The same as expressions.
fn service_fields(version: IpVersion) -> [Expression<'static>; 2] {
    source_fields(version).map(|(field, register)| Expression::Field { register, field })
}

/// The key whose fields were loaded.
pub fn decode_key(expressions: Rest) -> Option<UpdateKey> {
    match expressions {
        [Expression::CtOriginal(number), protocol, port] => {
            let (Endpoint::Source, version) = end_of(*number)? else { return None };
            ([protocol, port] == service_fields(version).each_ref())
                .then_some(UpdateKey::OriginalSource(version))
        }
        [Expression::Ct { key: ct_key::DIRECTION, set: false }] => Some(UpdateKey::Direction),
        [Expression::CtOriginal(ct_key::SRC_IP)] => Some(UpdateKey::SourceNetwork(IpVersion::V4)),
        [Expression::CtOriginal(ct_key::SRC_IP6), Expression::Bitwise { mask, xor }] => {
            let is_exact = *mask == NETWORK_64.as_slice() && is_zero(xor);
            is_exact.then_some(UpdateKey::SourceNetwork(IpVersion::V6))
        }
        [
            Expression::Meta(meta_key::L4PROTO),
            Expression::Field { register: REGISTER_32_01, field: PORT },
        ] => Some(UpdateKey::OriginalPort),
        _ => None,
    }
}

/// `ct original ip saddr 192.0.2.0/24`
pub fn add_addresses(nft: &mut nftnl::Rule, end: Endpoint, addresses: &AddressSpec) {
    nft.add_expr(&CtOriginal(key(end, addresses.version())));
    let Some(network) = addresses.as_network() else {
        return add_between(nft, &octets(addresses.first()), &octets(addresses.last()));
    };
    if network.prefix() < addresses.version().address_bits() {
        let mask = octets(network.mask());
        nft.add_expr(&Bitwise::new(mask.as_slice(), vec![0u8; mask.len()].as_slice()));
    }
    nft.add_expr(&Cmp::new(CmpOp::Eq, octets(network.ip()).as_slice()));
}

/// The condition whose key was loaded, and the expressions behind it.
pub fn decode<'a>(key: u32, expressions: Rest<'a>) -> Read<'a, NftMatch> {
    let (end, version) = end_of(key)?;
    match (end, expressions) {
        (Endpoint::Source, [Expression::Lookup(set), rest @ ..]) => {
            Some((NftMatch::CtOriginalSet(version, set.as_ref().into()), rest))
        }
        (Endpoint::Source, [protocol, port, Expression::Lookup(set), rest @ ..])
            if [protocol, port] == service_fields(version).each_ref() =>
        {
            Some((NftMatch::CtOriginalServiceSet(version, set.as_ref().into()), rest))
        }
        // The same as a network, but for the set that follows somewhere.
        (Endpoint::Source, [Expression::Bitwise { .. }, _, rest @ ..])
            if looks_up(rest, self::key(end, version)) =>
        {
            let (shard, rest) = shard(expressions, version)?;
            Some((NftMatch::CtOriginalShard(version, shard), rest))
        }
        _ => {
            let (addresses, rest) = addresses(expressions, version)?;
            Some((NftMatch::CtOriginalAddress(end, addresses), rest))
        }
    }
}

/// Whether a set is among the conditions in which the field of this key is looked up.
fn looks_up(expressions: Rest, key: u32) -> bool {
    let is_lookup = |pair: &[Expression]| matches!(pair, [Expression::CtOriginal(of), Expression::Lookup(_)] if *of == key);
    expressions.windows(2).any(is_lookup)
}

/// `192.0.2.1`, `192.0.2.0/24`, `192.0.2.1-192.0.2.9`
fn addresses(expressions: Rest, version: IpVersion) -> Read<AddressSpec> {
    let length = version.address_bytes();
    match expressions {
        [Expression::Compare { operation: EQ, data }, rest @ ..] if data.len() == length => {
            Some((AddressSpec::exact(address(version, data).into())?, rest))
        }
        [
            Expression::Bitwise { mask, xor },
            Expression::Compare { operation: EQ, data },
            rest @ ..,
        ] if [mask.len(), data.len()] == [length; 2] && is_zero(xor) => {
            let network = IpNetwork::new(address(version, data), prefix(mask)?).ok()?;
            Some((AddressSpec::exact(network)?, rest))
        }
        _ => range(expressions, version),
    }
}

/// The length of a prefix mask that is neither empty nor full.
fn prefix(mask: &[u8]) -> Option<u8> {
    let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let leading = number(mask).checked_shl(128 - 8 * mask.len() as u32)?.leading_ones();
    let is_prefix = ones == leading && (1..8 * mask.len() as u32).contains(&ones);
    is_prefix.then(|| u8::try_from(ones).ok())?
}
