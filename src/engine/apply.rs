//! Plans and commits: by policy, with the conntrack entries of existing flows, and by ruleset.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::monitor::PAUSE_THRESHOLD;
use super::{ATTEMPTS_MAX, Engine, Error, FlowChanges, FlowPreview, Outcome, commit};
use crate::compile::{compile, managed_objects, resolve, uncovered_ports};
use crate::model::{Grant, GrantSet, PublishedPort, Ruleset, Snapshot};
use crate::netlink::wait_for_packets_under_way;
use crate::plan::{Change, Plan};
use crate::policy::Policy;

/// What [`Engine::apply_policy`] did.
#[derive(Debug)]
#[non_exhaustive]
pub struct Applied {
    /// What it did to the ruleset.
    pub outcome: Outcome,
    /// What it did to conntrack entries that existed before. An error here does not affect the rules:
    /// they are in force, but some existing flows are still treated as the previous rules decided.
    pub conntrack: Result<FlowChanges, Error>,
    /// The ports that Docker publishes and no entry of the policy covers, so that they are blocked.
    pub uncovered: Vec<PublishedPort>,
    /// How long the call took.
    pub elapsed: Duration,
}

/// What [`Engine::preview_policy`] found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Preview {
    /// What an apply would do to the ruleset.
    pub outcome: Outcome,
    /// What it would do to conntrack entries.
    pub conntrack: Result<FlowPreview, Error>,
    /// The ports that Docker publishes and no entry of the policy covers.
    pub uncovered: Vec<PublishedPort>,
}

impl Engine {
    /// Puts a policy in force: compiles it, makes the kernel hold the rules (see [`Engine::apply`]), and
    /// then brings the conntrack entries of existing flows in line with it (see
    /// [`FlowChanges`]). A failure of that last step is part of the result, because
    /// the rules are in force all the same.
    ///
    /// # Errors
    /// See [`Error`]. The ruleset is unchanged.
    pub fn apply_policy(&mut self, policy: &Policy) -> Result<Applied, Error> {
        let started = Instant::now();
        let applied = self.apply_compiled(policy, &compile(policy))?;
        Ok(Applied { elapsed: started.elapsed(), ..applied })
    }

    /// As [`Engine::apply_policy`], for a caller that has compiled the policy already: `desired` is
    /// [`compile(policy)`](compile).
    ///
    /// # Errors
    /// See [`Error`]. The ruleset is unchanged.
    pub fn apply_compiled(&mut self, policy: &Policy, desired: &Ruleset) -> Result<Applied, Error> {
        let started = Instant::now();
        let outcome = self.apply(desired)?;
        Ok(self.follow_up(policy, outcome, started))
    }

    /// Reconciles conntrack after the policy was applied with this outcome.
    pub(crate) fn follow_up(
        &mut self,
        policy: &Policy,
        outcome: Outcome,
        started: Instant,
    ) -> Applied {
        let conntrack = self.reconcile_conntrack(policy, &outcome);
        let uncovered = uncovered_ports(policy, &outcome.docker);
        Applied { outcome, conntrack, uncovered, elapsed: started.elapsed() }
    }

