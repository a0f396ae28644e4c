//! Conditions → expressions, as nft writes them.

use nftnl::expr::{Bitwise, Cmp, CmpOp, Conntrack, Meta};

use super::{
    ADMITTED, BRIDGE, DESTINATION_TRANSLATED, ESTABLISHED_OR_RELATED, LOCAL, NAME_BITS, NAME_START,
    original, service,
};
use crate::model::{AddressSpec, CgroupMatch, Direction, NftMatch, TimeMatch};
use crate::netlink::c_string::to_c_string;
use crate::netlink::nfproto;
use crate::netlink::rule::expression::{
    CtLabels, FibDaddrType, HostToNetwork, Lookup, MetaKey, NegatedLookup, SocketKey,
};
use crate::netlink::rule::header::{AddressField, octets};
use crate::netlink::rule::writer::{
    add_between, add_interface_name, add_network, add_port_numbers, add_protocol, add_shard,
    load_address, load_port,
};
use crate::netlink::uapi::{meta_key, socket_key};

/// Appends the expressions of a condition.
pub fn add_match(nft: &mut nftnl::Rule, condition: &NftMatch) {
    match condition {
        NftMatch::CtStateEstablished => {
            nft.add_expr(&Conntrack::State);
            add_any_bit(nft, ESTABLISHED_OR_RELATED);
        }
        NftMatch::CtStatusDnat => {
            nft.add_expr(&Conntrack::Status);
            add_any_bit(nft, DESTINATION_TRANSLATED);
        }
        NftMatch::CtLabelAdmitted => {
            nft.add_expr(&CtLabels);
            nft.add_expr(&Bitwise::new(ADMITTED.as_slice(), [0u8; 16].as_slice()));
            nft.add_expr(&Cmp::new(CmpOp::Neq, [0u8; 16].as_slice()));
        }
        NftMatch::CtMark(bits) => {
            nft.add_expr(&Conntrack::Mark { set: false });
            nft.add_expr(&Bitwise::new(*bits, 0u32));
            nft.add_expr(&Cmp::new(CmpOp::Eq, *bits));
        }
        NftMatch::NfProto(version) => {
            nft.add_expr(&Meta::NfProto);
            nft.add_expr(&Cmp::new(CmpOp::Eq, nfproto::number((*version).into())));
        }
        NftMatch::Interface(direction, interface) => {
            load_name(nft, *direction);
            add_interface_name(nft, interface);
        }
        NftMatch::InBridge => {
            nft.add_expr(&MetaKey(meta_key::IIFKIND));
            nft.add_expr(&Cmp::new(CmpOp::Eq, BRIDGE.as_slice()));
        }
        NftMatch::DockerBridgeName(direction) => {
            load_name(nft, *direction);
            nft.add_expr(&Cmp::new(CmpOp::Eq, NAME_START));
            load_name(nft, *direction);
            nft.add_expr(&Bitwise::new(NAME_BITS.as_slice(), [0u8; 16].as_slice()));
            nft.add_expr(&Cmp::new(CmpOp::Eq, NAME_BITS.as_slice()));
        }
        NftMatch::Destination(addresses) => add_destination(nft, addresses),
        NftMatch::SourceShard(version, shard) => {
            load_address(nft, AddressField::source(*version));
            add_shard(nft, *shard, version.address_bytes());
        }
        NftMatch::SourceSet(version, set) => {
            load_address(nft, AddressField::source(*version));
            nft.add_expr(&Lookup(to_c_string(set)));
        }
        NftMatch::DstTypeLocal => {
            nft.add_expr(&FibDaddrType);
            nft.add_expr(&Cmp::new(CmpOp::Eq, LOCAL));
        }
        NftMatch::Protocol(protocol) => add_protocol(nft, *protocol),
        NftMatch::Ports(ports) => {
            add_protocol(nft, ports.protocol());
            load_port(nft);
            add_port_numbers(nft, ports);
        }
        NftMatch::PortSet(protocol, set) => {
            add_protocol(nft, *protocol);
            load_port(nft);
            nft.add_expr(&Lookup(to_c_string(set)));
        }
        NftMatch::ServiceSet(set) => service::add_service(nft, set),
        NftMatch::DestinationServiceSet(version, set) => {
            service::add_destination_service(nft, *version, set);
        }
        NftMatch::CtOriginalPorts(ports) => {
            add_protocol(nft, ports.protocol());
            original::load_port(nft);
            add_port_numbers(nft, ports);
        }
        NftMatch::CtOriginalAddress(end, addresses) => {
            original::add_addresses(nft, *end, addresses);
        }
        NftMatch::CtOriginalShard(version, shard) => {
            original::load_source(nft, *version);
            add_shard(nft, *shard, version.address_bytes());
        }
        NftMatch::CtOriginalSet(version, set) => {
            original::load_source(nft, *version);
            nft.add_expr(&Lookup(to_c_string(set)));
        }
        NftMatch::Time(time) => add_time(nft, time),
        NftMatch::CtOriginalServiceSet(version, set) => {
            original::load_source_and_port(nft, *version);
            nft.add_expr(&Lookup(to_c_string(set)));
        }
        NftMatch::Cgroup(cgroup) => add_cgroup(nft, *cgroup),
        NftMatch::SocketWildcard(is_wildcard) => {
            nft.add_expr(&SocketKey { key: socket_key::WILDCARD, level: None });
            nft.add_expr(&Cmp::new(CmpOp::Eq, u8::from(*is_wildcard)));
        }
        NftMatch::SocketTransparent(is_transparent) => {
            nft.add_expr(&SocketKey { key: socket_key::TRANSPARENT, level: None });
            nft.add_expr(&Cmp::new(CmpOp::Eq, u8::from(*is_transparent)));
        }
    }
}

/// `& BITS != 0`, behind the loading of a number.
fn add_any_bit(nft: &mut nftnl::Rule, bits: u32) {
    nft.add_expr(&Bitwise::new(bits, 0u32));
    nft.add_expr(&Cmp::new(CmpOp::Neq, 0u32));
}

/// `iifname`, `oifname`
fn load_name(nft: &mut nftnl::Rule, direction: Direction) {
    nft.add_expr(&match direction {
        Direction::In => Meta::IifName,
        Direction::Out => Meta::OifName,
    });
}

/// `ip daddr 203.0.113.5`, `ip daddr A-B`
fn add_destination(nft: &mut nftnl::Rule, addresses: &AddressSpec) {
    let field = AddressField::destination(addresses.version());
    match addresses.as_network() {
        Some(network) => add_network(nft, &network, field),
        None => {
            load_address(nft, field);
            add_between(nft, &octets(addresses.first()), &octets(addresses.last()));
        }
    }
}

/// `meta time @SET`, `meta time != @SET`
fn add_time(nft: &mut nftnl::Rule, TimeMatch { set, negated }: &TimeMatch) {
    nft.add_expr(&MetaKey(meta_key::TIME_NS));
    nft.add_expr(&HostToNetwork);
    match negated {
        false => nft.add_expr(&Lookup(to_c_string(set))),
        true => nft.add_expr(&NegatedLookup(to_c_string(set))),
    }
}

/// `socket cgroupv2 level 1 != 4711`
fn add_cgroup(nft: &mut nftnl::Rule, CgroupMatch { level, id, negated }: CgroupMatch) {
    nft.add_expr(&SocketKey { key: socket_key::CGROUPV2, level: Some(level) });
    let operation = if negated { CmpOp::Neq } else { CmpOp::Eq };
    nft.add_expr(&Cmp::new(operation, id.to_ne_bytes().as_slice()));
}
