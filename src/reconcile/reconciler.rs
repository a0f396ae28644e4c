//! The reconciler: one value that an event loop polls, or that runs a loop of its own.

use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Instant;

use super::backoff::{CheckResult, RepairBackoff};
use super::containers::Containers;
use super::recheck::Recheck;
use super::transitions::Transitions;
use super::{Attribution, ReconcileEvent, Repair};
use crate::compile::{compile, renew_times};
use crate::engine::{
    Applied, Engine, Error, GrantReport, KnownSets, LinkMonitor, Monitor, MonitorEvent, Outcome,
    PolicyCounters, RestorePoint, opened_in, wait_readable,
};
use crate::model::{Grant, Ruleset};
use crate::policy::{Moment, Policy};

/// Keeps a policy in force in one network namespace. Needs CAP_NET_ADMIN in the user namespace that owns
/// the network namespace.
///
/// Open it, set a policy, and then either call [`Reconciler::run`], or poll
/// [`Reconciler::poll_fds`] until [`Reconciler::next_deadline`] in an event loop and call
/// [`Reconciler::tick`] afterwards. Dropping it leaves the rules in place.
///
/// It checks the rules a millisecond after another program has changed something that may matter, and a
/// few times within five seconds after Docker may have started or stopped a container, because
/// docker-proxy opens its sockets without any notification. If other programs keep changing what is
/// repaired, repairs become rarer, at most one every 500 ms. Checks take at most 20 % of one core.
pub struct Reconciler {
    engine: Engine,
    monitor: Monitor,
    links: LinkMonitor,
    containers: Containers,
    kept: Option<Kept>,
    /// The generation that was compared last.
    generation: u32,
    /// The relevant commits since.
    causes: Attribution,
    /// Whether one of them may have touched what dwnl installed.
    is_touched: bool,
    backoff: RepairBackoff,
    recheck: Recheck,
    transitions: Transitions,
    /// Whether an entry has opened or closed since flows were judged.
    has_transition: bool,
    /// The number of repairs since flapping began.
    flapping_repairs: u64,
}

/// The policy that is kept in force.
struct Kept {
    policy: Policy,
    desired: Ruleset,
}

/// What the monitors have reported.
#[derive(Clone, Copy, Default)]
struct Pending {
    /// Whether the rules may differ from the policy now.
    is_relevant: bool,
    has_overrun: bool,
    /// Whether Docker may have started or stopped a container.
    is_docker_active: bool,
}

impl Reconciler {
    /// Opens the sockets in the network namespace of the calling thread. Nothing is changed before
    /// [`Reconciler::set_policy`].
    ///
    /// # Errors
    /// As [`Engine::open`] and [`Engine::subscribe`], and [`Error::Cgroups`].
    pub fn open() -> Result<Reconciler, Error> {
        let mut engine = Engine::open()?;
        Ok(Reconciler {
            monitor: engine.subscribe()?,
            engine,
            links: LinkMonitor::open()?,
            containers: Containers::open()?,
            kept: None,
            generation: 0,
            causes: Attribution::default(),
            is_touched: false,
            backoff: RepairBackoff::default(),
            recheck: Recheck::default(),
            transitions: Transitions::default(),
            has_transition: false,
            flapping_repairs: 0,
        })
    }

    /// Opens the sockets in the network namespace that `path` refers to; see [`Engine::open_in`].
    ///
    /// # Errors
    /// As [`Reconciler::open`], and [`Error::Namespace`].
    pub fn open_in(path: &Path) -> Result<Reconciler, Error> {
        opened_in(path, Reconciler::open)
    }

    /// Puts a policy in force, as [`Engine::apply_policy`] does, and keeps it in force from now on.
    ///
    /// # Errors
    /// See [`Error`]. The ruleset is unchanged, and the previous policy is kept in force.
    pub fn set_policy(&mut self, policy: Policy) -> Result<Applied, Error> {
        let began = Instant::now();
        self.containers.follow(policy.guard());
        let desired = compile(&policy);
        let (applied, generation) = put_in_force(&mut self.engine, &policy, &desired, began)?;
        self.keep(Kept { policy, desired }, generation, began);
        Ok(applied)
    }

