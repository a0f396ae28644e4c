//! Subtracts what rules deny from the permits, so that what remains is what sources can reach.

use std::collections::HashMap;
use std::sync::Arc;

use super::Interfaces;
use super::addresses::{Addresses, subtract as subtract_intervals};
use super::net::{PermitIndex, covers, divide, may_coincide};
use super::permit::Permit;
use super::sources::{SetSource, Sources};
use crate::model::{AddressSpec, Interval, IpVersion, Name, Ports};

/// Maximum number of parts into which denials divide a permit. What further ones deny stays in it.
const PARTS_MAX: usize = 1024;

/// A permit with its sources; of a denial, what it denies.
type Part = (Permit, Arc<Sources>);

/// What remains of the permits. One that a denial concerns in part is divided.
pub(super) fn subtract(permits: Vec<Part>, denials: &[Part]) -> Vec<Part> {
    if denials.is_empty() {
        return permits;
    }
    let index = PermitIndex::new(denials);
    let mut rest = Remainders::default();
    let mut left = Collector::default();
    for (permit, sources) in permits {
        let denials = index.coinciding(&permit);
        let mut parts = vec![(permit, sources)];
        for (denial, denied) in denials {
            if parts.len() > PARTS_MAX {
                break;
            }
            let split = parts.into_iter().flat_map(|part| split(part, denial, denied, &mut rest));
            parts = split.collect();
        }
        parts.into_iter().for_each(|part| left.add(part));
    }
    left.parts
}

/// What a denial leaves of a part: first what it does not concern, then what remains of its sources.
fn split(part: Part, denial: &Permit, denied: &Arc<Sources>, rest: &mut Remainders) -> Vec<Part> {
    let is_concerned = overlap(part.0.ports, denial.ports) && may_coincide(&part.0, denial);
    if !is_concerned || rest.of(&part.1, denied).is_none() {
        return vec![part];
    }
    let (mut permit, mut sources) = part;
    let mut parts = Vec::new();
    let all = divide(permit.ports, [denial.ports].into_iter());
    for ports in all {
        match denial.ports.includes(&ports) {
            true => permit.ports = ports,
            false => parts.push((Permit { ports, ..permit.clone() }, Arc::clone(&sources))),
        }
    }
    if let Some(interface) =
        denial.in_interface.as_ref().filter(|_| !covers_interface(denial, &permit))
    {
        let Some((inside, outside)) = narrowed(permit.in_interface.as_ref(), interface) else {
            // A denial has one condition.
            parts.push((permit, sources));
            return parts;
        };
        parts
            .push((Permit { in_interface: Some(outside), ..permit.clone() }, Arc::clone(&sources)));
        permit.in_interface = Some(inside);
    }
    if let Some(to) = denial.to {
        for other in other_destinations(permit.to, to) {
            let sources = Arc::new(sources.of_version(other.version()));
            parts.push((Permit { to: Some(other), ..permit.clone() }, sources));
        }
        if permit.to.is_none() {
            let others = IpVersion::ALL.into_iter().filter(|version| *version != to.version());
            let others = others.map(|version| Arc::new(sources.of_version(version)));
            parts.extend(others.map(|sources| (permit.clone(), sources)));
            sources = Arc::new(sources.of_version(to.version()));
        }
        permit.to = Some(intersection(permit.to, to));
    }
    let left = rest.of(&sources, denied).unwrap_or_else(|| Arc::clone(&sources));
    if !denial.times.is_empty() {
        // What is denied at times remains at the others.
        let own = sources.addresses().without(&left.addresses());
        let times = union_of_times(&permit.times, &denial.times);
        let concerned = Arc::new(Sources { own, sets: Vec::new() });
        parts.push((Permit { times, ..permit.clone() }, concerned));
    }
    parts.push((permit, left));
    parts.retain(|(_, sources)| !sources.is_empty());
    parts
}

fn overlap(one: Ports, other: Ports) -> bool {
    one.protocol() == other.protocol() && one.first() <= other.last() && other.first() <= one.last()
}

