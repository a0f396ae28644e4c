//! Building a policy in memory, with the checks that concern several entries.

use std::collections::{HashMap, HashSet};

use super::{Allow, Group, Guard, Log, Policy, PolicyError, Revoke, size};
use crate::model::Name;

/// Builds a [`Policy`]. What is wrong is reported by [`PolicyBuilder::build`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct PolicyBuilder {
    allow: Vec<Allow>,
    guard: Guard,
    revoke: Revoke,
    log: Log,
}

impl PolicyBuilder {
    /// Adds an entry behind those added before.
    pub fn allow(mut self, entry: Allow) -> PolicyBuilder {
        self.allow.push(entry);
        self
    }

    /// Adds entries behind those added before.
    pub fn allow_all(mut self, entries: impl IntoIterator<Item = Allow>) -> PolicyBuilder {
        self.allow.extend(entries);
        self
    }

    /// Sets the `[guard]` table.
    pub fn guard(self, guard: Guard) -> PolicyBuilder {
        PolicyBuilder { guard, ..self }
    }

    /// Sets the `[revoke]` table.
    pub fn revoke(self, revoke: Revoke) -> PolicyBuilder {
        PolicyBuilder { revoke, ..self }
    }

    /// Sets the `[log]` table.
    pub fn log(self, log: Log) -> PolicyBuilder {
        PolicyBuilder { log, ..self }
    }

    /// The policy.
    ///
    /// # Errors
    /// [`PolicyError::DuplicateName`], [`PolicyError::ConflictingGroups`],
    /// [`PolicyError::TooManyRules`], and [`PolicyError::NeedsGuard`] for a log without the guard.
    pub fn build(self) -> Result<Policy, PolicyError> {
        let PolicyBuilder { allow, guard, revoke, log } = self;
        if log.refused().is_some() && !guard.is_enabled() {
            return Err(PolicyError::NeedsGuard("refused"));
        }
        let mut names = HashSet::new();
        for name in allow.iter().filter_map(Allow::name) {
            if !names.insert(name) {
                return Err(PolicyError::DuplicateName(name.clone()));
            }
        }
        let groups = allow.iter().filter_map(Allow::from).chain(guard.swarm_peers());
        check_groups(groups.flatten())?;
        size::check(&allow, guard.swarm_peers().unwrap_or_default())?;
        Ok(Policy { allow, guard, revoke, log })
    }
}

/// Groups of one name have the same sources.
fn check_groups<'a>(groups: impl Iterator<Item = &'a Group>) -> Result<(), PolicyError> {
    let mut known: HashMap<&Name, &Group> = HashMap::new();
    for (name, group) in groups.filter_map(|group| Some((group.name()?, group))) {
        if !known.entry(name).or_insert(group).agrees_with(group) {
            return Err(PolicyError::ConflictingGroups(name.clone()));
        }
    }
    Ok(())
}
