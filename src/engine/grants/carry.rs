//! Grants and bans that outlive their sets: where a commit creates the sets, it fills them in the same
//! transaction, so that no banned source gets in between.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use super::read::consistent;
use crate::compile::{DWNL, grant_sets};
use crate::engine::{Engine, Error};
use crate::model::{Grant, GrantMerge, GrantSet, Snapshot, merge};
use crate::plan::{Change, Plan};

/// Grants and bans as they were at one moment.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Carried {
    grants: Vec<Grant>,
    at: Instant,
}

impl Default for Carried {
    fn default() -> Carried {
        Carried::now(Vec::new())
    }
}

impl Carried {
    /// Grants and bans that last as long as they say, from now on.
    pub fn now(grants: Vec<Grant>) -> Carried {
        Carried { grants, at: Instant::now() }
    }

    /// Those that have not ended, with the time that remains.
    fn present(&self) -> impl Iterator<Item = Grant> {
        let elapsed = self.at.elapsed();
        self.grants.iter().filter_map(move |grant| {
            let remaining = match grant.remaining {
                None => None,
                Some(remaining) => Some(remaining.checked_sub(elapsed).filter(|it| !it.is_zero())?),
            };
            Some(Grant { remaining, ..grant.clone() })
        })
    }
}

impl Engine {
    /// Has every commit from now on that creates the sets of grants and bans fill them with these, as far
    /// as they have not ended by then, and with what the sets held before. Sets that exist are left as
    /// they are.
    pub fn restore_grants(&mut self, grants: Vec<Grant>) {
        self.carried = Carried::now(grants);
    }

    /// What the sets that a plan creates are to hold.
    pub(in crate::engine) fn grants_for(
        &mut self,
        plan: &Plan,
    ) -> Result<BTreeMap<GrantSet, Vec<Grant>>, Error> {
        let mut contents: BTreeMap<GrantSet, Vec<Grant>> = created(plan);
        if contents.is_empty() {
            return Ok(contents);
        }
        let replaced = plan.changes.iter().any(|it| matches!(it, Change::DeleteTable { .. }));
        let sets: Vec<GrantSet> = contents.keys().copied().filter(|_| replaced).collect();
        let mut all: Vec<Grant> = self.carried.present().collect();
        for set in sets {
            // A set that does not exist holds nothing; a change of the ruleset fails the commit.
            all.extend(
                consistent(&mut self.connections[0], set, plan.generation)?.unwrap_or_default(),
            );
        }
        for grant in all {
            if let Some(grants) = contents.get_mut(&grant.set()) {
                put(grants, grant);
            }
        }
        for (set, grants) in contents.iter_mut().filter(|(set, _)| !set.has_ranges) {
            let mut seen = HashSet::with_capacity(grants.len());
            grants.reverse();
            grants.retain(|it| seen.insert((it.source, it.ports)));
            grants.truncate(set.capacity() as usize);
        }
        Ok(contents)
    }

    /// All grants and bans of a snapshot's sets.
    pub(in crate::engine) fn grants_of(&mut self, snapshot: &Snapshot) -> Result<Carried, Error> {
        let own = snapshot.tables.iter().find(|(path, _)| path.table.as_ref() == DWNL);
        let sets: Vec<GrantSet> =
            own.into_iter().flat_map(|(_, table)| grant_sets(table)).collect();
        let mut grants = Vec::new();
        for set in sets {
            grants.extend(super::read::elements(&mut self.connections[0], set, usize::MAX)?.grants);
        }
        Ok(Carried::now(grants))
    }

    /// Adds what was there at another time to what is restored, until the value that this returns is put
    /// back.
    pub(in crate::engine) fn carry(&mut self, more: &Carried) -> Carried {
        let all = self.carried.present().chain(more.present()).collect();
        std::mem::replace(&mut self.carried, Carried::now(all))
    }

    /// Puts back what [`Engine::carry`] returned.
    pub(in crate::engine) fn put_back(&mut self, carried: Carried) {
        self.carried = carried;
    }
}

/// Single addresses are sorted out later; ranges may not overlap.
fn put(grants: &mut Vec<Grant>, grant: Grant) {
    if !grant.set().has_ranges {
        return grants.push(grant);
    }
    let GrantMerge { deleted, added } = merge(grants, &grant);
    grants.retain(|it| !deleted.contains(it));
    grants.extend(added);
}

fn created(plan: &Plan) -> BTreeMap<GrantSet, Vec<Grant>> {
    let set = |change: &Change| match change {
        Change::AddSet(set, kind) if kind.is_by_hand() => GrantSet::named(&set.set),
        _ => None,
    };
    plan.changes.iter().filter_map(set).map(|set| (set, Vec::new())).collect()
}
