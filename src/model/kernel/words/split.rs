//! Splits what iptables and nft merge: two neighbouring fields of a header that are compared at once.

use super::super::part::{Comparison, Load, PayloadBase, RulePart};

/// The expressions with a comparison for each field.
pub fn split(parts: &[RulePart]) -> Vec<RulePart> {
    let mut split = Vec::with_capacity(parts.len());
    let mut rest = parts;
    while let Some((first, behind)) = rest.split_first() {
        match halves(rest) {
            Some(halves) => {
                split.extend(halves);
                rest = &behind[1..];
            }
            None => {
                split.push(first.clone());
                rest = behind;
            }
        }
    }
    split
}

/// Source and destination: ports, IPv4 addresses or IPv6 addresses.
fn halves(parts: &[RulePart]) -> Option<[RulePart; 4]> {
    let [
        RulePart::Load { to, what: Load::Payload { base, offset, length } },
        RulePart::Compare { from, comparison: Comparison::Equal, value },
        ..,
    ] = parts
    else {
        return None;
    };
    let is_pair = matches!(
        (base, offset, length),
        (PayloadBase::Transport, 0, 4)
            | (PayloadBase::Network, 12, 8)
            | (PayloadBase::Network, 8, 32)
    );
    if !is_pair || to != from || value.len() != *length as usize {
        return None;
    }
    let half = length / 2;
    let (source, destination) = value.split_at(half as usize);
    let load = |offset| RulePart::Load {
        to: *to,
        what: Load::Payload { base: *base, offset, length: half },
    };
    let compare = |value: &[u8]| RulePart::Compare {
        from: *from,
        comparison: Comparison::Equal,
        value: value.into(),
    };
    Some([load(*offset), compare(source), load(offset + half), compare(destination)])
}
