//! The guardian: decides whether the policy on trial stays, and restores the previous rules otherwise.

use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use dwnl::Engine;
use dwnl::engine::RestorePoint;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::link::{Arrival, Cause, Link, Notice, Order};
use super::pending::{TrialRequest, Verdict};
use super::signals::EndSignals;
use super::{syslog, trial};
use crate::control::{ControlSocket, PendingRequest};

/// How often restoring is tried.
const ATTEMPTS: u32 = 30;
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// How long the applying process may take to notice the verdict.
const DONE_TIMEOUT: Duration = Duration::from_secs(1);

/// The guardian of a trial.
pub struct Guardian {
    pub engine: Engine,
    pub point: RestorePoint,
    pub link: Link,
    pub control: ControlSocket,
    pub signals: EndSignals,
    /// How long the trial lasts.
    pub duration: Duration,
}

/// Why a trial ends, and who waits for the verdict.
enum End {
    Confirmed(Option<PendingRequest<TrialRequest>>),
    Restore(Restoration),
}

/// Why the previous rules are restored, and who has asked for it.
struct Restoration {
    cause: Cause,
    request: Option<PendingRequest<TrialRequest>>,
}

impl Guardian {
    /// Guards the trial until its end.
    pub fn run(mut self) {
        self.control.adopt();
        self.link.send(&Notice::Ready);
        let end = self.until_applied().unwrap_or_else(|| self.until_decided());
        self.end(end);
    }

    /// Waits until the policy is applied; returns the end of the trial, if it ended then.
    ///
    /// The applying process may commit at any moment. So the trial cannot end before that process has
    /// said that it is done, or has died: the previous rules have to return after the commit.
    fn until_applied(&mut self) -> Option<End> {
        let mut deadline = Instant::now() + self.duration;
        let mut early: Option<Restoration> = None;
        loop {
            let cause = match self.link.read() {
                Arrival::Message(Order::Applied) if early.is_none() => {
                    self.link.send(&Notice::Watching);
                    return None;
                }
                Arrival::Nothing => None,
                Arrival::Message(Order::Applied) => Some(Cause::Ordered),
                arrival => Some(cause(&arrival)),
            };
            if let Some(cause) = cause {
                let ended = Restoration { cause, request: None };
                return Some(End::Restore(early.unwrap_or(ended)));
            }
            if self.signals.have_arrived() {
                early.get_or_insert(Restoration { cause: Cause::Signal, request: None });
            }
            for pending in self.control.requests::<TrialRequest>(Instant::now()) {
                match pending.request {
                    TrialRequest::Rollback if early.is_none() => {
                        early = Some(Restoration::requested(pending));
                    }
                    TrialRequest::Rollback => pending.fail("the trial already ends"),
                    TrialRequest::Confirm => pending.fail("the policy is not applied yet"),
                }
            }
            if deadline <= Instant::now() {
                early.get_or_insert(Restoration { cause: Cause::TimeOver, request: None });
                // Whatever holds up that process, nothing new stays in force meanwhile.
                let _ = self.engine.restore(&self.point);
                deadline = Instant::now() + self.duration;
            }
            self.wait(deadline);
        }
    }

    /// Waits until the policy is confirmed or not.
    fn until_decided(&mut self) -> End {
        let deadline = Instant::now() + self.duration;
        loop {
            match self.link.read() {
                Arrival::Message(Order::Confirm) => return End::Confirmed(None),
                Arrival::Message(Order::Applied) => continue,
                Arrival::Nothing => {}
                arrival => return restore(cause(&arrival)),
            }
            if self.signals.have_arrived() {
                return restore(Cause::Signal);
            }
            if let Some(pending) = self.control.requests(Instant::now()).into_iter().next() {
                return match pending.request {
                    TrialRequest::Confirm => End::Confirmed(Some(pending)),
                    TrialRequest::Rollback => End::Restore(Restoration::requested(pending)),
                };
            }
            if deadline <= Instant::now() {
                return restore(Cause::TimeOver);
            }
            self.wait(deadline);
        }
    }

    fn wait(&self, deadline: Instant) {
        let deadline = self.control.due().map_or(deadline, |due| due.min(deadline));
        let timeout = TimeSpec::from_duration(deadline.saturating_duration_since(Instant::now()));
        let sources = [self.link.as_fd(), self.signals.as_fd()];
        let sources = sources.into_iter().chain(self.control.poll_fds());
        let mut sources: Vec<PollFd> =
            sources.map(|source| PollFd::new(source, PollFlags::POLLIN)).collect();
        // After an error the sources are read all the same.
        let _ = ppoll(&mut sources, Some(timeout), None);
    }

    /// Ends the trial. The applying process learns the verdict first: if this process dies before, that
    /// one restores. An operator who has asked for the end learns it once another trial can begin.
    fn end(mut self, end: End) {
        let (notice, verdict, request) = match end {
            End::Confirmed(request) => (Notice::Confirmed, Verdict::Confirmed, request),
            End::Restore(Restoration { cause, request }) => {
                let (notice, verdict) = self.restore(cause);
                (notice, verdict, request)
            }
        };
        self.link.send(&notice);
        self.control = ControlSocket::default();
        let deadline = Instant::now() + DONE_TIMEOUT;
        while !matches!(self.link.read(), Arrival::Message(Order::Done) | Arrival::Closed)
            && Instant::now() < deadline
        {
            // It is too late for a signal.
            self.signals.have_arrived();
            self.wait(deadline);
        }
        if let Some(request) = request {
            request.reply(&verdict);
        }
    }

    fn restore(&mut self, cause: Cause) -> (Notice, Verdict) {
        let mut attempt = 1;
        loop {
            match self.engine.restore(&self.point) {
                Ok(applied) => {
                    syslog::warn(
                        "a policy on trial was not confirmed; the previous rules are restored",
                    );
                    let notes = trial::notes(&self.point, &applied);
                    let notice = Notice::Restored { cause, notes: notes.clone() };
                    return (notice, Verdict::Restored { notes });
                }
                Err(_) if attempt < ATTEMPTS => thread::sleep(PAUSE),
                Err(error) => {
                    let error = error.to_string();
                    syslog::warn(&format!("cannot restore the previous rules: {error}"));
                    return (Notice::Failed { error: error.clone() }, Verdict::Failed { error });
                }
            }
            attempt += 1;
        }
    }
}

impl Restoration {
    /// An operator has run `dwnl rollback`.
    fn requested(request: PendingRequest<TrialRequest>) -> Restoration {
        Restoration { cause: Cause::RolledBack, request: Some(request) }
    }
}

impl PendingRequest<TrialRequest> {
    fn fail(self, error: &str) {
        self.reply(&Verdict::Failed { error: error.to_owned() });
    }
}

fn restore(cause: Cause) -> End {
    End::Restore(Restoration { cause, request: None })
}

/// Why the applying process wants the previous rules.
fn cause(arrival: &Arrival<Order>) -> Cause {
    match arrival {
        Arrival::Closed => Cause::ProcessEnded,
        _ => Cause::Ordered,
    }
}
