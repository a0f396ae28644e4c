//! The trial of a policy: unless a client confirms it in time, the policy of before is put back in force.

use std::time::{Duration, Instant, SystemTime};

use anyhow::anyhow;
use dwnl::Policy;
use dwnl::engine::RestorePoint;

use super::metrics::Digests;
use super::reload::Reload;
use super::{ROLLING_BACK, Watch};
use crate::apply::Findings;
use crate::confirm::notes;
use crate::report::{Event, RollbackReason};

/// The pause before a rollback that has failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// A policy on trial.
pub(super) struct WatchTrial {
    /// When the policy of before is put back in force.
    due: Instant,
    /// The same for people and programs.
    until: String,
    /// What has to be put back in force.
    before: Before,
}

/// What was in force before a trial.
struct Before {
    policy: Policy,
    point: RestorePoint,
    is_fallback: bool,
    digests: Digests,
}

impl WatchTrial {
    /// When it ends.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// `2026-01-09T08:35:07Z`
    pub fn until(&self) -> String {
        self.until.clone()
    }
}

impl Watch {
    /// Reads the policy and applies it on trial. Returns until when it has to be confirmed, too.
    ///
    /// # Errors
    /// If what is in force cannot be recorded. Nothing has changed.
    pub(super) fn reload_on_trial(
        &mut self,
        duration: Duration,
    ) -> anyhow::Result<(Reload, String)> {
        let policy = self.reconciler.policy().ok_or_else(|| anyhow!("no policy is in force"))?;
        let before = Before {
            policy: policy.clone(),
            point: self.reconciler.restore_point()?,
            is_fallback: self.counters.is_fallback,
            digests: self.digests.clone(),
        };
        let until = humantime::format_rfc3339_seconds(SystemTime::now() + duration).to_string();
        let due = Instant::now() + duration;
        self.trial = Some(WatchTrial { due, until: until.clone(), before });
        let reload = self.read_policy(true);
        if !matches!(reload, Reload::Applied(_)) {
            self.trial = None;
        }
        Ok((reload, until))
    }

    /// Has the policy on trial stay in force.
    pub(super) fn confirm(&mut self) {
        self.trial = None;
        self.record();
        self.log.emit(&Event::Confirmed);
        self.look_at_files();
    }

    /// Ends a trial that was not confirmed in time.
    pub(super) fn on_trial_due(&mut self) {
        if self.trial.as_ref().is_some_and(|trial| trial.due <= Instant::now()) {
            // A failure is logged, and tried again.
            let _ = self.roll_back(RollbackReason::TimeOver);
        }
    }

    /// Puts the policy of before back in force. Returns what happened to flows, and what cannot be
    /// restored.
    ///
    /// # Errors
    /// If that fails. It is tried again in a moment.
    pub(super) fn roll_back(&mut self, reason: RollbackReason) -> Result<Vec<String>, dwnl::Error> {
        let Some(trial) = self.trial.take() else { return Ok(Vec::new()) };
        let (policy, of_containers) = self.complete(&trial.before.policy);
        let applied = match self.reconciler.roll_back(policy, &trial.before.point) {
            Ok(applied) => applied,
            Err(error) => {
                self.log.warn_once(ROLLING_BACK, &error);
                self.trial = Some(WatchTrial { due: Instant::now() + RETRY_PAUSE, ..trial });
                return Err(error);
            }
        };
        self.log.clear(ROLLING_BACK);
        self.follow_names();
        self.counters.uncovered_ports = applied.uncovered.len();
        self.counters.is_current = false;
        self.counters.is_fallback = trial.before.is_fallback;
        self.digests = trial.before.digests;
        // The file waits for a request, or for another change.
        self.is_change_logged = true;
        let policy = self.reconciler.policy();
        self.reported = policy.map(|it| Findings::of(it, &applied)).unwrap_or_default();
        self.reported.warnings.extend(of_containers);
        let done = self.report(&applied);
        self.log.emit(&Event::RolledBack { reason, done });
        self.notify_ready();
        self.exporter.mark_dirty();
        self.look_at_files();
        Ok(notes(&trial.before.point, &applied))
    }

    /// Reads files that may have changed during the trial.
    fn look_at_files(&mut self) {
        if !self.is_manual {
            self.debounce.changed(Instant::now());
        }
    }
}
