//! `dwnl watch`: keeps the policy of a file in force for as long as it runs. The library's reconciler
//! watches and repairs the rules; this module adds the policy's files, signals, the log, systemd and the
//! metrics. One thread waits for all of them.

mod clients;
#[cfg_attr(not(feature = "docker"), path = "no_containers.rs")]
mod containers;
mod control;
mod events;
mod files;
mod follow;
mod log;
mod lossy_writer;
mod metrics;
mod names;
mod reload;
mod serve;
mod signals;
mod systemd;
mod trial;
mod unix_socket;

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::Context;
use dwnl::policy::LoadedPolicy;
use dwnl::reconcile::Debounce;
use dwnl::{Engine, Reconciler};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::apply::Findings;
use crate::control::{ControlSocket, PendingRequest, RepairRecord};
use crate::lookup::WatchedNames;
use crate::report::{Count, Event, RollbackReason};
use crate::state::{Recorder, Store};
use clients::Clients;
use files::{Change, Files};
use follow::FollowedContainers;
use metrics::{Counters, Digests, FileState, MetricsExporter, ReadResult, Sample};
use signals::SignalAction;
use systemd::Notifier;
use trial::WatchTrial;

pub use clients::Desk;
pub use log::Log;
pub use metrics::Endpoints;
pub use signals::Signals;
pub use unix_socket::{Reach, UnixSocket};

/// The actions that can fail, for messages.
/// Maximum number of warnings that are logged at once.
const WARNINGS_MAX: usize = 10;
const WATCHING: &str = "watch the policy's files";
const REPAIRING: &str = "repair the rules";
const RELOADING: &str = "apply the policy";
const NOTIFYING: &str = "notify systemd";
const COUNTING: &str = "read the counters of the rules";
const READING_REFUSALS: &str = "read what the guard refused";
const FALLING_BACK: &str = "apply the last valid policy instead";
const STORING: &str = "store the policy";
const LOOKING_UP: &str = "look up the policy's names";
const STORING_NAMES: &str = "store the addresses of names";
const FOLLOWING: &str = "follow the containers";
const READING_CONTAINERS: &str = "read Docker's API";
const READING_EVENTS: &str = "read Docker's events (containers are listed every 10 seconds)";
const STORING_CONTAINERS: &str = "store the containers";
const ROLLING_BACK: &str = "put the policy before the trial back in force";
const WRITING: &str = "write the metrics";

/// Keeps the policy of a file in force.
pub struct Watch {
    path: PathBuf,
    /// The directory to which the paths of source files are relative.
    base_directory: PathBuf,
    reconciler: Reconciler,
    log: Log,
    signals: Signals,
    files: Files,
    containers: FollowedContainers,
    control: ControlSocket,
    clients: Clients,
    notifier: Notifier,
    exporter: MetricsExporter,
    counters: Counters,
    /// Those of the policy in force; empty unless metrics are published.
    digests: Digests,
    debounce: Debounce,
    /// Whether a changed policy is applied only on request.
    is_manual: bool,
    /// Whether the files may have changed since they were read, as far as it was logged.
    is_change_logged: bool,
    recorder: Option<Recorder>,
    names: WatchedNames,
    trial: Option<WatchTrial>,
    /// What the files held when they were last read, if it is in force or has errors.
    loaded: Option<LoadedPolicy>,
    /// The findings of the last report, so that they are not repeated.
    reported: Findings,
    /// When the first policy was put in force.
    started_at: SystemTime,
    last_repair: Option<RepairRecord>,
    /// When the grants and bans that are kept were written, as they were read last.
    grants_version: Option<SystemTime>,
}

impl Watch {
    /// Prepares to keep the policy at `path` in force. Changes nothing yet.
    ///
    /// # Errors
    /// If files cannot be watched, or the service manager cannot be reached.
    pub fn new(
        path: &Path,
        base_directory: &Path,
        reconciler: Reconciler,
        signals: Signals,
        log: Log,
    ) -> anyhow::Result<Watch> {
        Ok(Watch {
            path: path.to_owned(),
            base_directory: base_directory.to_owned(),
            reconciler,
            log,
            signals,
            control: ControlSocket::default(),
            clients: Clients::default(),
            files: Files::new().context("cannot watch files")?,
            containers: FollowedContainers::default(),
            notifier: Notifier::from_env(Instant::now()).context("cannot reach systemd")?,
            exporter: MetricsExporter::default(),
            counters: Counters::default(),
            digests: Digests::default(),
            debounce: Debounce::default(),
            is_manual: false,
            is_change_logged: false,
            recorder: None,
            names: WatchedNames::default(),
            trial: None,
            loaded: None,
            reported: Findings::default(),
            started_at: SystemTime::now(),
            last_repair: None,
            grants_version: None,
        })
    }

