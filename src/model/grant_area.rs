//! What becomes of the grants in a set in which no two elements may overlap, when another one is added:
//! where two overlap, the one that lasts longer counts.

use super::{AddressSpec, Grant, Ports, Protocol, from_u128, to_u128};

/// The changes of a set that add a grant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GrantMerge {
    /// The elements to delete.
    pub deleted: Vec<Grant>,
    /// The elements to add then.
    pub added: Vec<Grant>,
}

/// The changes that add `new` to a set with these elements, of which no two overlap. It replaces one for
/// the same source and ports, whichever lasts longer.
pub(crate) fn merge(existing: &[Grant], new: &Grant) -> GrantMerge {
    let mut merge = GrantMerge::default();
    let mut pieces = vec![new.clone()];
    for other in existing.iter().filter(|other| overlap(other, new)) {
        let is_same = (other.source, other.ports) == (new.source, new.ports);
        if is_same || new.outlasts(other) {
            merge.added.extend(subtract(other, new));
            merge.deleted.push(other.clone());
        } else {
            pieces = pieces.iter().flat_map(|piece| subtract(piece, other)).collect();
        }
    }
    merge.added.extend(pieces);
    merge
}

impl Grant {
    /// Whether it is for nothing besides these sources and ports (`None`: every port).
    pub fn is_within(&self, source: &AddressSpec, ports: Option<Ports>) -> bool {
        let addresses = source.first()..=source.last();
        let is_source = self.source.version() == source.version()
            && addresses.contains(&self.source.first())
            && addresses.contains(&self.source.last());
        is_source
            && match (ports, self.ports) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(outer), Some(inner)) => {
                    outer.has(inner.protocol(), inner.first())
                        && outer.has(inner.protocol(), inner.last())
                }
            }
    }

    /// Whether there is a source and a port for which both are.
    pub fn overlaps(&self, other: &Grant) -> bool {
        overlap(self, other)
    }
}

fn overlap(a: &Grant, b: &Grant) -> bool {
    let have_ports = match (a.ports, b.ports) {
        (Some(a), Some(b)) => {
            a.protocol() == b.protocol() && a.first() <= b.last() && b.first() <= a.last()
        }
        _ => true,
    };
    have_ports
        && a.source.version() == b.source.version()
        && a.source.first() <= b.source.last()
        && b.source.first() <= a.source.last()
}

/// What remains of a grant without what another one is for.
fn subtract(grant: &Grant, other: &Grant) -> Vec<Grant> {
    if !overlap(grant, other) {
        return vec![grant.clone()];
    }
    let (own, others) = (ends(&grant.source), ends(&other.source));
    let mut pieces = Vec::new();
    let mut push = |(first, last): (u128, u128), ports| {
        let address = |number| from_u128(number, grant.source.version());
        let source = AddressSpec::range(address(first), address(last));
        pieces.extend(source.ok().map(|source| Grant { source, ports, ..grant.clone() }));
    };
    if own.0 < others.0 {
        push((own.0, others.0 - 1), grant.ports);
    }
    let common = (own.0.max(others.0), own.1.min(others.1));
    for ports in subtract_ports(grant.ports, other.ports) {
        push(common, Some(ports));
    }
    if others.1 < own.1 {
        push((others.1 + 1, own.1), grant.ports);
    }
    pieces
}

fn ends(source: &AddressSpec) -> (u128, u128) {
    (to_u128(source.first()), to_u128(source.last()))
}

/// The ports without others; `None`: all ports.
fn subtract_ports(ports: Option<Ports>, others: Option<Ports>) -> Vec<Ports> {
    let Some(others) = others else { return Vec::new() };
    let all = |protocol| Ports::new(protocol, 1, u16::MAX).ok();
    let ports: Vec<Ports> = match ports {
        Some(ports) => vec![ports],
        None => Protocol::ALL.into_iter().filter_map(all).collect(),
    };
    ports.into_iter().flat_map(|ports| without(ports, others)).collect()
}

