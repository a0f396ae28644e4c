//! Building a policy in memory, with the checks that concern several entries.

use std::collections::{HashMap, HashSet};

use super::{
    Allow, Deny, DockerSettings, Entry, Group, Guard, Log, Policy, PolicyError, Revoke, size,
};
use crate::model::Name;

/// Builds a [`Policy`]. What is wrong is reported by [`PolicyBuilder::build`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct PolicyBuilder {
    deny: Vec<Deny>,
    allow: Vec<Allow>,
    guard: Guard,
    revoke: Revoke,
    log: Log,
    docker: DockerSettings,
}

impl PolicyBuilder {
    /// Adds an entry that denies behind those added before.
    pub fn deny(mut self, entry: Deny) -> PolicyBuilder {
        self.deny.push(entry);
        self
    }

    /// Adds entries that deny behind those added before.
    pub fn deny_all(mut self, entries: impl IntoIterator<Item = Deny>) -> PolicyBuilder {
        self.deny.extend(entries);
        self
    }

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

    /// Sets the `[docker]` table.
    pub fn docker(self, docker: DockerSettings) -> PolicyBuilder {
        PolicyBuilder { docker, ..self }
    }

    /// The policy.
    ///
    /// # Errors
    /// [`PolicyError::DuplicateName`], [`PolicyError::ConflictingGroups`],
    /// [`PolicyError::TooManyRules`], [`PolicyError::SeveralZones`], and [`PolicyError::NeedsGuard`] for a
    /// log, a limit or a schedule without the guard.
    pub fn build(self) -> Result<Policy, PolicyError> {
        let PolicyBuilder { deny, allow, guard, revoke, log, docker } = self;
        if log.refused().is_some() && !guard.is_enabled() {
            return Err(PolicyError::NeedsGuard("refused"));
        }
        if let Some(key) = allow.iter().find_map(|entry| entry.limits().key())
            && !guard.is_enabled()
        {
            return Err(PolicyError::NeedsGuard(key));
        }
        let policy = Policy { deny, allow, guard, revoke, log, docker };
        let mut names = HashSet::new();
        for name in policy.entries().filter_map(Entry::name) {
            if !names.insert(name) {
                return Err(PolicyError::DuplicateName(name.clone()));
            }
        }
        check_groups(policy.groups())?;
        check_schedules(&policy)?;
        size::check(policy.entries(), policy.guard.swarm_peers().unwrap_or_default())?;
        Ok(policy)
    }
}

/// Only the guard looks at the time, and a policy has one time zone.
fn check_schedules(policy: &Policy) -> Result<(), PolicyError> {
    let mut schedules = policy.entries().filter_map(Entry::schedule);
    let Some(first) = schedules.next() else { return Ok(()) };
    if !policy.guard.is_enabled() {
        let key = match (first.until(), first.days()) {
            (Some(_), _) => "until",
            (None, Some(_)) => "days",
            (None, None) => "hours",
        };
        return Err(PolicyError::NeedsGuard(key));
    }
    let zone = first.zone();
    match schedules.find(|other| other.zone() != zone) {
        None => Ok(()),
        Some(other) => {
            Err(PolicyError::SeveralZones(zone.name().clone(), other.zone().name().clone()))
        }
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
