//! The process that applies the policy on trial, and waits for the verdict.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use dwnl::Engine;
use dwnl::engine::{Applied, RestorePoint};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::guardian::Guardian;
use super::link::{Arrival, Cause, Link, Notice, Order};
use super::pending::{CONFIRM, pending_trial};
use super::signals::EndSignals;
use super::spawn::detach;
use super::terminal::{Answer, Terminal};
use crate::control::{ControlSocket, running_watch};

/// How long the guardian may take to answer at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A trial that is prepared: nothing is changed yet.
pub struct Trial {
    engine: Engine,
    guardian: Engine,
    control: ControlSocket,
}

/// A policy that is applied on trial.
pub struct OnTrial<'a, T> {
    /// What applying it returned.
    pub applied: &'a T,
    /// What the trial may return to.
    pub point: &'a RestorePoint,
    /// Whether the operator can confirm on the terminal.
    pub is_interactive: bool,
}

/// What the two processes share out between them.
struct Parts {
    trial: Trial,
    link: Link,
    guardian_link: Link,
    signals: EndSignals,
}

impl Trial {
    /// Takes the network namespace (`None`: that of the program) for a trial, and opens an engine for
    /// each process.
    ///
    /// # Errors
    /// If a trial is pending or a `watch` runs in the namespace, or an engine cannot be opened.
    pub fn open(namespace: Option<&Path>) -> anyhow::Result<Trial> {
        let control = match ControlSocket::bind(CONFIRM, namespace) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                match pending_trial(namespace) {
                    Some(trial) => bail!("{trial}; confirm it or roll it back first"),
                    None => bail!(
                        "a program that is not dwnl holds the socket name @dwnl-confirm, which \
                         --confirm needs"
                    ),
                }
            }
            control => control.context("cannot listen for the confirmation")?,
        };
        if let (Some(watch), _) = running_watch(namespace) {
            bail!("{watch} would apply its own policy during the trial; stop it first");
        }
        let open = || match namespace {
            Some(path) => Engine::open_in(path),
            None => Engine::open(),
        };
        Ok(Trial { engine: open()?, guardian: open()?, control })
    }

    /// Runs the trial: `apply` applies the policy, and `announce` reports it and asks the operator to
    /// confirm it. Returns once it is confirmed. The caller must have no other threads.
    ///
    /// # Errors
    /// If the policy is not applied or not confirmed: the previous rules are in force.
    pub fn run<T>(
        mut self,
        duration: Duration,
        apply: impl FnOnce(&mut Engine) -> anyhow::Result<T>,
        announce: impl FnOnce(&OnTrial<T>) -> anyhow::Result<()>,
    ) -> anyhow::Result<T> {
        let point = self.engine.restore_point()?;
        let mut operator = Operator::start(self, point, duration)?;
        operator.expect(&Notice::Ready)?;
        let applied = match apply(&mut operator.engine) {
            Ok(applied) => applied,
            Err(error) => {
                // The answer of the kernel may have been lost: the guardian makes sure.
                let _ = operator.give_up();
                return Err(error);
            }
        };
        operator.link.send(&Order::Applied);
        operator.expect(&Notice::Watching)?;
        operator.terminal = Terminal::open();
        let (point, is_interactive) = (&operator.point, operator.terminal.is_some());
        if let Err(error) = announce(&OnTrial { applied: &applied, point, is_interactive }) {
            return Err(operator.give_up().map_or(error, |outcome| outcome));
        }
        operator.verdict()?;
        Ok(applied)
    }
}

/// The process that talks to the operator.
struct Operator {
    engine: Engine,
    link: Link,
    signals: EndSignals,
    terminal: Option<Terminal>,
    point: RestorePoint,
    duration: Duration,
    /// Keeps the namespace taken, in case the guardian dies.
    control: Option<ControlSocket>,
}

impl Operator {
    /// Starts the guardian. Each process drops its copy of what the other one uses.
    fn start(trial: Trial, point: RestorePoint, duration: Duration) -> anyhow::Result<Operator> {
        let signals = EndSignals::block().context("cannot wait for signals")?;
        let (link, guardian_link) = Link::pair().context("cannot start the guardian process")?;
        let mut parts = Some(Parts { trial, link, guardian_link, signals });
        detach(|| {
            let Some(Parts { trial, link, guardian_link, signals }) = parts.take() else { return };
            let Trial { engine, guardian, control } = trial;
            drop((engine, link));
            let (point, link) = (point.clone(), guardian_link);
            Guardian { engine: guardian, point, link, control, signals, duration }.run();
        })?;
        let Some(Parts { trial, link, signals, .. }) = parts else {
            bail!("cannot start the guardian process")
        };
        let Trial { engine, control, .. } = trial;
        let (terminal, control) = (None, Some(control));
        Ok(Operator { engine, link, signals, terminal, point, duration, control })
    }

