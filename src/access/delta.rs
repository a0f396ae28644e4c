//! What one permit loses and gains between two rulesets.

use std::collections::HashMap;
use std::sync::Arc;

use super::addresses::Addresses;
use super::sources::{SetSource, Sources};
use crate::model::{Interval, IpVersion};

/// What the sources of a permit lose and gain.
#[derive(Debug, Default)]
pub(super) struct Delta {
    pub lost: Arc<Addresses>,
    pub gained: Arc<Addresses>,
}

/// Computes the deltas of permits. Permits share their sources, so each pair is compared once.
#[derive(Default)]
pub(super) struct Deltas {
    known: HashMap<[*const Sources; 2], Arc<Delta>>,
    /// Whether two sets have the same elements.
    equal: HashMap<[*const Interval; 2], bool>,
    none: Arc<Sources>,
}

impl Deltas {
    /// The delta from the first sources to the second. `None`: the permit does not exist.
    pub fn delta(
        &mut self,
        before: Option<&Arc<Sources>>,
        after: Option<&Arc<Sources>>,
    ) -> Arc<Delta> {
        let [before, after] = [before, after].map(|it| Arc::clone(it.unwrap_or(&self.none)));
        let key = [Arc::as_ptr(&before), Arc::as_ptr(&after)];
        if let Some(known) = self.known.get(&key) {
            return Arc::clone(known);
        }
        let delta = Arc::new(self.compare(&before, &after));
        self.known.insert(key, Arc::clone(&delta));
        delta
    }

    /// Sets with equal elements are not merged with the others, which would take long.
    fn compare(&mut self, before: &Sources, after: &Sources) -> Delta {
        let (mut common, mut ours) = (Vec::new(), Vec::new());
        let mut theirs: Vec<&SetSource> = after.sets.iter().collect();
        for set in &before.sets {
            match theirs.iter().position(|other| self.are_equal(set, other)) {
                Some(index) => common.push(theirs.swap_remove(index)),
                None => ours.push(set),
            }
        }
        let changed = |sources: &Sources, sets: &[&SetSource]| {
            let all = |version| {
                let elements = elements(sets, version).flatten().copied();
                sources.own.of(version).chain(elements)
            };
            Addresses::merged(all(IpVersion::V4), all(IpVersion::V6))
        };
        let (before, after) = (changed(before, &ours), changed(after, &theirs));
        let (lost, gained) = match (before.is_empty(), after.is_empty()) {
            (true, _) | (_, true) => (before, after),
            _ => (before.without(&after), after.without(&before)),
        };
        let [lost, gained] = [lost, gained].map(|it| Arc::new(without_sets(it, &common)));
        Delta { lost, gained }
    }

    fn are_equal(&mut self, one: &SetSource, other: &SetSource) -> bool {
        if one.name != other.name || one.version != other.version {
            return false;
        }
        let key = [one.elements.as_ptr(), other.elements.as_ptr()];
        let compare =
            || Arc::ptr_eq(&one.elements, &other.elements) || one.elements == other.elements;
        *self.equal.entry(key).or_insert_with(compare)
    }
}

/// The addresses that are in none of the sets.
pub(super) fn without_sets(addresses: Addresses, sets: &[&SetSource]) -> Addresses {
    let without = |left: Addresses, set: &&SetSource| left.without_set(set.version, &set.elements);
    sets.iter().fold(addresses, |left, set| if left.is_empty() { left } else { without(left, set) })
}

fn elements<'a>(
    sets: &'a [&'a SetSource],
    version: IpVersion,
) -> impl Iterator<Item = &'a [Interval]> {
    sets.iter().filter(move |set| set.version == version).map(|set| &*set.elements)
}
