//! `Rule` → expressions, in the form and order of iptables 1.8.7, which every version from 1.8.7
//! to 1.8.13 reads alike: interface, protocol, source, destination, extensions, counter, verdict.

use std::ffi::CString;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use nftnl::expr::{Bitwise, Cmp, CmpOp, Meta, NetworkHeaderField, Payload, Verdict as NftVerdict};

use super::expression::{Counter, XtTarget};
use super::xt;
use crate::model::{INTERFACE_NAME_MAX, Interface, Match, Protocol, Rule, Verdict};

/// How many expressions the kernel takes in a rule (`NFT_RULE_MAXEXPRS`).
const EXPRESSIONS_MAX: usize = 128;
/// How many bytes the kernel takes of a name (`NFT_NAME_MAXLEN` less its NUL).
const NAME_MAX: usize = 255;

/// Where the addresses stand in the network header, in bytes from its beginning.
pub struct AddressFields {
    pub source: u32,
    pub destination: u32,
    /// Of an address, in bytes.
    pub length: usize,
}

impl AddressFields {
    pub fn new(is_ipv4: bool) -> AddressFields {
        if is_ipv4 {
            AddressFields { source: 12, destination: 16, length: 4 }
        } else {
            AddressFields { source: 8, destination: 24, length: 16 }
        }
    }
}

/// Appends the expressions of a rule to libnftnl's object.
pub fn add_expressions(nft: &mut nftnl::Rule, rule: &Rule, counter: Counter) {
    if let Some(interface) = &rule.in_interface {
        add_interface(nft, interface);
    }
    if let Some(protocol) = rule.protocol {
        add_protocol(nft, protocol);
    }
    if let Some(source) = &rule.source {
        add_network(nft, source, AddressFields::new(source.is_ipv4()).source);
    }
    if let Some(destination) = &rule.destination {
        let fields = AddressFields::new(destination.is_ipv4());
        add_network(nft, destination, fields.destination);
    }
    for extension in capped_matches(rule).filter_map(xt::encode) {
        nft.add_expr(&extension);
    }
    nft.add_expr(&counter);
    if let Some(verdict) = verdict(&rule.verdict) {
        nft.add_expr(&verdict);
    }
    if let Some(target) = xt::encode_target(&rule.verdict) {
        nft.add_expr(&XtTarget(target));
    }
}

/// The rule's extensions. Of more than the kernel takes only the first, still too many for it: what
/// libnftnl writes has to fit into the batch's buffer, and it does not look.
pub fn capped_matches(rule: &Rule) -> impl Iterator<Item = &Match> {
    rule.matches.iter().take(EXPRESSIONS_MAX + 1)
}

/// `-i eth0`: the name with its NUL; `-i eth+`: its beginning without.
pub fn add_interface(nft: &mut nftnl::Rule, interface: &Interface) {
    nft.add_expr(&Meta::IifName);
    add_interface_name(nft, interface);
}

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

/// `-p tcp`
pub fn add_protocol(nft: &mut nftnl::Rule, protocol: Protocol) {
    nft.add_expr(&Meta::L4Proto);
    nft.add_expr(&Cmp::new(CmpOp::Eq, protocol.number()));
}

/// `-s NETWORK` and `-d NETWORK`: a prefix of whole bytes compares those, any other is masked.
pub fn add_network(nft: &mut nftnl::Rule, network: &IpNetwork, offset: u32) {
    let address = octets(network.ip());
    let whole = usize::from(network.prefix() / 8);
    if network.prefix().is_multiple_of(8) {
        add_payload(nft, offset, whole);
        nft.add_expr(&Cmp::new(CmpOp::Eq, &address[..whole]));
        return;
    }
    let mask = octets(network.mask());
    add_payload(nft, offset, address.len());
    nft.add_expr(&Bitwise::new(mask.as_slice(), vec![0u8; mask.len()].as_slice()));
    nft.add_expr(&Cmp::new(CmpOp::Eq, address.as_slice()));
}

pub fn add_payload(nft: &mut nftnl::Rule, offset: u32, length: usize) {
    // The crate calls these bits, but writes them as the bytes that the kernel counts in.
    let field = NetworkHeaderField::Raw { offset_bits: offset, length_bits: length as u32 };
    nft.add_expr(&Payload::Network(field));
}

fn verdict(verdict: &Verdict) -> Option<NftVerdict> {
    Some(match verdict {
        Verdict::Accept => NftVerdict::Accept,
        Verdict::Return => NftVerdict::Return,
        Verdict::Jump(chain) => NftVerdict::Jump { chain: to_c_string(chain) },
        Verdict::Goto(chain) => NftVerdict::Goto { chain: to_c_string(chain) },
        Verdict::SetCtMark(_) | Verdict::Connmark { .. } | Verdict::Native(_) => return None,
    })
}

/// The network's octets: 4 or 16.
pub fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A C string of the text up to its first NUL. Of a name that the kernel does not take, as much as
/// it takes and one byte more.
pub fn to_c_string(text: &str) -> CString {
    let bytes = text.bytes().take_while(|byte| *byte != 0).take(NAME_MAX + 1);
    CString::new(bytes.collect::<Vec<u8>>()).unwrap_or_default()
}