    /// Waits for a notice that the guardian sends at once. If it does not, restores.
    fn expect(&mut self, expected: &Notice) -> anyhow::Result<()> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        loop {
            match self.link.read::<Notice>() {
                Arrival::Message(notice) if notice == *expected => return Ok(()),
                Arrival::Message(notice) => return Err(self.outcome(notice)),
                Arrival::Nothing if Instant::now() < deadline => self.wait(Some(deadline)),
                Arrival::Nothing | Arrival::Closed => return Err(self.restore()),
            }
        }
    }

    /// Waits for the verdict, and passes on what the operator decides. `Ok`: the policy is confirmed.
    fn verdict(&mut self) -> anyhow::Result<()> {
        let verdict = self.awaited_verdict();
        self.finish();
        verdict
    }

    /// Frees the name of the trial, and waits until the guardian has done so.
    fn finish(&mut self) {
        (self.control, self.terminal) = (None, None);
        self.link.send(&Order::Done);
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        while self.link.read::<Notice>() != Arrival::Closed && Instant::now() < deadline {
            // It is too late for a signal.
            self.signals.have_arrived();
            self.wait(Some(deadline));
        }
    }

    fn awaited_verdict(&mut self) -> anyhow::Result<()> {
        loop {
            match self.link.read::<Notice>() {
                Arrival::Message(Notice::Confirmed) => return Ok(()),
                Arrival::Message(Notice::Ready | Notice::Watching) => {}
                Arrival::Message(notice) => return Err(self.outcome(notice)),
                Arrival::Closed => return Err(self.restore()),
                Arrival::Nothing => {
                    if let Some(order) = self.decision() {
                        self.link.send(&order);
                        self.terminal = None;
                    }
                    self.wait(None);
                }
            }
        }
    }

    /// Has the guardian restore the previous rules. `Err`: what came of it.
    fn give_up(&mut self) -> Option<anyhow::Error> {
        self.link.send(&Order::Restore);
        self.verdict().err()
    }

    /// What the operator has decided, if anything.
    fn decision(&mut self) -> Option<Order> {
        if self.signals.have_arrived() {
            return Some(Order::Restore);
        }
        match self.terminal.as_ref().and_then(Terminal::answer)? {
            Answer::Enter => Some(Order::Confirm),
            Answer::Gone => Some(Order::Restore),
            Answer::Other => {
                eprintln!("Press Enter alone to confirm, Ctrl-C to restore the previous rules.");
                None
            }
        }
    }

    fn wait(&self, deadline: Option<Instant>) {
        let timeout = deadline.map(|it| it.saturating_duration_since(Instant::now()));
        let sources = [self.link.as_fd(), self.signals.as_fd()];
        let sources = sources.into_iter().chain(self.terminal.as_ref().map(AsFd::as_fd));
        let mut sources: Vec<PollFd> =
            sources.map(|source| PollFd::new(source, PollFlags::POLLIN)).collect();
        // After an error the sources are read all the same.
        let _ = ppoll(&mut sources, timeout.map(TimeSpec::from_duration), None);
    }

    /// Restores the previous rules, because the guardian has died. Returns what to report.
    fn restore(&mut self) -> anyhow::Error {
        const DEATH: &str = "the guardian process of the trial has ended";
        match self.engine.restore(&self.point) {
            Ok(applied) => restored(DEATH, &notes(&self.point, &applied)),
            Err(error) => anyhow!("{DEATH}, and the previous rules cannot be restored: {error}"),
        }
    }

    /// What to report of a policy that is not confirmed.
    fn outcome(&self, notice: Notice) -> anyhow::Error {
        let duration = humantime::format_duration(self.duration);
        match notice {
            Notice::Restored { cause: Cause::TimeOver, notes } => {
                restored(&format!("not confirmed within {duration}"), &notes)
            }
            Notice::Restored { cause: Cause::RolledBack, notes } => {
                restored("rolled back by `dwnl rollback`", &notes)
            }
            Notice::Restored { notes, .. } => {
                restored("interrupted before it was confirmed", &notes)
            }
            Notice::Failed { error } => anyhow!("cannot restore the previous rules: {error}"),
            Notice::Ready | Notice::Watching | Notice::Confirmed => {
                anyhow!("unexpected notice from the guardian process")
            }
        }
    }
}

fn restored(cause: &str, notes: &[String]) -> anyhow::Error {
    let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
    anyhow!("{cause}; the previous rules are in force again{notes}")
}

/// What happened to flows, and what could not be restored, as sentences.
pub fn notes(point: &RestorePoint, applied: &Applied) -> Vec<String> {
    let flows = match &applied.conntrack {
        Ok(changes) if changes.cleared + changes.terminated == 0 => None,
        Ok(changes) => Some(format!(
            "conntrack: rejected flows cleared: {}, flows of the trial terminated: {}",
            changes.cleared, changes.terminated
        )),
        Err(error) => Some(format!("conntrack entries could not be updated: {error}")),
    };
    let lost = point.unrestorable().iter().map(|lost| format!("not restored: {lost}"));
    flows.into_iter().chain(lost).collect()
}
