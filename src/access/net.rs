//! What a permit's loss or gain amounts to, given the other permits: a source that another entry still
//! allows loses nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::addresses::Addresses;
use super::delta::without_sets;
use super::permit::Permit;
use super::sources::{SetSource, Sources};
use crate::model::{AddressSpec, Ports, Protocol};

/// Maximum number of other permits for whose ports a permit is divided. Above it, only those count that
/// have all of its ports.
const DIVIDED_MAX: usize = 256;

/// The permits of one side, by their ports.
pub(super) struct PermitIndex<'a> {
    permits: &'a [(Permit, Arc<Sources>)],
    /// Those with one port.
    single: BTreeMap<(Protocol, u16), Vec<usize>>,
    /// Those with more.
    ranges: HashMap<Protocol, Vec<usize>>,
}

/// A part of a permit's ports, and what its sources lose or gain there.
pub(super) struct Net {
    pub ports: Ports,
    pub addresses: Arc<Addresses>,
    /// Other permits, with other interfaces, destinations or times, that allow some of these sources too.
    pub partly: Vec<Permit>,
}

impl<'a> PermitIndex<'a> {
    pub fn new(permits: &'a [(Permit, Arc<Sources>)]) -> PermitIndex<'a> {
        let mut index = PermitIndex { permits, single: BTreeMap::new(), ranges: HashMap::new() };
        for (number, (permit, _)) in permits.iter().enumerate() {
            let (protocol, first) = (permit.ports.protocol(), permit.ports.first());
            if first == permit.ports.last() {
                index.single.entry((protocol, first)).or_default().push(number);
            } else {
                index.ranges.entry(protocol).or_default().push(number);
            }
        }
        index
    }

    /// The parts of a permit's ports for which other permits do not allow all of these sources.
    pub fn net(&self, permit: &Permit, addresses: &Arc<Addresses>) -> Vec<Net> {
        let others = self.overlapping(permit);
        let parts = divide(permit.ports, others.iter().map(|(other, _)| other.ports));
        let (covering, partial): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|(other, _)| covers(other, permit));
        let net = parts.into_iter().filter_map(|ports| {
            let mut left = Arc::clone(addresses);
            for (_, sources) in covering.iter().filter(|(other, _)| other.ports.includes(&ports)) {
                left = without(left, sources);
            }
            let partly = partial.iter().filter(|(other, sources)| {
                let is_reduced = || *without(Arc::clone(&left), sources) != *left;
                other.ports.includes(&ports) && is_reduced()
            });
            let partly = partly.map(|(other, _)| Permit::clone(other)).collect();
            (!left.is_empty()).then_some(Net { ports, addresses: left, partly })
        });
        net.collect()
    }

    /// The other permits that have some of the same ports and may match the same packets.
    fn overlapping(&self, permit: &Permit) -> Vec<(&'a Permit, &'a Arc<Sources>)> {
        let mut others = self.coinciding(permit);
        others.retain(|(other, _)| *other != permit);
        others
    }

    /// The permits that have some of the same ports and may match the same packets.
    pub fn coinciding(&self, permit: &Permit) -> Vec<(&'a Permit, &'a Arc<Sources>)> {
        let (protocol, first, last) =
            (permit.ports.protocol(), permit.ports.first(), permit.ports.last());
        let single = self.single.range((protocol, first)..=(protocol, last)).flat_map(|(_, it)| it);
        let ranges = self.ranges.get(&protocol).into_iter().flatten();
        let others = single.chain(ranges).filter_map(|number| self.permits.get(*number));
        let overlaps = |other: &Permit| {
            other.ports.first() <= last
                && first <= other.ports.last()
                && may_coincide(other, permit)
        };
        let others = others.map(|(other, sources)| (other, sources));
        others.filter(|(other, _)| overlaps(other)).collect()
    }
}

/// The addresses that these sources do not include; the same value if they include none.
pub(super) fn without(addresses: Arc<Addresses>, sources: &Sources) -> Arc<Addresses> {
    if addresses.is_empty() {
        return addresses;
    }
    let sets: Vec<&SetSource> = sources.sets.iter().collect();
    let left = without_sets(addresses.without(&sources.own), &sets);
    if left == *addresses { addresses } else { Arc::new(left) }
}

/// The ports in parts, so that each of the others includes a part or has none of its ports.
pub(super) fn divide(ports: Ports, others: impl Iterator<Item = Ports>) -> Vec<Ports> {
    let others: Vec<Ports> = others.collect();
    let mut starts = vec![u32::from(ports.first())];
    if others.len() <= DIVIDED_MAX {
        starts.extend(others.iter().map(|other| u32::from(other.first())));
        starts.extend(others.iter().map(|other| u32::from(other.last()) + 1));
    }
    starts.retain(|start| (u32::from(ports.first())..=ports.last().into()).contains(start));
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).copied().chain([u32::from(ports.last()) + 1]);
    let part = |(first, end): (&u32, u32)| {
        let [first, last] = [*first, end - 1].map(|port| u16::try_from(port).ok());
        Ports::new(ports.protocol(), first?, last?).ok()
    };
    starts.iter().zip(ends).filter_map(part).collect()
}

/// Whether every packet that meets the interface, destination and times of `permit` meets those of `other`.
pub(super) fn covers(other: &Permit, permit: &Permit) -> bool {
    let is_interface = match (&other.in_interface, &permit.in_interface) {
        (None, _) => true,
        (Some(other), Some(own)) => other.cover(own),
        (Some(_), None) => false,
    };
    let is_destination = match (&other.to, &permit.to) {
        (None, _) => true,
        (Some(other), Some(own)) => contains(other, own),
        (Some(_), None) => false,
    };
    let is_time = other.times.iter().all(|times| permit.times.contains(times));
    is_interface && is_destination && is_time
}

fn contains(outer: &AddressSpec, inner: &AddressSpec) -> bool {
    outer.version() == inner.version()
        && outer.first() <= inner.first()
        && inner.last() <= outer.last()
}

/// Whether a packet may meet the interface and destination of both.
pub(super) fn may_coincide(one: &Permit, other: &Permit) -> bool {
    let are_apart = match (&one.to, &other.to) {
        (Some(one), Some(other)) => one.last() < other.first() || other.last() < one.first(),
        _ => false,
    };
    let are_interfaces_apart = match (&one.in_interface, &other.in_interface) {
        (Some(one), Some(other)) => one.are_apart(other),
        _ => false,
    };
    !are_apart && !are_interfaces_apart
}