/// Whether the denial's conditions on the interface hold for all packets of the permit.
fn covers_interface(denial: &Permit, permit: &Permit) -> bool {
    covers(&Permit { to: None, times: Vec::new(), ..denial.clone() }, permit)
}

fn union_of_times(one: &[Name], other: &[Name]) -> Vec<Name> {
    let mut both = [one, other].concat();
    both.sort_unstable();
    both.dedup();
    both
}

/// The conditions with one more, and with its opposite.
fn narrowed(known: Option<&Interfaces>, by: &Interfaces) -> Option<(Interfaces, Interfaces)> {
    let (inside, outside) = (by.single()?.clone(), by.inverted()?);
    Some(match known {
        Some(known) => (known.and(inside), known.and(outside)),
        None => (Interfaces::one(inside), Interfaces::one(outside)),
    })
}

/// The destinations of a permit that a denial for `denied` does not concern, of the same IP version.
fn other_destinations(to: Option<AddressSpec>, denied: AddressSpec) -> Vec<AddressSpec> {
    let version = denied.version();
    let all = to.map_or(Interval::all(version), |to| Interval::of(&to));
    let others = subtract_intervals(&[all], &[Interval::of(&denied)]);
    others.into_iter().map(|interval| interval.addresses(version)).collect()
}

fn intersection(to: Option<AddressSpec>, denied: AddressSpec) -> AddressSpec {
    let Some(to) = to else { return denied };
    let (one, other) = (Interval::of(&to), Interval::of(&denied));
    let both = Interval { first: one.first.max(other.first), last: one.last.min(other.last) };
    both.addresses(denied.version())
}

/// What is left of sources without those of a denial, each pair computed once. The pairs are kept, so that
/// no other sources can have their addresses in memory.
#[derive(Default)]
struct Remainders {
    known: HashMap<[*const Sources; 2], Remainder>,
    /// The addresses of the denials.
    denied: HashMap<*const Sources, Arc<Addresses>>,
}

struct Remainder {
    _pair: [Arc<Sources>; 2],
    left: Option<Arc<Sources>>,
}

impl Remainders {
    /// What is left; `None`: all.
    fn of(&mut self, sources: &Arc<Sources>, denied: &Arc<Sources>) -> Option<Arc<Sources>> {
        let key = [Arc::as_ptr(sources), Arc::as_ptr(denied)];
        if let Some(known) = self.known.get(&key) {
            return known.left.clone();
        }
        let without = self.denied.entry(Arc::as_ptr(denied));
        let without = without.or_insert_with(|| Arc::new(denied.addresses()));
        let all = sources.addresses();
        let own = all.without(without);
        let left = (own != all).then(|| Arc::new(Sources { own, sets: Vec::new() }));
        let pair = [Arc::clone(sources), Arc::clone(denied)];
        self.known.insert(key, Remainder { _pair: pair, left: left.clone() });
        left
    }
}

/// Joins the sources of equal permits, as parts of entries without a name can be.
#[derive(Default)]
struct Collector {
    parts: Vec<Part>,
    index: HashMap<Permit, usize>,
}

impl Collector {
    fn add(&mut self, (permit, sources): Part) {
        if sources.is_empty() {
            return;
        }
        let next = self.parts.len();
        let index = *self.index.entry(permit.clone()).or_insert(next);
        match self.parts.get_mut(index) {
            Some((_, known)) => *known = Arc::new(union(known, &sources)),
            None => self.parts.push((permit, sources)),
        }
    }
}

fn union(one: &Sources, other: &Sources) -> Sources {
    let both = |version| one.own.of(version).chain(other.own.of(version));
    let own = Addresses::merged(both(IpVersion::V4), both(IpVersion::V6));
    let new = |set: &&SetSource| !one.sets.contains(set);
    let sets = one.sets.iter().chain(other.sets.iter().filter(new)).cloned().collect();
    Sources { own, sets }
}
