//! The difference between two accesses, by entry.

use std::collections::HashSet;
use std::sync::Arc;

use super::change::{AccessChange, Changes, EntryChange, Part};
use super::delta::Deltas;
use super::net::PermitIndex;
use super::sources::Sources;
use super::{Access, Permit, Protection};
use crate::model::Name;

/// What a change of rules means for sources. Empty if none gains or loses access.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessDiff {
    /// Whether and by what ports were blocked.
    pub before: Protection,
    /// Whether and by what they are blocked afterwards.
    pub after: Protection,
    /// Who gains and loses access: entries in the order of the policy, then those that are removed.
    pub changes: Vec<AccessChange>,
}

impl AccessDiff {
    /// Whether no source gains or loses access.
    pub fn is_empty(&self) -> bool {
        let readable = |protection| Protection { foreign_rules: 0, ..protection };
        self.changes.is_empty() && readable(self.before) == readable(self.after)
    }
}

pub(super) fn diff(before: &Access, after: &Access) -> AccessDiff {
    let mut comparison = Comparison::new(before, after);
    let old = before.index();
    for (permit, sources) in &after.permits {
        comparison.compare(permit, old.get(permit).copied(), Some(sources));
    }
    let kept = after.index();
    for (permit, sources) in before.permits.iter().filter(|(it, _)| !kept.contains_key(it)) {
        comparison.compare(permit, Some(sources), None);
    }
    let changes = comparison.changes.finish();
    AccessDiff { before: before.protection, after: after.protection, changes }
}

/// Compares permit by permit.
struct Comparison<'a> {
    before: Side<'a>,
    after: Side<'a>,
    deltas: Deltas,
    changes: Changes,
}

/// The permits before or after.
struct Side<'a> {
    index: PermitIndex<'a>,
    entries: HashSet<&'a Name>,
}

impl<'a> Side<'a> {
    fn new(access: &'a Access) -> Side<'a> {
        let entries = access.permits.iter().filter_map(|(permit, _)| permit.entry.as_ref());
        Side { index: PermitIndex::new(&access.permits), entries: entries.collect() }
    }

    /// Whether the entry of a permit exists. One without a name is known by its permit.
    fn has(&self, permit: &Permit, has_permit: bool) -> bool {
        permit.entry.as_ref().map_or(has_permit, |entry| self.entries.contains(entry))
    }
}

impl<'a> Comparison<'a> {
    fn new(before: &'a Access, after: &'a Access) -> Comparison<'a> {
        Comparison {
            before: Side::new(before),
            after: Side::new(after),
            deltas: Deltas::default(),
            changes: Changes::default(),
        }
    }

    fn compare(
        &mut self,
        permit: &Permit,
        before: Option<&Arc<Sources>>,
        after: Option<&Arc<Sources>>,
    ) {
        let delta = self.deltas.delta(before, after);
        let existed = self.before.has(permit, before.is_some());
        let kind = match (existed, self.after.has(permit, after.is_some())) {
            (false, _) => EntryChange::Added,
            (true, false) => EntryChange::Removed,
            (true, true) => EntryChange::Changed,
        };
        for (side, addresses, is_gain) in
            [(&self.before, &delta.gained, true), (&self.after, &delta.lost, false)]
        {
            if addresses.is_empty() {
                continue;
            }
            for net in side.index.net(permit, addresses) {
                self.changes.push(Part { permit, kind, is_gain, net });
            }
        }
    }
}