fn without(ports: Ports, others: Ports) -> Vec<Ports> {
    if ports.protocol() != others.protocol() {
        return vec![ports];
    }
    let piece = |first, last| Ports::new(ports.protocol(), first, last).ok();
    let below = piece(ports.first(), ports.last().min(others.first() - 1));
    let above = others.last().checked_add(1);
    let above = above.and_then(|above| piece(ports.first().max(above), ports.last()));
    below.into_iter().chain(above).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::model::GrantAction;

    fn grant(source: &str, ports: Option<&str>, seconds: Option<u64>) -> Grant {
        Grant {
            action: GrantAction::Deny,
            source: source.parse().expect("a source"),
            ports: ports.map(|ports| ports.parse().expect("ports")),
            remaining: seconds.map(Duration::from_secs),
            note: None,
        }
    }

    fn words(grants: &[Grant]) -> Vec<String> {
        grants.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_same_again_is_replaced_even_by_a_shorter_one() {
        let old = grant("10.0.0.0/8", None, None);
        let new = grant("10.0.0.0/8", None, Some(60));
        let merged = merge(std::slice::from_ref(&old), &new);
        assert_eq!(merged, GrantMerge { deleted: vec![old], added: vec![new] });
    }

    #[test]
    fn the_longer_one_counts_where_two_overlap() {
        let net = grant("10.0.0.0/8", None, Some(600));
        let part = grant("10.1.0.0/16", None, Some(60));
        assert_eq!(merge(std::slice::from_ref(&net), &part), GrantMerge::default());
        let part = grant("10.1.0.0/16", None, Some(6000));
        let merged = merge(std::slice::from_ref(&net), &part);
        assert_eq!(words(&merged.deleted), ["banned 10.0.0.0/8"]);
        let left = ["10.0.0.0-10.0.255.255", "10.2.0.0-10.255.255.255", "10.1.0.0/16"];
        assert_eq!(words(&merged.added), left.map(|source| format!("banned {source}")));
        assert_eq!(merged.added[0].remaining, net.remaining);
    }

    #[test]
    fn ports_are_taken_out_of_all_ports() {
        let all = grant("10.0.0.7-10.0.0.8", None, Some(1));
        let one = grant("10.0.0.8-10.0.0.9", Some("443"), None);
        let merged = merge(&[all], &one);
        assert_eq!(
            words(&merged.added),
            [
                "banned 10.0.0.7",
                "banned 10.0.0.8 1-442/tcp",
                "banned 10.0.0.8 444-65535/tcp",
                "banned 10.0.0.8 1-65535/udp",
                "banned 10.0.0.8 1-65535/sctp",
                "banned 10.0.0.8-10.0.0.9 443/tcp",
            ]
        );
    }

    fn any_grant() -> impl Strategy<Value = Grant> {
        let ports = prop_oneof![
            Just(None),
            (prop::bool::ANY, 1u16..6, 0u16..3).prop_map(|(is_tcp, first, length)| {
                let protocol = if is_tcp { Protocol::Tcp } else { Protocol::Udp };
                Ports::new(protocol, first, first + length).ok()
            }),
        ];
        let seconds = prop::option::of(1u64..9);
        (0u8..8, 0u8..5, ports, seconds).prop_map(|(first, length, ports, seconds)| {
            let source = format!("10.0.0.{first}-10.0.0.{}", first + length);
            Grant { ports, ..grant(&source, None, seconds) }
        })
    }

    /// The end of the one that means this packet; `Some(None)`: none.
    fn end(grants: &[Grant], address: u8, port: Ports) -> Option<Option<Duration>> {
        let source = format!("10.0.0.{address}").parse().expect("an address");
        let packet = Grant { source, ports: Some(port), ..grant("10.0.0.0", None, None) };
        let mut found = grants.iter().filter(|it| overlap(it, &packet));
        let first = found.next().map(|it| it.remaining);
        assert!(found.next().is_none(), "no two overlap: {grants:?}");
        first
    }

    proptest! {
        #[test]
        fn what_is_added_holds_and_nothing_ends_sooner(
            grants in prop::collection::vec(any_grant(), 1..8)
        ) {
            let mut all: Vec<Grant> = Vec::new();
            for new in grants {
                let before = all.clone();
                let GrantMerge { deleted, added } = merge(&all, &new);
                all.retain(|it| !deleted.contains(it));
                all.extend(added);
                let is_same =
                    before.iter().any(|it| (it.source, it.ports) == (new.source, new.ports));
                for address in 0..14 {
                    for port in 1..9 {
                        for protocol in [Protocol::Tcp, Protocol::Udp] {
                            let port = Ports::single(protocol, port).expect("a port");
                            let (was, is) = (end(&before, address, port), end(&all, address, port));
                            let source = format!("10.0.0.{address}").parse().expect("one");
                            let is_new = overlap(&Grant { source, ports: Some(port), ..new.clone() }, &new);
                            let new_end = is_new.then_some(new.remaining);
                            // No end is later than any.
                            let longest = [was, new_end].into_iter().flatten().reduce(|a, b| {
                                a.zip(b).map(|(a, b)| a.max(b))
                            });
                            let expected = if is_new && is_same { new_end } else { longest };
                            prop_assert_eq!(is, expected);
                        }
                    }
                }
            }
        }
    }
}
