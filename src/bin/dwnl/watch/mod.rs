//! `dwnl watch`: keeps the kernel at the policy for as long as it runs. One thread waits for whatever
//! comes first, others' commits, changes of the policy's files, a signal, or the time for something that
//! was put off, and deals with all that has come.

mod backoff;
mod containers;
mod debounce;
mod files;
mod log;
mod lossy_writer;
mod metrics;
mod recheck;
mod reconciler;
mod signals;
mod systemd;

use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use dwnl::Engine;
use dwnl::engine::{LinkMonitor, Monitor};
use dwnl::policy::{LoadedPolicy, Policy};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::apply::Applied;
use crate::report::{Attribution, Difference, Event};
use backoff::{CheckResult, RepairBackoff};
use containers::Containers;
use debounce::Debounce;
use files::Files;
use metrics::MetricsExporter;
use recheck::Recheck;
use reconciler::{CheckOutcome, Pending, Reconciler};
use signals::SignalAction;
use systemd::Notifier;

pub use log::Log;
pub use signals::Signals;

/// What is done, for complaints.
const WATCHING: &str = "watching the policy's files";
const REPAIRING: &str = "checking and repairing the rules";
const RELOADING: &str = "putting the policy in force";
const NOTIFYING: &str = "telling the service manager";
const COUNTING: &str = "reading what the guard has dropped";
const WRITING: &str = "writing the counters";

/// What is needed to keep a policy in force.
pub struct Watch {
    path: PathBuf,
    keeper: Reconciler,
    log: Log,
    signals: Signals,
    files: Files,
    containers: Containers,
    service: Notifier,
    publication: MetricsExporter,
    pace: RepairBackoff,
    recheck: Recheck,
    settling: Debounce,
    /// What the files held when they were read last, if it is in force or wrong in itself.
    reading: Option<LoadedPolicy>,
    /// The repairs before others were found to go on disturbing.
    repairs_before: u64,
}

