//! The changes for one set: elements to delete and elements to add.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Change;
use crate::model::{Interval, Set};

/// The difference for one set that exists and is of the right kind.
pub(super) struct SetDiff<'a> {
    desired: &'a Set,
    installed: &'a Arc<[Interval]>,
    /// How many elements remain.
    pub unchanged: usize,
}

impl<'a> SetDiff<'a> {
    /// Compares the sorted lists in one pass, unless they are the same allocation: an engine caches
    /// the list that it wrote.
    pub fn new(desired: &'a Set, installed: &'a Arc<[Interval]>) -> SetDiff<'a> {
        let unchanged = if Arc::ptr_eq(&desired.elements, installed) {
            installed.len()
        } else {
            common(&desired.elements, installed)
        };
        SetDiff { desired, installed, unchanged }
    }

    /// Whether more elements are deleted than remain, so that replacing the set is cheaper.
    pub fn is_replacement(&self) -> bool {
        self.installed.len() - self.unchanged > self.unchanged
    }

    /// Appends the replacement of the set.
    pub fn push_replacement(self, changes: &mut Vec<Change>) {
        changes.push(Change::ReplaceSet {
            set: Arc::clone(&self.desired.path),
            kind: self.desired.kind,
            elements: Arc::clone(&self.desired.elements),
            before: Arc::clone(self.installed),
            unchanged: self.unchanged,
            origin: Arc::clone(&self.desired.origin),
        });
    }

    /// Appends the changes: first deletions, then additions.
    pub fn push_onto(self, changes: &mut Vec<Change>) {
        let Set { path, kind, elements, origin } = self.desired;
        if self.installed.len() > self.unchanged {
            let elements = Interval::difference(self.installed, elements).collect();
            changes.push(Change::DeleteElements { set: Arc::clone(path), kind: *kind, elements });
        }
        if elements.len() > self.unchanged {
            let elements = Interval::difference(elements, self.installed).collect();
            let (set, origin) = (Arc::clone(path), Arc::clone(origin));
            changes.push(Change::AddElements { set, kind: *kind, elements, origin });
        }
    }
}

/// How many elements two sorted lists have in common.
fn common(a: &[Interval], b: &[Interval]) -> usize {
    let (mut a, mut b, mut number) = (a, b, 0);
    while let ([first_a, rest_a @ ..], [first_b, rest_b @ ..]) = (a, b) {
        match first_a.cmp(first_b) {
            Ordering::Less => a = rest_a,
            Ordering::Greater => b = rest_b,
            Ordering::Equal => (a, b, number) = (rest_a, rest_b, number + 1),
        }
    }
    number
}
