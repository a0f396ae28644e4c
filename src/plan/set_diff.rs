//! How one set becomes what it should be: the elements that go and those that come.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Change;
use crate::model::{Interval, Set};

/// The difference for one set that exists and is of the right kind.
pub(super) struct SetDiff<'a> {
    desired: &'a Set,
    installed: &'a Arc<[Interval]>,
    /// How many elements stay.
    pub unchanged: usize,
}

impl<'a> SetDiff<'a> {
    /// Walks both sorted lists once, unless they are one: an engine that wrote a set remembers the
    /// very list.
    pub fn new(desired: &'a Set, installed: &'a Arc<[Interval]>) -> SetDiff<'a> {
        let unchanged = if Arc::ptr_eq(&desired.elements, installed) {
            installed.len()
        } else {
            common(&desired.elements, installed)
        };
        SetDiff { desired, installed, unchanged }
    }

    /// Whether more goes than stays, so that the set is better replaced.
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

    /// Appends the changes: what goes first, then what comes.
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