    /// The changes that would make the kernel hold `desired`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn plan(&mut self, desired: &Ruleset) -> Result<Plan, Error> {
        Ok(self.preview(desired)?.plan)
    }

    /// What [`Engine::apply`] would do and report. Changes nothing; `generation` is the present one.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn preview(&mut self, desired: &Ruleset) -> Result<Outcome, Error> {
        let snapshot = self.current_for(desired, false)?;
        let desired = resolve(desired, &snapshot)?;
        let plan = Plan::diff(&desired, &snapshot)?;
        let generation = snapshot.generation;
        Ok(Outcome::new(plan, generation, &desired, snapshot, 1))
    }

    /// What [`Engine::apply_policy`] would do and report. Changes nothing. `desired` is
    /// [`compile(policy)`](compile).
    ///
    /// # Errors
    /// See [`Error`].
    pub fn preview_policy(&mut self, policy: &Policy, desired: &Ruleset) -> Result<Preview, Error> {
        let outcome = self.preview(desired)?;
        let conntrack = self.preview_conntrack(policy, &outcome);
        let uncovered = uncovered_ports(policy, &outcome.docker);
        Ok(Preview { outcome, conntrack, uncovered })
    }

    /// Commits a plan and returns the generation afterwards: in one transaction, or in up to three (see
    /// [`Plan::prepared`] and [`Plan::deferred`]). An empty plan sends nothing.
    ///
    /// Where elements of intervals change together with rules, packets meet the new rules with the old
    /// elements for an instant; [`Engine::apply`] avoids that.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the ruleset has changed since the plan was made: make a new plan.
    /// [`Error::Rejected`] if the kernel rejects a change. In both cases the rules in force are unchanged;
    /// after a conflict, sets and chains may be left that none of them uses, which the next plan uses or
    /// removes. [`Error::Unfinished`] if only what was deferred failed.
    pub fn commit(&mut self, plan: &Plan) -> Result<u32, Error> {
        let (generation, finished) = self.commit_rules(plan)?;
        finished.map_err(|error| Error::Unfinished(Box::new(error))).map(|()| generation)
    }

    /// Commits a plan. Once its rules are in force, a failure is part of the result.
    fn commit_rules(&mut self, plan: &Plan) -> Result<(u32, Result<(), Error>), Error> {
        let grants = self.grants_for(plan)?;
        let [first, rules, last] = plan.transactions();
        let prepared = self.commit_changes(plan.generation, first, &grants)?;
        if first.iter().any(|change| matches!(change, Change::AddChain(_, Some(_)))) {
            wait_for_packets_under_way();
        }
        let generation = match self.commit_changes(prepared, rules, &grants) {
            Err(error @ Error::Rejected(_)) => {
                // What was prepared is useless without the rest, but harms nobody.
                let _ = self.commit_changes(prepared, &plan.undo_preparation(), &grants);
                return Err(error);
            }
            committed => committed?,
        };
        if !last.is_empty() {
            wait_for_packets_under_way();
        }
        Ok(match self.commit_changes(generation, last, &grants) {
            Ok(generation) => (generation, Ok(())),
            Err(error) => (generation, Err(error)),
        })
    }

    /// Commits changes in one transaction. Without changes nothing is sent.
    fn commit_changes(
        &mut self,
        generation: u32,
        changes: &[Change],
        grants: &BTreeMap<GrantSet, Vec<Grant>>,
    ) -> Result<u32, Error> {
        if changes.is_empty() {
            return Ok(generation);
        }
        let [connection, _] = &mut self.connections;
        let batch = commit::encode(generation, changes, grants);
        let commit =
            |connection: &mut Connection| commit::send(connection, generation, changes, &batch);
        let subscription = self.subscription.upgrade();
        let committed = match subscription.filter(|_| batch.bytes().len() >= PAUSE_THRESHOLD) {
            Some(subscription) => subscription.paused(connection, generation, commit),
            None => commit(connection),
        }?;
        // It has changed no filter of other programs.
        if self.filters.0 == generation {
            self.filters.0 = committed;
        }
        Ok(committed)
    }

    /// Makes the kernel hold `desired`: plans and commits, and starts again from the dump, at most
    /// [`ATTEMPTS_MAX`] times, when another program changes the ruleset in between. Does not touch
    /// conntrack: [`Engine::apply_policy`] does.
    ///
    /// All rules come into force in one transaction. What they need may be committed before it, and what
    /// protects packets under way removed after it (see [`Plan`]). Elements of intervals that change together
    /// with rules are in sets under other names meanwhile, so that no rule finds the elements of another
    /// policy.
    ///
    /// # Errors
    /// See [`Error`]. The ruleset is unchanged, unless it is [`Error::Unfinished`].
    pub fn apply(&mut self, desired: &Ruleset) -> Result<Outcome, Error> {
        let current = |engine: &mut Engine| engine.current_for(desired, true);
        let plan = |snapshot: &Snapshot| {
            let desired = resolve(desired, snapshot)?;
            Ok((Plan::diff(&desired, snapshot)?, desired))
        };
        match self.converge(current, plan) {
            // Perhaps because it was planned with elements that are not there.
            Err(Error::Rejected(_)) if self.set_cache.forget_assumed() => {
                self.assumed = None;
                self.converge(current, plan)
            }
            outcome => outcome,
        }
    }

    /// Removes everything that dwnl installed, and nothing else, with the same retries as
    /// [`Engine::apply`].
    ///
    /// # Errors
    /// See [`Error`]. The ruleset is unchanged.
    pub fn remove(&mut self) -> Result<Outcome, Error> {
        let owned = managed_objects();
        let plan =
            |snapshot: &Snapshot| Ok((Plan::teardown(&owned, snapshot)?, Ruleset::default()));
        self.converge(Engine::current, plan)
    }

    /// Commits the plan for the ruleset that `plan` returns with it, behind the one for its interim form if it
    /// has one.
    pub(super) fn converge(
        &mut self,
        current: impl Fn(&mut Engine) -> Result<Snapshot, Error>,
        plan: impl Fn(&Snapshot) -> Result<(Plan, Ruleset), Error>,
    ) -> Result<Outcome, Error> {
        // The whole difference, once the interim form is in force.
        let mut begun = None;
        let mut attempts = 1;
        let error = loop {
            match self.step(&current, &plan, &mut begun) {
                Ok(None) => {}
                Ok(Some(Committed { plan, generation, desired, snapshot })) => {
                    let (plan, snapshot) = begun.unwrap_or((plan, snapshot));
                    return Ok(Outcome::new(plan, generation, &desired, snapshot, attempts));
                }
                Err(Error::Conflict { .. }) if attempts < ATTEMPTS_MAX => attempts += 1,
                Err(Error::Conflict { .. }) => break Error::Conflict { attempts },
                Err(error) => break error,
            }
        };
        Err(match begun {
            Some(_) => Error::Unfinished(Box::new(error)),
            None => error,
        })
    }

    /// Plans and commits once. `None`: it was the interim form. `begun`: what was planned at first, once
    /// rules are in force.
    fn step(
        &mut self,
        current: impl Fn(&mut Engine) -> Result<Snapshot, Error>,
        plan: impl Fn(&Snapshot) -> Result<(Plan, Ruleset), Error>,
        begun: &mut Option<(Plan, Snapshot)>,
    ) -> Result<Option<Committed>, Error> {
        let epoch = self.set_cache.epoch();
        let snapshot = current(self)?;
        let (plan, desired) = plan(&snapshot)?;
        let interim = match begun {
            Some(_) => None,
            None => plan.interim(&desired, &snapshot),
        };
        let (generation, finished) = match &interim {
            Some(interim) => self.commit_rules(&Plan::diff(interim, &snapshot)?)?,
            None => self.commit_rules(&plan)?,
        };
        let in_force = interim.as_ref().unwrap_or(&desired);
        if finished.is_ok() {
            self.set_cache.store_ruleset(epoch, generation, in_force);
        }
        if interim.is_none() && finished.is_ok() {
            return Ok(Some(Committed { plan, generation, desired, snapshot }));
        }
        begun.get_or_insert((plan, snapshot));
        finished.map(|()| None)
    }
}

/// A ruleset that was put in force.
struct Committed {
    plan: Plan,
    generation: u32,
    desired: Ruleset,
    snapshot: Snapshot,
}
