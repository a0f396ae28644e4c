//! The conditions and statements of native rules that decide by the first packet of a connection:
//! how they are written, and in `read` how they are read.

mod read;

pub(super) use read::read;

use nftnl::expr::{Bitwise, Cmp, CmpOp, Conntrack, Meta, Verdict as NftVerdict};

use super::encode::{
    AddressFields, add_interface_name, add_network, add_protocol, octets, to_c_string,
};
use super::expression::{CtOriginal, Lookup, MetaKey, SocketKey, UpdateSet};
use super::native::{
    add_between, add_destination_range, add_family, add_part_of, add_port_numbers, add_ports,
    load_port,
};
use crate::model::{
    AddressSpec, CgroupMatch, Direction, Endpoint, Family, NftMatch, NftStatement, SetUpdate, Shard,
};

/// `NFT_CT_STATE` and `NFT_CT_STATUS`.
const CT_STATE: u32 = 0;
const CT_STATUS: u32 = 2;
/// `NFT_CT_PROTO_DST`.
const CT_PORT: u32 = 12;
/// `NF_CT_STATE_BIT(IP_CT_ESTABLISHED)` and `NF_CT_STATE_BIT(IP_CT_RELATED)`.
const ESTABLISHED_OR_RELATED: u32 = 2 | 4;
/// `IPS_DST_NAT`.
const DESTINATION_TRANSLATED: u32 = 1 << 5;

/// `NFT_META_IIFKIND`, and the kind of a bridge, in the register's 16 bytes.
const META_IN_KIND: u32 = 26;
const BRIDGE: [u8; 16] = *b"bridge\0\0\0\0\0\0\0\0\0\0";

/// `NFT_SOCKET_WILDCARD` and `NFT_SOCKET_CGROUPV2`.
const SOCKET_WILDCARD: u32 = 2;
const SOCKET_CGROUP: u32 = 3;

/// Of a second.
const MILLISECONDS: u64 = 1000;

/// What names of bridges begin with that Docker makes up, and the bits of all sixteen bytes of the
/// name that are then looked at: bit 5 of fifteen characters, which digits and small letters have.
const NAME_START: &[u8] = b"br-";
const NAME_BITS: [u8; 16] = *b"               \0";

/// `NFT_CT_SRC_IP`, `NFT_CT_DST_IP` and the same of IPv6, with the length of the address.
fn address_key(end: Endpoint, family: Family) -> (u32, usize) {
    match (family, end) {
        (Family::Ip6, Endpoint::Source) => (21, 16),
        (Family::Ip6, Endpoint::Destination) => (22, 16),
        (_, Endpoint::Source) => (19, 4),
        (_, Endpoint::Destination) => (20, 4),
    }
}

/// Appends the expressions of a condition, as nft writes them.
pub fn add(nft: &mut nftnl::Rule, condition: &NftMatch) {
    match condition {
        NftMatch::CtStateEstablished => {
            nft.add_expr(&Conntrack::State);
            nft.add_expr(&Bitwise::new(ESTABLISHED_OR_RELATED, 0u32));
            nft.add_expr(&Cmp::new(CmpOp::Neq, 0u32));
        }
        NftMatch::CtStatusDnat => {
            nft.add_expr(&Conntrack::Status);
            nft.add_expr(&Bitwise::new(DESTINATION_TRANSLATED, 0u32));
            nft.add_expr(&Cmp::new(CmpOp::Neq, 0u32));
        }
        NftMatch::CtMark(bits) => {
            nft.add_expr(&Conntrack::Mark { set: false });
            nft.add_expr(&Bitwise::new(*bits, 0u32));
            nft.add_expr(&Cmp::new(CmpOp::Eq, *bits));
        }
        NftMatch::Family(family) => {
            add_family(nft, *family);
        }
        NftMatch::Interface(direction, interface) => {
            nft.add_expr(&meta(*direction));
            add_interface_name(nft, interface);
        }
        NftMatch::InBridge => {
            nft.add_expr(&MetaKey(META_IN_KIND));
            nft.add_expr(&Cmp::new(CmpOp::Eq, BRIDGE.as_slice()));
        }
        NftMatch::DockerBridgeName(direction) => {
            nft.add_expr(&meta(*direction));
            nft.add_expr(&Cmp::new(CmpOp::Eq, NAME_START));
            nft.add_expr(&meta(*direction));
            nft.add_expr(&Bitwise::new(NAME_BITS.as_slice(), [0u8; 16].as_slice()));
            nft.add_expr(&Cmp::new(CmpOp::Eq, NAME_BITS.as_slice()));
        }
        NftMatch::Destination(addresses) => add_destination(nft, addresses),
        NftMatch::Protocol(protocol) => add_protocol(nft, *protocol),
        NftMatch::Ports(ports) => {
            add_protocol(nft, ports.protocol());
            add_ports(nft, ports);
        }
        NftMatch::PortSet(protocol, set) => {
            add_protocol(nft, *protocol);
            load_port(nft);
            nft.add_expr(&Lookup(to_c_string(set)));
        }
        NftMatch::CtOriginalPorts(ports) => {
            add_protocol(nft, ports.protocol());
            nft.add_expr(&CtOriginal(CT_PORT));
            add_port_numbers(nft, ports);
        }
        NftMatch::CtOriginalAddress(end, addresses) => add_original(nft, *end, addresses),
        NftMatch::CtOriginalShard(family, part) => add_original_part(nft, *family, *part),
        NftMatch::CtOriginalSet(family, set) => {
            nft.add_expr(&CtOriginal(address_key(Endpoint::Source, *family).0));
            nft.add_expr(&Lookup(to_c_string(set)));
        }
        NftMatch::Cgroup(cgroup) => add_cgroup(nft, *cgroup),
        NftMatch::SocketWildcard(is_wildcard) => {
            nft.add_expr(&SocketKey { key: SOCKET_WILDCARD, level: None });
            nft.add_expr(&Cmp::new(CmpOp::Eq, u8::from(*is_wildcard)));
        }
    }
}

