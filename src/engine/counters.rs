//! Reads the counters of a policy from the kernel.

use super::{Engine, Error};
use crate::compile::{EntryCounters, GuardDrops, deny_counters, entry_counters, guard_drops};
use crate::policy::Policy;

/// What the rules of a policy counted since they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyCounters {
    /// What each entry that allows admitted, in the order of the policy's entries.
    pub entries: Vec<EntryCounters>,
    /// What each entry that denies refused, in the order of the policy's entries.
    pub denied: Vec<EntryCounters>,
    /// What the guard dropped, by path; empty without the guard.
    pub drops: Vec<GuardDrops>,
}

impl Engine {
    /// Reads what each entry of the policy in force admitted or refused, and what the guard dropped. See
    /// [`EntryCounters`] for what exactly is counted.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn counters(&mut self, policy: &Policy) -> Result<PolicyCounters, Error> {
        let snapshot = self.snapshot()?;
        Ok(PolicyCounters {
            entries: entry_counters(policy, &snapshot),
            denied: deny_counters(policy, &snapshot),
            drops: guard_drops(&snapshot),
        })
    }
}
