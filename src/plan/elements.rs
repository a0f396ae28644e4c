//! How one set becomes what it should be: the elements that go and those that come.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Change;
use crate::ruleset::{Interval, Set};

/// The difference for one set that exists and is of the right kind.
pub(super) struct ElementDifference {
    added: Vec<Interval>,
    removed: Vec<Interval>,
    unchanged: usize,
}

impl ElementDifference {
    /// Walks both sorted lists once.
    pub fn new(wanted: &[Interval], installed: &[Interval]) -> ElementDifference {
        let mut difference =
            ElementDifference { added: Vec::new(), removed: Vec::new(), unchanged: 0 };
        let (mut wanted, mut installed) = (wanted.iter().peekable(), installed.iter().peekable());
        loop {
            let order = match (wanted.peek(), installed.peek()) {
                (None, None) => return difference,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(wanted), Some(installed)) => wanted.cmp(installed),
            };
            match order {
                Ordering::Less => difference.added.extend(wanted.next()),
                Ordering::Greater => difference.removed.extend(installed.next()),
                Ordering::Equal => {
                    difference.unchanged += 1;
                    wanted.next();
                    installed.next();
                }
            }
        }
    }

    /// How many elements stay.
    pub fn unchanged(&self) -> usize {
        self.unchanged
    }

    /// Whether more goes than stays, so that the set is better replaced.
    pub fn is_replacement(&self) -> bool {
        self.removed.len() > self.unchanged
    }

    /// Appends the replacement of the set.
    pub fn push_replacement(self, set: &Set, changes: &mut Vec<Change>) {
        changes.push(Change::ReplaceSet {
            set: Arc::clone(&set.path),
            kind: set.kind,
            elements: Arc::clone(&set.elements),
            added: self.added,
            removed: self.removed,
            origin: Arc::clone(&set.origin),
        });
    }

    /// Appends the changes: what goes first, then what comes.
    pub fn push_onto(self, set: &Set, changes: &mut Vec<Change>) {
        let kind = set.kind;
        let path = || Arc::clone(&set.path);
        if !self.removed.is_empty() {
            changes.push(Change::DeleteElements { set: path(), kind, elements: self.removed });
        }
        if !self.added.is_empty() {
            let (elements, origin) = (self.added.into(), Arc::clone(&set.origin));
            changes.push(Change::AddElements { set: path(), kind, elements, origin });
        }
    }
}