    /// Publishes metrics at these places, and what was refused as far as this engine can read it.
    ///
    /// # Errors
    /// If a socket cannot be opened, or a thread cannot be started.
    pub fn publish(&mut self, endpoints: Endpoints, engine: Engine) -> anyhow::Result<()> {
        self.exporter = MetricsExporter::open(endpoints, engine)?;
        for address in endpoints.listen.iter().filter(|address| !address.ip().is_loopback()) {
            self.log.emit(&Event::Warning { message: &exposed(*address) });
        }
        Ok(())
    }

    /// Takes requests from other commands at this socket.
    pub fn serve(&mut self, control: ControlSocket) {
        self.control = control;
    }

    /// Serves clients at this socket: see [`Clients::open`].
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn serve_at(
        &mut self,
        socket: UnixSocket,
        is_private: bool,
        desk: Desk,
    ) -> anyhow::Result<()> {
        let clients = Clients::open(socket, is_private, desk);
        self.clients = clients.context("cannot start a thread")?;
        Ok(())
    }

    /// Sets whether a changed policy is applied only on request.
    pub fn set_manual(&mut self, is_manual: bool) {
        self.is_manual = is_manual;
    }

    /// Stores each policy that is put in force.
    pub fn record_in(&mut self, recorder: Recorder) {
        if let Some(known) = recorder.store().and_then(Store::known_sets) {
            // If the kernel does not answer, it will not do so at the start either.
            let _ = self.reconciler.assume_sets(&known);
        }
        self.recorder = Some(recorder);
    }

    /// Applies the policy and keeps it in force until a signal asks to stop. The rules stay in place.
    ///
    /// # Errors
    /// If the policy cannot be applied at the start; later, if the kernel's notifications cannot be read
    /// any longer.
    pub fn run(mut self) -> anyhow::Result<()> {
        self.read_grants();
        self.start()?;
        while self.tick()?.is_continue() {
            self.wait().context("cannot wait for events")?;
        }
        // A failure is logged, and the rules of the trial stay.
        let _ = self.roll_back(RollbackReason::Stopped);
        let known = self.reconciler.known_sets();
        if let Some(recorder) = &self.recorder {
            recorder.record_sets(known);
        }
        let stopping = self.notifier.stopping();
        self.log.report_result(NOTIFYING, stopping);
        self.log.emit(&Event::Stop);
        self.send_events();
        Ok(())
    }

    /// Handles everything that has happened and everything that is due.
    fn tick(&mut self) -> anyhow::Result<ControlFlow<()>> {
        self.read_grants();
        for event in self.reconciler.tick()? {
            self.on_event(event);
        }
        let mut reload = false;
        while let Some(action) = self.signals.read().context("cannot read signals")? {
            match action {
                SignalAction::Stop => return Ok(ControlFlow::Break(())),
                SignalAction::Reload => reload = true,
            }
        }
        match self.files.changed().context("cannot read file events")? {
            Some(Change::Written) => self.debounce.written(Instant::now()),
            Some(Change::Replaced) => self.debounce.changed(Instant::now()),
            None => {}
        }
        let requests = self.requests();
        reload |= !requests.is_empty();
        if reload {
            let reload = self.reload_on_request();
            self.reply(requests, &reload);
        } else if is_due(self.debounce.due()) {
            self.on_files_changed();
        }
        self.on_trial_due();
        self.on_names();
        self.follow_containers();
        self.serve_clients();
        if is_due(self.notifier.due()) {
            let ping = self.notifier.ping(Instant::now());
            self.log.report_result(NOTIFYING, ping);
        }
        self.publish_counters();
        self.log.resume();
        Ok(ControlFlow::Continue(()))
    }

