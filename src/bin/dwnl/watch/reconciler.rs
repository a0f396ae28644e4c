//! Keeps the kernel at a policy: hears what others do, compares, repairs, and counts.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use dwnl::engine::{LinkMonitor, Monitor, MonitorEvent, Outcome};
use dwnl::model::{ForeignTranslations, PublishedPort, Ruleset};
use dwnl::{Engine, Error, Policy, compile};

use super::metrics::{Counters, GuardDrops, guard_drops};
use crate::apply::Applied;
use crate::report::{ApplyReport, Attribution};
use crate::warnings::warnings;

/// The kernel's ruleset, with the policy that it is kept at.
pub struct Reconciler {
    monitor: Monitor,
    links: LinkMonitor,
    engine: Engine,
    policy: Policy,
    desired: Ruleset,
    /// The generation that was compared last.
    generation: u32,
    /// What others have done since.
    causes: Attribution,
    /// Whether they have touched what dwnl has put in, or may have.
    is_touched: bool,
    /// The published ports that no entry names, as they were told last.
    uncovered: Vec<PublishedPort>,
    /// The same for translations of other programs, and for warnings.
    foreign_translations: Vec<ForeignTranslations>,
    warnings: Vec<String>,
    /// What has happened so far.
    pub counters: Counters,
}

/// What has been heard of others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pending {
    /// Whether the kernel may differ from the policy now.
    pub concerns_us: bool,
    /// Whether the kernel could not tell of everything.
    pub is_lost: bool,
    /// Whether Docker may have set something up.
    pub is_docker_active: bool,
}

/// What came of comparing the kernel with the policy.
pub struct CheckOutcome {
    /// The repair, if one was called for.
    pub repair: Option<Applied>,
    /// Whether the repair only follows what Docker has set up.
    pub is_learned: bool,
    /// What the operator has to be warned of and was not before.
    pub warnings: Vec<String>,
    /// What others had done before.
    pub causes: Attribution,
    /// What they have done since.
    pub heard: Pending,
}

impl Reconciler {
    /// Keeps nothing yet. The monitor has to ignore the engine.
    pub fn new(monitor: Monitor, links: LinkMonitor, engine: Engine) -> Reconciler {
        Reconciler {
            monitor,
            links,
            engine,
            policy: Policy::default(),
            desired: Ruleset::default(),
            generation: 0,
            causes: Attribution::default(),
            is_touched: false,
            uncovered: Vec::new(),
            foreign_translations: Vec::new(),
            warnings: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// What is waited with for others to do something.
    pub fn sources(&self) -> [BorrowedFd<'_>; 2] {
        [self.monitor.as_fd(), self.links.as_fd()]
    }

    /// The report of what was done to keep or to change the policy.
    pub fn report<'a>(&self, applied: &'a Applied, verbose: bool) -> ApplyReport<'a> {
        applied.report(&self.desired.sets, verbose)
    }

    /// Puts a policy in force and keeps it from now on.
    ///
    /// # Errors
    /// The kernel holds what it held before, and the policy before stays the one that is kept.
    pub fn set_policy(&mut self, policy: Policy) -> Result<Applied, Error> {
        let started = Instant::now();
        let desired = compile(&policy);
        let outcome = self.converge(&desired)?;
        let applied = Applied::new(&mut self.engine, &policy, outcome, started);
        self.policy = policy;
        self.desired = desired;
        self.causes = Attribution::default();
        self.is_touched = false;
        self.uncovered = applied.uncovered.clone();
        self.foreign_translations = applied.foreign_translations.clone();
        self.warnings = applied.warnings.clone();
        self.counters.reloads.count(applied.elapsed);
        Ok(applied)
    }

    /// Hears what others have done in the meantime.
    ///
    /// # Errors
    /// Nothing will ever be heard again.
    pub fn drain_events(&mut self) -> Result<Pending, Error> {
        self.hear_after(&mut Attribution::default(), &mut false)
    }

    /// The same, right after the kernel was compared: adds what had been done before to `causes`.
    fn hear_after(
        &mut self,
        causes: &mut Attribution,
        is_touched: &mut bool,
    ) -> Result<Pending, Error> {
        let mut heard = Pending { is_docker_active: self.links.read()?, ..Pending::default() };
        for notice in self.monitor.read()? {
            match notice {
                MonitorEvent::Commit(commit) if !commit.is_relevant() => {}
                MonitorEvent::Commit(commit) if commit.is_after(self.generation) => {
                    self.causes.push(&commit);
                    self.is_touched |= commit.touches_managed();
                    heard.concerns_us = true;
                    heard.is_docker_active = true;
                }
                MonitorEvent::Commit(commit) => {
                    causes.push(&commit);
                    *is_touched |= commit.touches_managed();
                }
                _ => {
                    self.counters.lost += 1;
                    self.is_touched = true;
                    heard = Pending { concerns_us: true, is_lost: true, is_docker_active: true };
                }
            }
        }
        Ok(heard)
    }

    /// Compares the kernel with the policy and repairs what differs.
    ///
    /// # Errors
    /// The kernel holds what it held before.
    pub fn check(&mut self) -> Result<CheckOutcome, Error> {
        let started = Instant::now();
        self.counters.checks += 1;
        let desired = std::mem::take(&mut self.desired);
        let outcome = self.converge(&desired);
        self.desired = desired;
        let outcome = outcome.inspect_err(|_| self.counters.repairs.failed += 1)?;
        let mut causes = std::mem::take(&mut self.causes);
        let mut is_touched = std::mem::take(&mut self.is_touched);
        // If this fails it will fail again, where it can be told.
        let heard = self.hear_after(&mut causes, &mut is_touched).unwrap_or_default();
        let found = warnings(&self.policy, &outcome);
        let repair = (!outcome.plan.is_empty()).then(|| self.finish_repair(outcome, started));
        let found = repair.as_ref().map_or(found, |repair| repair.warnings.clone());
        let warnings = news(&mut self.warnings, found);
        Ok(CheckOutcome { repair, is_learned: !is_touched, warnings, causes, heard })
    }

    fn finish_repair(&mut self, outcome: Outcome, started: Instant) -> Applied {
        let mut repair = Applied::new(&mut self.engine, &self.policy, outcome, started);
        repair.uncovered = news(&mut self.uncovered, repair.uncovered);
        let translations = std::mem::take(&mut repair.foreign_translations);
        repair.foreign_translations = news(&mut self.foreign_translations, translations);
        self.counters.repairs.count(repair.elapsed);
        repair
    }

    fn converge(&mut self, desired: &Ruleset) -> Result<Outcome, Error> {
        let outcome = self.engine.apply(desired);
        let conflicts = match &outcome {
            Ok(outcome) => outcome.attempts - 1,
            Err(Error::Conflict { attempts }) => *attempts,
            Err(_) => 0,
        };
        self.counters.conflicts += u64::from(conflicts);
        self.generation = outcome.as_ref().map_or(self.generation, |outcome| outcome.generation);
        outcome
    }

    /// What the guard's rules have dropped.
    ///
    /// # Errors
    /// The kernel's rules cannot be read at the moment.
    pub fn dropped(&mut self) -> Result<Vec<GuardDrops>, Error> {
        Ok(guard_drops(&self.engine.snapshot()?))
    }
}

/// What is found now and was not told before; what is found now has been told from here on.
fn news<T: Clone + PartialEq>(told: &mut Vec<T>, found: Vec<T>) -> Vec<T> {
    let before = std::mem::replace(told, found.clone());
    found.into_iter().filter(|it| !before.contains(it)).collect()
}
