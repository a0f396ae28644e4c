//! The expressions that rules of iptables and of nft have in common.

use ipnetwork::IpNetwork;
use nftnl::expr::{Bitwise, Cmp, CmpOp, Meta, NetworkHeaderField, Payload};

use super::expression::destination_port;
use super::header::{AddressField, octets};
use crate::model::{INTERFACE_NAME_MAX, Interface, Ports, Protocol, Shard};

/// Maximum number of expressions that the kernel takes in a rule (`NFT_RULE_MAXEXPRS`).
const EXPRESSIONS_MAX: usize = 128;

/// A rule's conditions. If they are too many for the kernel, only the first of them, which are
/// still too many: libnftnl does not check that what it writes fits into the batch's buffer.
pub fn capped<M>(matches: &[M]) -> impl Iterator<Item = &M> {
    matches.iter().take(EXPRESSIONS_MAX + 1)
}

/// `eth0`, behind the loading of an interface's name: the name with its NUL; `eth+`: its beginning
/// without.
pub fn add_interface_name(nft: &mut nftnl::Rule, interface: &Interface) {
    let mut name = interface.name().as_bytes().to_vec();
    if !interface.is_wildcard() {
        name.push(0);
    }
    // libnftnl copies the bytes into a field of fixed size. No interface has so long a name, nor
    // one that begins with so much.
    name.truncate(INTERFACE_NAME_MAX + 1);
    let operation = if interface.is_negated() { CmpOp::Neq } else { CmpOp::Eq };
    nft.add_expr(&Cmp::new(operation, name.as_slice()));
}

/// `-p tcp`, `meta l4proto tcp`
pub fn add_protocol(nft: &mut nftnl::Rule, protocol: Protocol) {
    nft.add_expr(&Meta::L4Proto);
    nft.add_expr(&Cmp::new(CmpOp::Eq, protocol.number()));
}

/// `-s NETWORK`, `-d NETWORK`, `ip daddr NETWORK`: a prefix of whole bytes compares those, any
/// other is masked.
pub fn add_network(nft: &mut nftnl::Rule, network: &IpNetwork, field: AddressField) {
    let address = octets(network.ip());
    let whole = usize::from(network.prefix() / 8);
    if network.prefix().is_multiple_of(8) {
        load_network_header(nft, field.offset(), whole);
        nft.add_expr(&Cmp::new(CmpOp::Eq, &address[..whole]));
        return;
    }
    let mask = octets(network.mask());
    load_address(nft, field);
    nft.add_expr(&Bitwise::new(mask.as_slice(), vec![0u8; mask.len()].as_slice()));
    nft.add_expr(&Cmp::new(CmpOp::Eq, address.as_slice()));
}

/// Loads a whole address.
pub fn load_address(nft: &mut nftnl::Rule, field: AddressField) {
    load_network_header(nft, field.offset(), field.length());
}

/// Loads bytes of the IP header.
fn load_network_header(nft: &mut nftnl::Rule, offset: u32, length: usize) {
    // The crate calls these bits, but writes them as the bytes that the kernel counts in.
    let field = NetworkHeaderField::Raw { offset_bits: offset, length_bits: length as u32 };
    nft.add_expr(&Payload::Network(field));
}

/// `tcp dport`, behind the protocol.
pub fn load_port(nft: &mut nftnl::Rule) {
    nft.add_expr(&destination_port());
}

/// `443`, `8000-8100`, behind the loading of a port.
pub fn add_port_numbers(nft: &mut nftnl::Rule, ports: &Ports) {
    add_between(nft, &ports.first().to_be_bytes(), &ports.last().to_be_bytes());
}

/// `A`, `A-B`, behind the loading of an address or a port.
pub fn add_between(nft: &mut nftnl::Rule, first: &[u8], last: &[u8]) {
    if first == last {
        nft.add_expr(&Cmp::new(CmpOp::Eq, first));
    } else {
        nft.add_expr(&Cmp::new(CmpOp::Gte, first));
        nft.add_expr(&Cmp::new(CmpOp::Lte, last));
    }
}

/// `& 0.0.0.7 == 0.0.0.3`, behind the loading of an address of this length in bytes.
pub fn add_shard(nft: &mut nftnl::Rule, shard: Shard, length: usize) {
    let bytes = |bits: u128| bits.to_be_bytes()[16 - length..].to_vec();
    nft.add_expr(&Bitwise::new(bytes(shard.mask).as_slice(), bytes(0).as_slice()));
    nft.add_expr(&Cmp::new(CmpOp::Eq, bytes(shard.value).as_slice()));
}