/// `socket cgroupv2 level 1 != 4711`
fn add_cgroup(nft: &mut nftnl::Rule, CgroupMatch { level, id, negated }: CgroupMatch) {
    nft.add_expr(&SocketKey { key: SOCKET_CGROUP, level: Some(level) });
    let operation = if negated { CmpOp::Neq } else { CmpOp::Eq };
    nft.add_expr(&Cmp::new(operation, id.to_ne_bytes().as_slice()));
}

fn meta(direction: Direction) -> Meta {
    match direction {
        Direction::In => Meta::IifName,
        Direction::Out => Meta::OifName,
    }
}

/// `meta nfproto ipv4 ip daddr 203.0.113.5`
fn add_destination(nft: &mut nftnl::Rule, addresses: &AddressSpec) {
    let family = addresses.family();
    add_family(nft, family);
    if let Some(network) = addresses.as_network() {
        let field = AddressFields::new(family == Family::Ip).destination;
        add_network(nft, &network, field);
    }
    if let Some(range) = addresses.as_range() {
        add_destination_range(nft, &range);
    }
}

/// `ct original ip saddr 192.0.2.0/24`
fn add_original(nft: &mut nftnl::Rule, end: Endpoint, addresses: &AddressSpec) {
    nft.add_expr(&CtOriginal(address_key(end, addresses.family()).0));
    let Some(network) = addresses.as_network() else {
        return add_between(nft, &octets(addresses.first()), &octets(addresses.last()));
    };
    let address = octets(network.ip());
    if usize::from(network.prefix()) < 8 * address.len() {
        let mask = octets(network.mask());
        nft.add_expr(&Bitwise::new(mask.as_slice(), vec![0u8; mask.len()].as_slice()));
    }
    nft.add_expr(&Cmp::new(CmpOp::Eq, address.as_slice()));
}

/// `ct original ip saddr & 0.0.0.7 == 0.0.0.3`
fn add_original_part(nft: &mut nftnl::Rule, family: Family, part: Shard) {
    let (key, length) = address_key(Endpoint::Source, family);
    nft.add_expr(&CtOriginal(key));
    add_part_of(nft, part, length);
}

/// Appends the expressions of a statement.
pub fn add_statement(nft: &mut nftnl::Rule, statement: &NftStatement) {
    let verdict = match statement {
        NftStatement::Accept => NftVerdict::Accept,
        NftStatement::Drop => NftVerdict::Drop,
        NftStatement::Jump(chain) => NftVerdict::Jump { chain: to_c_string(chain) },
        NftStatement::Goto(chain) => NftVerdict::Goto { chain: to_c_string(chain) },
        NftStatement::ClearCtMark(bits) => {
            nft.add_expr(&Conntrack::Mark { set: false });
            nft.add_expr(&Bitwise::new(!bits, 0u32));
            return nft.add_expr(&Conntrack::Mark { set: true });
        }
        NftStatement::UpdateSet(update) => return add_update(nft, update),
    };
    nft.add_expr(&verdict);
}

/// `update @SET { tcp dport timeout 1h }`
fn add_update(nft: &mut nftnl::Rule, SetUpdate { set, timeout, .. }: &SetUpdate) {
    load_port(nft);
    let timeout = u64::from(timeout.get()) * MILLISECONDS;
    nft.add_expr(&UpdateSet { set: to_c_string(set), timeout });
}
