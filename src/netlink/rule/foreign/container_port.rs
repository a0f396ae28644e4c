//! The port that a rule of Docker translates to: that of the container.

use crate::netlink::attribute::{Attribute, Attributes};
use crate::netlink::rule::expression::Expression;
use crate::netlink::uapi;

/// `NF_NAT_RANGE_PROTO_SPECIFIED`: the blob has ports.
const HAS_PORTS: u32 = 2;

/// The port of `-j DNAT --to-destination ADDRESS:PORT`, or of nft's `dnat to ADDRESS:PORT`. The bytes
/// are the attributes of `NFT_MSG_NEWRULE`, from which the expressions were read.
pub fn container_port(expressions: &[Expression], attributes: &Attributes) -> Option<u16> {
    let translation = expressions.iter().find(|expression| match expression {
        Expression::Target { name, .. } => name == "DNAT",
        Expression::Other(name) => name == "nat",
        _ => false,
    });
    match translation? {
        Expression::Target { revision, info, .. } => of_target(*revision, info),
        _ => of_expressions(attributes.clone()),
    }
}

/// The port that a `nat` expression finds in a register.
fn of_expressions(attributes: Attributes) -> Option<u16> {
    let list = attributes.find(uapi::rule::EXPRESSIONS)?;
    // What has been loaded, with its register.
    let mut loaded: Vec<(u32, &[u8])> = Vec::new();
    for element in list.nested() {
        let name = element.nested().find(uapi::expression::NAME)?.string();
        let Some(data) = element.nested().find(uapi::expression::DATA) else { continue };
        match name.as_ref() {
            "immediate" => loaded.extend(immediate(data)),
            "nat" => return of_nat(data, &loaded),
            _ => {}
        }
    }
    None
}

/// The blob of the target `DNAT`: `struct nf_nat_ipv4_multi_range_compat` in revision 0,
/// `struct nf_nat_range` or `struct nf_nat_range2` in later ones.
fn of_target(revision: u32, info: &[u8]) -> Option<u16> {
    let (flags, first) = if revision == 0 { (4, 16) } else { (0, 36) };
    let flags = u32::from_ne_bytes(info.get(flags..flags + 4)?.try_into().ok()?);
    let ports: [u8; 4] = info.get(first..first + 4)?.try_into().ok()?;
    let [a, b, c, d] = ports;
    let port = u16::from_be_bytes([a, b]);
    (flags & HAS_PORTS != 0 && [a, b] == [c, d] && port > 0).then_some(port)
}

/// The register and the bytes that are loaded into it.
fn immediate(data: Attribute<'_>) -> Option<(u32, &[u8])> {
    let register = data.nested().find(uapi::immediate::DESTINATION)?.be_u32()?;
    let value = data.nested().find(uapi::immediate::DATA)?.nested().find(uapi::data::VALUE)?;
    Some((register, value.payload))
}

fn of_nat(data: Attribute, loaded: &[(u32, &[u8])]) -> Option<u16> {
    let number = |attribute| data.nested().find(attribute)?.be_u32();
    if number(uapi::nat::TYPE)? != uapi::nat::DESTINATION_NAT {
        return None;
    }
    let register = number(uapi::nat::REGISTER_PORT_MIN)?;
    let (_, value) = loaded.iter().rfind(|(loaded, _)| *loaded == register)?;
    let port = u16::from_be_bytes(value.first_chunk().copied()?);
    (port > 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_a_target_is_read() {
        let mut compat = vec![0; 24];
        compat[..8].copy_from_slice(&[1u32.to_ne_bytes(), 3u32.to_ne_bytes()].concat());
        compat[16..20].copy_from_slice(&[31, 65, 31, 65]);
        assert_eq!(of_target(0, &compat), Some(8001));
        let mut range = vec![0; 48];
        range[..4].copy_from_slice(&3u32.to_ne_bytes());
        range[36..40].copy_from_slice(&[0, 80, 0, 80]);
        assert_eq!(of_target(2, &range), Some(80));
        assert_eq!(of_target(1, &range[..40]), Some(80));
        range[39] = 81;
        assert_eq!(of_target(2, &range), None, "several ports");
        range[..4].copy_from_slice(&1u32.to_ne_bytes());
        assert_eq!(of_target(2, &range), None, "no ports");
        assert_eq!(of_target(0, &[0; 8]), None);
    }
}