impl Watch {
    /// Gets ready to keep the policy at `path`; nothing is touched yet. The monitor has to ignore the
    /// engine.
    pub fn new(
        path: &Path,
        monitor: Monitor,
        links: LinkMonitor,
        engine: Engine,
        signals: Signals,
        log: Log,
    ) -> anyhow::Result<Watch> {
        if path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            bail!("{} is not a file, so that its changes cannot be watched", path.display());
        }
        Ok(Watch {
            path: path.to_owned(),
            keeper: Reconciler::new(monitor, links, engine),
            log,
            signals,
            files: Files::new().context("cannot watch files")?,
            containers: Containers::new().context("cannot watch cgroups")?,
            service: Notifier::from_env(Instant::now())
                .context("cannot reach the service manager")?,
            publication: MetricsExporter::default(),
            pace: RepairBackoff::default(),
            recheck: Recheck::default(),
            settling: Debounce::default(),
            reading: None,
            repairs_before: 0,
        })
    }

    /// Lets the counters be read in a file and from a socket.
    ///
    /// # Errors
    /// If the socket cannot be had.
    pub fn publish(&mut self, file: Option<&Path>, socket: Option<&Path>) -> anyhow::Result<()> {
        self.publication = MetricsExporter::open(file, socket)?;
        Ok(())
    }

    /// Puts the policy in force and keeps it there until a signal asks to stop. The rules stay.
    ///
    /// # Errors
    /// If the policy cannot be put in force in the first place; later, if what others do can be heard
    /// no more.
    pub fn run(mut self) -> anyhow::Result<()> {
        self.start()?;
        while self.tick()?.is_continue() {
            self.wait().context("cannot wait for events")?;
        }
        let stopping = self.service.stopping();
        self.log.report_result(NOTIFYING, stopping);
        self.log.emit(&Event::Stop);
        Ok(())
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let path = self.path.clone();
        self.follow(std::slice::from_ref(&path));
        let reading = LoadedPolicy::load(&self.path);
        let policy = reading.policy.clone()?;
        self.containers.follow(policy.guard());
        let applied = self.keeper.set_policy(policy)?;
        self.follow(&reading.watch_paths);
        self.reading = Some(reading);
        self.keeper.counters.is_current = true;
        let done = self.keeper.report(&applied, self.log.is_verbose());
        self.log.emit(&Event::Start { policy: &self.path, done });
        self.warn(&applied.warnings);
        self.notify_ready();
        self.publication.mark_dirty();
        Ok(())
    }

    /// Deals with all that has come and all that is due.
    fn tick(&mut self) -> anyhow::Result<ControlFlow<()>> {
        let heard = self.keeper.drain_events()?;
        self.on_events(heard);
        if self.containers.read().context("cannot read what happens to cgroups")? {
            self.recheck.event(Instant::now());
            self.pace.trigger(Instant::now());
        }
        if is_due(self.recheck.due()) {
            self.recheck.checked(Instant::now());
            self.pace.trigger(Instant::now());
        }
        if is_due(self.pace.due()) {
            self.check();
        }
        let mut reload = false;
        while let Some(wish) = self.signals.read().context("cannot read signals")? {
            match wish {
                SignalAction::Stop => return Ok(ControlFlow::Break(())),
                SignalAction::Reload => reload = true,
            }
        }
        if self.files.changed().context("cannot read what happens to files")? {
            self.settling.changed(Instant::now());
        }
        if reload || is_due(self.settling.due()) {
            self.read_policy(reload);
        }
        if is_due(self.pace.quiet_at()) {
            self.calm();
        }
        if is_due(self.service.due()) {
            let ping = self.service.ping(Instant::now());
            self.log.report_result(NOTIFYING, ping);
        }
        self.publish_counters();
        self.log.resume();
        Ok(ControlFlow::Continue(()))
    }

    /// Waits for something to come or to be due.
    fn wait(&self) -> nix::Result<()> {
        let others = [self.service.due(), self.publication.due(), self.recheck.due()];
        let times = [self.pace.due(), self.pace.quiet_at(), self.settling.due()];
        let next = times.into_iter().chain(others).flatten().min();
        let timeout = next.map(|next| next.saturating_duration_since(Instant::now()));
        let others = [self.signals.as_fd(), self.files.as_fd(), self.containers.as_fd()];
        let sources = self.keeper.sources().into_iter().chain(others);
        let sources = sources.chain(self.publication.socket());
        let sources = sources.map(|source| PollFd::new(source, PollFlags::POLLIN));
        let readers = self.log.blocked().map(|reader| PollFd::new(reader, PollFlags::POLLOUT));
        let mut sources: Vec<PollFd> = sources.chain(readers).collect();
        match ppoll(&mut sources, timeout.map(TimeSpec::from_duration), None) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    fn on_events(&mut self, heard: Pending) {
        if heard.is_lost {
            self.log.emit(&Event::Lost);
        }
        if heard.concerns_us || heard.is_docker_active {
            self.pace.trigger(Instant::now());
        }
        if heard.is_docker_active {
            self.recheck.event(Instant::now());
        }
    }

    /// Compares the kernel with the policy and repairs what differs.
    fn check(&mut self) {
        let began = Instant::now();
        match self.keeper.check() {
            Ok(CheckOutcome { repair, is_learned, warnings, causes, heard }) => {
                self.log.clear(REPAIRING);
                match repair {
                    Some(repair) => self.repaired(began, &repair, is_learned, &causes),
                    None => self.found_nothing(began, &causes),
                }
                self.warn(&warnings);
                self.on_events(heard);
            }
            Err(error) => {
                self.log.warn_once(REPAIRING, &error);
                self.pace.checked(began, Instant::now(), CheckResult::Failed);
            }
        }
    }

    fn found_nothing(&mut self, began: Instant, causes: &Attribution) {
        let elapsed = began.elapsed().as_micros();
        let elapsed_us = u64::try_from(elapsed).unwrap_or(u64::MAX);
        self.log.emit(&Event::Check { causes, elapsed_us });
        self.pace.checked(began, Instant::now(), CheckResult::Nothing);
    }

    fn repaired(
        &mut self,
        began: Instant,
        repair: &Applied,
        is_learned: bool,
        causes: &Attribution,
    ) {
        let is_contested = self.pace.is_flapping().is_some();
        let finding = if is_learned { CheckResult::Learned } else { CheckResult::Repaired };
        self.pace.checked(began, Instant::now(), finding);
        let places = Difference::new(&repair.outcome.plan, &[], false).places();
        let done = self.keeper.report(repair, self.log.is_verbose());
        let event = Event::Repair { causes, places: places.clone(), is_contested, done };
        self.log.emit(&event);
        if let Some(pause) = self.pace.is_flapping().filter(|_| !is_contested) {
            self.repairs_before = self.keeper.counters.repairs.done;
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            self.log.emit(&Event::Contest { causes, places, pause_ms });
        }
        let status = self.service.status(&self.status());
        self.log.report_result(NOTIFYING, status);
        self.publication.mark_dirty();
    }

    fn calm(&mut self) {
        self.pace.reset();
        let repairs = self.keeper.counters.repairs.done - self.repairs_before;
        self.log.emit(&Event::Calm { repairs });
    }

    /// Reads the policy and puts it in force if it is another one than before, or if somebody has
    /// asked for it.
    fn read_policy(&mut self, is_asked_for: bool) {
        let reading = LoadedPolicy::load(&self.path);
        self.settling.read();
        self.follow(&reading.watch_paths);
        if !is_asked_for && self.reading.as_ref() == Some(&reading) {
            return;
        }
        let reloading = self.service.reloading();
        self.log.report_result(NOTIFYING, reloading);
        match &reading.policy {
            Ok(policy) => self.reload(policy.clone(), reading),
            Err(diagnostics) => {
                self.log.emit(&Event::policy_errors(diagnostics));
                self.keeper.counters.reloads.failed += 1;
                self.keeper.counters.is_current = false;
                self.reading = Some(reading);
            }
        }
        self.notify_ready();
        self.publication.mark_dirty();
    }

    fn reload(&mut self, policy: Policy, reading: LoadedPolicy) {
        self.containers.follow(policy.guard());
        let began = Instant::now();
        match self.keeper.set_policy(policy) {
            Ok(applied) => {
                self.pace.checked(began, Instant::now(), CheckResult::Nothing);
                self.log.clear(RELOADING);
                let was_wrong = self.reading.as_ref().is_some_and(|last| last.policy.is_err());
                self.reading = Some(reading);
                self.keeper.counters.is_current = true;
                let done = self.keeper.report(&applied, self.log.is_verbose());
                self.log.emit(&Event::Reload { was_wrong, done });
                self.warn(&applied.warnings);
            }
            Err(error) => {
                self.log.warn_once(RELOADING, &error);
                self.settling.failed(Instant::now());
                self.reading = None;
                self.keeper.counters.reloads.failed += 1;
                self.keeper.counters.is_current = false;
            }
        }
    }

    /// Watches the files. If some were not watched before, they may have changed after they were read.
    fn follow(&mut self, files: &[PathBuf]) {
        match self.files.follow(files) {
            Ok(true) => self.settling.changed(Instant::now()),
            Ok(false) => {}
            Err(error) => self.log.warn_once(WATCHING, &error),
        }
    }

    /// Writes and sends the counters where they are waited for.
    fn publish_counters(&mut self) {
        let now = Instant::now();
        let Some(readers) = self.publication.scrapers(now) else { return };
        let dropped = self.keeper.dropped();
        let dropped = dropped.map_err(|error| self.log.warn_once(COUNTING, &error)).ok();
        let text = metrics::text(&self.keeper.counters, dropped.as_deref());
        let written = self.publication.publish(readers, &text, now);
        self.log.report_result(WRITING, written);
    }

    /// Tells the service manager that the policy is in force, or which one is.
    fn notify_ready(&mut self) {
        let ready = self.service.ready(&self.status());
        self.log.report_result(NOTIFYING, ready);
    }

    /// One line for `systemctl status`.
    fn status(&self) -> String {
        let counters = &self.keeper.counters;
        let policy = if counters.is_current {
            "the policy is in force"
        } else {
            "the policy cannot be put in force, the last good one is"
        };
        format!("{policy}; repairs: {}", counters.repairs.done)
    }

    fn warn(&mut self, warnings: &[String]) {
        for warning in warnings {
            self.log.emit(&Event::Warning { warning });
        }
    }
}

fn is_due(time: Option<Instant>) -> bool {
    time.is_some_and(|time| time <= Instant::now())
}
