//! Keeps the ports of containers in a policy current.

use std::time::{Duration, Instant, SystemTime};

use dwnl::Policy;
use dwnl::model::Containers;
use dwnl::policy::PolicyWarning;

use super::containers::{Follower, Update};
use super::events::{conflicts, news};
use super::{FOLLOWING, READING_CONTAINERS, READING_EVENTS, STORING_CONTAINERS, Watch};
use crate::apply::{self, Findings};
use crate::lookup::containers::{Found, complete, look_up, to_store, unreachable};
use crate::report::Event;
use crate::state::Recorder;

/// The pause before rules that could not be written are tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The containers as a watch knows them.
#[derive(Default)]
pub(super) struct FollowedContainers {
    follower: Option<Follower>,
    known: Containers,
    /// When they were found; `None` if they never were.
    since: Option<SystemTime>,
    /// Why they are not those of now.
    failure: Option<String>,
    /// What was warned of.
    warnings: Vec<String>,
    /// When rules have to be written that could not be written before.
    retry_at: Option<Instant>,
}

impl FollowedContainers {
    /// What to wait for.
    pub fn follower(&self) -> Option<&Follower> {
        self.follower.as_ref()
    }

    /// When something is due.
    pub fn due(&self) -> Option<Instant> {
        self.retry_at
    }

    /// The last update since the last call.
    fn take(&mut self) -> Option<Update> {
        self.follower.as_mut().and_then(Follower::take)
    }
}

impl Watch {
    /// The policy with the ports of its containers, and what there is to warn of. The containers are
    /// followed from now on, if the policy needs them.
    pub(super) fn complete(&mut self, policy: &Policy) -> (Policy, Vec<String>) {
        let socket = policy.needs_containers().then(|| policy.docker().socket());
        if self.containers.follower.as_ref().map(Follower::socket) != socket {
            self.containers = FollowedContainers::default();
            if let Some(socket) = socket {
                let known = || self.recorder.as_ref().and_then(Recorder::known_containers);
                let Found { containers, since, failure } = look_up(policy, known);
                (self.containers.known, self.containers.since) = (containers, since);
                self.containers.failure = failure;
                let started = Follower::start(socket);
                self.containers.follower = self.log.success(FOLLOWING, started);
            }
        }
        let (policy, mut warnings) = complete(policy, &self.containers.known);
        self.containers.warnings.clone_from(&warnings);
        self.store_containers(&policy);
        if let Some(reason) = &self.containers.failure {
            let socket = policy.docker().socket();
            warnings.push(unreachable(socket, reason, self.containers.since));
        }
        (policy, warnings)
    }

    /// Takes over what has changed, and what could not be written before.
    pub(super) fn follow_containers(&mut self) {
        let now = Instant::now();
        let update = self.containers.take();
        let is_due = self.containers.retry_at.is_some_and(|due| due <= now);
        if update.is_none() && !is_due {
            return;
        }
        let lacks_events = update.as_ref().and_then(|update| update.lacks_events.clone());
        self.log.success(READING_EVENTS, lacks_events.map_or(Ok(()), Err));
        match update.map(|update| update.list) {
            Some(Ok(list)) => {
                self.log.clear(READING_CONTAINERS);
                self.containers.known = Containers { list, is_current: true };
                self.containers.since = Some(SystemTime::now());
                self.containers.failure = None;
            }
            Some(Err(reason)) => {
                self.log.warn_once(READING_CONTAINERS, &reason);
                self.containers.known.is_current = false;
                self.containers.failure = Some(reason);
            }
            None => {}
        }
        self.containers.retry_at = None;
        let Some(current) = self.reconciler.policy() else { return };
        let (policy, warnings) = complete(current, &self.containers.known);
        let has_changed = policy != *current;
        let warnings = news(&mut self.containers.warnings, warnings);
        self.warn(&warnings);
        self.store_containers(&policy);
        if has_changed {
            self.set_containers(policy);
        }
    }

    /// Puts the policy in force that has other ports of containers.
    fn set_containers(&mut self, policy: Policy) {
        let applied = self.reconciler.set_policy(policy);
        self.counters.conflicts += conflicts(&applied.as_ref().map(|applied| &applied.outcome));
        let Some(applied) = self.log.success(FOLLOWING, applied) else {
            self.containers.retry_at = Some(Instant::now() + RETRY);
            return;
        };
        self.counters.uncovered_ports = applied.uncovered.len();
        let policy = self.reconciler.policy();
        let mut found = policy.map(|it| Findings::of(it, &applied)).unwrap_or_default();
        found.is_fallback = self.counters.is_fallback;
        let of_file = self.loaded.iter().flat_map(|loaded| &loaded.warnings);
        let of_file = of_file.map(PolicyWarning::to_line).chain(self.containers.warnings.clone());
        found.warnings.splice(..0, of_file);
        let warnings = news(&mut self.reported.warnings, found.warnings.clone());
        found.uncovered = news(&mut self.reported.uncovered, found.uncovered);
        let translations = &mut self.reported.foreign_translations;
        found.foreign_translations = news(translations, found.foreign_translations);
        let done = apply::report(&applied, found, applied.elapsed, self.log.is_verbose());
        self.log.emit(&Event::Containers { done });
        self.warn(&warnings);
        self.exporter.mark_dirty();
    }

    /// Stores the containers for the time when Docker's API does not answer.
    fn store_containers(&mut self, policy: &Policy) {
        let Some(recorder) = &self.recorder else { return };
        let Some(found) = to_store(&self.containers.known, policy) else { return };
        let stored = recorder.record_containers(&found);
        self.log.success(STORING_CONTAINERS, stored);
    }
}