    /// Reads the grants and bans that are kept, if they have changed, in case the next repair has to add
    /// them again.
    fn read_grants(&mut self) {
        let Some(recorder) = &self.recorder else { return };
        let version = recorder.grants_version();
        if version != self.grants_version {
            self.grants_version = version;
            self.reconciler.restore_grants(recorder.grants());
        }
    }

    /// Waits until something happens or is due.
    fn wait(&self) -> nix::Result<()> {
        let reconciler = self.reconciler.next_deadline();
        let others = [
            self.notifier.due(),
            self.exporter.due(),
            self.debounce.due(),
            self.control.due(),
            self.clients.due(),
            self.trial.as_ref().map(WatchTrial::due),
            self.names.due(),
            self.containers.due(),
        ];
        let next = others.into_iter().chain([reconciler]).flatten().min();
        let timeout = next.map(|next| next.saturating_duration_since(Instant::now()));
        let others = [self.signals.as_fd(), self.files.as_fd()];
        let sources = self.reconciler.poll_fds().into_iter().chain(others);
        let sources = sources.chain(self.control.poll_fds());
        let sources = sources.chain(self.names.poll_fd());
        let sources = sources.chain(self.containers.follower().map(AsFd::as_fd));
        let sources = sources.map(|source| PollFd::new(source, PollFlags::POLLIN));
        let sources = sources.chain(self.exporter.poll_fds()).chain(self.clients.poll_fds());
        let readers = self.log.blocked().map(|reader| PollFd::new(reader, PollFlags::POLLOUT));
        let mut sources: Vec<PollFd> = sources.chain(readers).collect();
        match ppoll(&mut sources, timeout.map(TimeSpec::from_duration), None) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Writes the metrics to the file and the clients that are waiting for them.
    fn publish_counters(&mut self) {
        let began = Instant::now();
        let demand = self.exporter.demand(began);
        let refusals = demand.needs_metrics().then(|| self.exporter.refusals()).flatten();
        if let Some(refusals) = refusals {
            let metrics = self.metrics(refusals);
            let written = self.exporter.publish(demand, &metrics, Instant::now());
            self.log.report_result(WRITING, written);
        }
        self.exporter.pause(demand, began);
    }

    fn metrics(&mut self, refusals: ReadResult) -> String {
        let refusals = self.log.success(READING_REFUSALS, refusals);
        let kernel = self.reconciler.counters();
        let kernel = self.log.success(COUNTING, kernel);
        let sample = Sample {
            counters: &self.counters,
            file: self.file_state(),
            policy: self.reconciler.policy().zip(self.reconciler.ruleset()),
            digests: &self.digests,
            warnings: self.reported.warnings.len(),
            kernel: kernel.as_ref(),
            refusals: refusals.as_ref(),
        };
        sample.to_text()
    }

    fn file_state(&self) -> FileState {
        match &self.loaded {
            _ if self.is_change_logged => FileState::Changed,
            _ if self.counters.is_current => FileState::Current,
            Some(LoadedPolicy { policy: Err(_), .. }) => FileState::Invalid,
            _ => FileState::Failed,
        }
    }

    /// Notifies systemd that the policy is in force, or which policy is.
    fn notify_ready(&mut self) {
        let ready = self.notifier.ready(&self.status());
        self.log.report_result(NOTIFYING, ready);
    }

    /// One line for `systemctl status`.
    fn status(&self) -> String {
        let policy = if self.counters.is_current {
            "the policy is in force"
        } else {
            "running on the last valid policy (the current file is not applied)"
        };
        let repairs = self.counters.repairs.done;
        format!("{policy}; {repairs} {}", if repairs == 1 { "repair" } else { "repairs" })
    }

    fn warn(&mut self, warnings: &[String]) {
        let (shown, others) = warnings.split_at(warnings.len().min(WARNINGS_MAX));
        for warning in shown {
            self.log.emit(&Event::Warning { message: warning });
        }
        if !others.is_empty() {
            let more = format!("{}; dwnl status -v shows all", Count(others.len(), "more warning"));
            self.log.emit(&Event::Warning { message: &more });
        }
    }
}

/// The warning about metrics that other hosts can read.
fn exposed(address: SocketAddr) -> String {
    format!(
        "the metrics at {address} can be read by every host that reaches this address; they name policy \
         entries, published ports and refused sources"
    )
}

fn is_due(time: Option<Instant>) -> bool {
    time.is_some_and(|time| time <= Instant::now())
}