    /// Records what is in force, for [`Reconciler::roll_back`]; see [`Engine::restore_point`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn restore_point(&mut self) -> Result<RestorePoint, Error> {
        self.engine.restore_point()
    }

    /// Puts the policy back in force that was so at the restore point, as [`Reconciler::set_policy`] does,
    /// and judges flows as [`Engine::restore`] does: those that were admitted since, and that the policy
    /// does not allow, are terminated.
    ///
    /// # Errors
    /// See [`Error`]. The ruleset is unchanged, and the policy of now is kept in force.
    pub fn roll_back(&mut self, policy: Policy, point: &RestorePoint) -> Result<Applied, Error> {
        let began = Instant::now();
        self.containers.follow(policy.guard());
        let desired = compile(&policy);
        let mut generation = self.generation;
        let applied = self.engine.apply_as_before(point, |engine| {
            let (applied, committed) = put_in_force(engine, &policy, &desired, began)?;
            generation = committed;
            Ok(applied)
        })?;
        self.keep(Kept { policy, desired }, generation, began);
        Ok(applied)
    }

    /// Keeps a policy in force that was applied since `began`.
    fn keep(&mut self, kept: Kept, generation: u32, began: Instant) {
        self.generation = generation;
        (self.causes, self.is_touched) = (Attribution::default(), false);
        (self.transitions, self.has_transition) = (Transitions::of(&kept.policy), false);
        if self.kept.replace(kept).is_some() {
            self.backoff.checked(began, Instant::now(), CheckResult::Nothing);
        }
    }

    /// Has every repair that creates the sets of grants and bans fill them with these; see
    /// [`Engine::restore_grants`].
    pub fn restore_grants(&mut self, grants: Vec<Grant>) {
        self.engine.restore_grants(grants);
    }

    /// Takes over what another engine knew of the sets; see [`Engine::assume_sets`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn assume_sets(&mut self, known: &KnownSets) -> Result<bool, Error> {
        self.engine.assume_sets(known)
    }

    /// What is known of the sets; see [`Engine::known_sets`].
    pub fn known_sets(&mut self) -> Option<KnownSets> {
        self.engine.known_sets()
    }

    /// Reads the grants and bans; see [`Engine::grant_summary`].
    ///
    /// # Errors
    /// See [`Error`].
    pub fn grant_summary(&mut self) -> Result<GrantReport, Error> {
        self.engine.grant_summary()
    }

    /// The policy that is kept in force, if one was set.
    pub fn policy(&self) -> Option<&Policy> {
        self.kept.as_ref().map(|kept| &kept.policy)
    }

    /// The rules and sets of that policy.
    pub fn ruleset(&self) -> Option<&Ruleset> {
        self.kept.as_ref().map(|kept| &kept.desired)
    }

    /// Reads what each entry of the policy admitted, and what the guard dropped; nothing before a policy
    /// was set.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn counters(&mut self) -> Result<PolicyCounters, Error> {
        match &self.kept {
            Some(kept) => self.engine.counters(&kept.policy),
            None => Ok(PolicyCounters::default()),
        }
    }

    /// The file descriptors to poll for reading.
    pub fn poll_fds(&self) -> [BorrowedFd<'_>; 3] {
        [self.monitor.as_fd(), self.links.as_fd(), self.containers.as_fd()]
    }

    /// When to call [`Reconciler::tick`] at the latest; `None`: not before a descriptor is readable.
    pub fn next_deadline(&self) -> Option<Instant> {
        let transition = self.transitions.due();
        let deadlines =
            [self.backoff.due(), self.backoff.quiet_at(), self.recheck.due(), transition];
        deadlines.into_iter().flatten().min()
    }

    /// Handles everything that was reported and everything that is due. Does not wait for more.
    ///
    /// # Errors
    /// If the notifications cannot be read any longer, so that the reconciler cannot be used any longer.
    pub fn tick(&mut self) -> Result<Vec<ReconcileEvent>, Error> {
        let mut events = Vec::new();
        let pending = self.drain(&mut Attribution::default(), &mut false)?;
        self.schedule(pending, &mut events);
        if self.containers.read()? {
            self.recheck.event(Instant::now());
            self.backoff.trigger(Instant::now());
        }
        if is_due(self.recheck.due()) {
            self.recheck.checked(Instant::now());
            self.backoff.trigger(Instant::now());
        }
        if is_due(self.transitions.due()) {
            self.follow_schedules();
        }
        if is_due(self.backoff.due()) {
            self.check(&mut events);
        }
        if is_due(self.backoff.quiet_at()) {
            self.backoff.reset();
            events.push(ReconcileEvent::Stable { repairs: self.flapping_repairs });
        }
        Ok(events)
    }

    /// Keeps the policy in force until `on_event` returns [`ControlFlow::Break`].
    ///
    /// # Errors
    /// As [`Reconciler::tick`].
    pub fn run(
        &mut self,
        mut on_event: impl FnMut(ReconcileEvent) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        loop {
            for event in self.tick()? {
                if on_event(event).is_break() {
                    return Ok(());
                }
            }
            wait_readable(&self.poll_fds(), self.next_deadline())?;
        }
    }

    /// Reads the monitors. Commits up to the generation that was compared last are added to `causes` and
    /// `is_touched`, later ones are recorded for the next check.
    fn drain(&mut self, causes: &mut Attribution, is_touched: &mut bool) -> Result<Pending, Error> {
        let mut pending = Pending { is_docker_active: self.links.read()?, ..Pending::default() };
        for event in self.monitor.read()? {
            match event {
                MonitorEvent::Overrun => {
                    self.is_touched = true;
                    pending =
                        Pending { is_relevant: true, has_overrun: true, is_docker_active: true };
                }
                MonitorEvent::Commit(commit) if !commit.is_relevant() => {}
                MonitorEvent::Commit(commit) if commit.is_after(self.generation) => {
                    self.is_touched |= commit.touches_managed();
                    self.causes.push(commit);
                    pending.is_relevant = true;
                    pending.is_docker_active = true;
                }
                MonitorEvent::Commit(commit) => {
                    *is_touched |= commit.touches_managed();
                    causes.push(commit);
                }
            }
        }
        Ok(pending)
    }

    /// Schedules the checks that the reports call for.
    fn schedule(&mut self, pending: Pending, events: &mut Vec<ReconcileEvent>) {
        if pending.has_overrun {
            events.push(ReconcileEvent::Overrun);
        }
        if pending.is_relevant || pending.is_docker_active {
            self.backoff.trigger(Instant::now());
        }
        if pending.is_docker_active {
            self.recheck.event(Instant::now());
        }
    }

    /// Compiles the policy again if the rules do not cover the present year as they should, and has flows
    /// judged again if an entry has opened or closed.
    fn follow_schedules(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        let now = Moment::now();
        self.has_transition |= self.transitions.look(&kept.policy, now);
        let is_renewed = renew_times(&mut kept.desired, &kept.policy, now);
        if is_renewed || self.has_transition {
            self.backoff.trigger(Instant::now());
        }
    }

    /// Compares the rules with the policy and repairs the difference.
    fn check(&mut self, events: &mut Vec<ReconcileEvent>) {
        let began = Instant::now();
        let Some(kept) = &self.kept else {
            return self.backoff.checked(began, began, CheckResult::Nothing);
        };
        let outcome = match self.engine.repair(&kept.desired) {
            Ok(outcome) => outcome,
            Err(error) => {
                events.push(ReconcileEvent::Failed(error));
                return self.backoff.checked(began, Instant::now(), CheckResult::Failed);
            }
        };
        self.generation = outcome.generation;
        let mut causes = std::mem::take(&mut self.causes);
        let mut is_touched = std::mem::take(&mut self.is_touched);
        // If this fails, the next tick fails too, and reports it.
        let pending = self.drain(&mut causes, &mut is_touched).unwrap_or_default();
        let has_transition = std::mem::take(&mut self.has_transition);
        if outcome.plan.is_empty() && has_transition {
            self.finish_transition(began, outcome, events);
        } else if outcome.plan.is_empty() {
            let elapsed = began.elapsed();
            events.push(ReconcileEvent::InSync { outcome, causes, elapsed });
            self.backoff.checked(began, Instant::now(), CheckResult::Nothing);
        } else {
            self.finish_repair(began, outcome, causes, is_touched, events);
        }
        self.schedule(pending, events);
    }

    fn finish_transition(
        &mut self,
        began: Instant,
        outcome: Outcome,
        events: &mut Vec<ReconcileEvent>,
    ) {
        let Some(kept) = &self.kept else { return };
        let flows = self.engine.follow_up(&kept.policy, outcome, began).conntrack;
        events.push(ReconcileEvent::Scheduled { flows });
        self.backoff.checked(began, Instant::now(), CheckResult::Nothing);
    }

    fn finish_repair(
        &mut self,
        began: Instant,
        outcome: Outcome,
        causes: Attribution,
        is_touched: bool,
        events: &mut Vec<ReconcileEvent>,
    ) {
        let Some(kept) = &self.kept else { return };
        let applied = self.engine.follow_up(&kept.policy, outcome, began);
        let is_flapping = self.backoff.flapping_pause().is_some();
        let result = if is_touched { CheckResult::Repaired } else { CheckResult::Learned };
        self.backoff.checked(began, Instant::now(), result);
        self.flapping_repairs = if is_flapping { self.flapping_repairs + 1 } else { 0 };
        let flapping = self.backoff.flapping_pause().filter(|_| !is_flapping).map(|pause| {
            let causes = causes.clone();
            ReconcileEvent::Flapping { causes, pause }
        });
        events.push(ReconcileEvent::Repaired(Repair {
            applied,
            causes,
            is_drift: is_touched,
            is_flapping,
        }));
        events.extend(flapping);
    }
}

/// Applies a policy with its ruleset. Returns the generation of the commit as well.
fn put_in_force(
    engine: &mut Engine,
    policy: &Policy,
    desired: &Ruleset,
    began: Instant,
) -> Result<(Applied, u32), Error> {
    let outcome = engine.apply(desired)?;
    let generation = outcome.generation;
    Ok((engine.follow_up(policy, outcome, began), generation))
}

fn is_due(time: Option<Instant>) -> bool {
    time.is_some_and(|time| time <= Instant::now())
}
