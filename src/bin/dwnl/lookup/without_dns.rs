//! Sources by name in a program that was built without them: they allow nobody.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use dwnl::Policy;
use dwnl::policy::HostName;

use super::Freshness;
use crate::report::{HostLabels, NameReport};
use crate::state::Store;

/// The names of a policy.
#[derive(Default)]
pub struct Names;

impl Names {
    /// The policy as it is, and a warning if it has names.
    pub fn resolve(
        &mut self,
        policy: Policy,
        _: Option<&Store>,
        _: Freshness,
    ) -> anyhow::Result<(Policy, Vec<String>)> {
        let warnings = warning(&policy).into_iter().collect();
        Ok((policy, warnings))
    }

    /// No name stands for an address.
    pub fn labels(&self, _: &Policy) -> HostLabels {
        HostLabels::new()
    }

    /// No name is known.
    pub fn reports(&self) -> Vec<NameReport> {
        Vec::new()
    }

    /// There is nothing to store.
    pub fn record(&self, _: Option<&Store>) -> Result<(), String> {
        Ok(())
    }
}

/// The names of the policy that `watch` keeps in force.
#[derive(Default)]
pub struct WatchedNames;

/// What the operator has to know: nothing.
#[allow(dead_code)]
pub enum NameNotice {
    /// Something is wrong.
    Warning(String),
    /// A name that could not be resolved is resolved again.
    Resolved(HostName),
}

impl WatchedNames {
    /// There is nothing to read.
    pub fn load(&mut self, _: Option<&Store>) -> Result<(), String> {
        Ok(())
    }

    /// The policy as it is.
    pub fn resolve(&self, policy: &Policy) -> Policy {
        policy.clone()
    }

    /// Fails if the policy has names.
    pub fn follow(&mut self, policy: &Policy) -> Result<(), String> {
        warning(policy).map_or(Ok(()), Err)
    }

    /// Nothing ever arrives.
    pub fn read(&mut self, _: Instant) -> (Vec<NameNotice>, bool) {
        (Vec::new(), false)
    }

    /// There is nothing to know.
    pub fn detached(&self) -> WatchedNames {
        WatchedNames
    }

    /// No name is known.
    pub fn reports(&self) -> Vec<NameReport> {
        Vec::new()
    }

    /// No name is looked up.
    pub fn problem_count(&self) -> usize {
        0
    }

    /// Nothing is ever due.
    pub fn due(&self) -> Option<Instant> {
        None
    }

    /// There is nothing to poll.
    pub fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// There is nothing to try again.
    pub fn retry(&mut self, _: Instant) {}

    /// There is nothing to store.
    pub fn record(&mut self, _: Option<&Store>, _: Instant) -> Result<(), String> {
        Ok(())
    }
}

fn warning(policy: &Policy) -> Option<String> {
    policy.dns_names().first().map(|name| {
        format!(
            "this dwnl was built without the feature `dns`: sources by name, such as {}, allow nobody",
            name.host()
        )
    })
}
