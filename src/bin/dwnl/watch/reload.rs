//! Reads the policy's files at the start and when they change, and applies the policy.

use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use dwnl::engine::Applied;
use dwnl::policy::{Diagnostics, LoadedPolicy, Policy, PolicyWarning};
use dwnl::state::{SourceDigest, policy_digest};

use super::events::conflicts;
use super::metrics::Digests;
use super::serve::ON_TRIAL;
use super::trial::WatchTrial;
use super::{FALLING_BACK, NOTIFYING, RELOADING, REPAIRING, STORING, WATCHING, Watch};
use crate::apply::{self, Findings};
use crate::report::{ApplyReport, Event, GrantCounts};
use crate::state::{Fallback, Recorder};

/// What reading the policy led to.
pub(super) enum Reload {
    /// It has not changed.
    Unchanged,
    /// It was applied.
    Applied(Box<Applied>),
    /// It has errors.
    Invalid(Diagnostics),
    /// It could not be applied.
    Failed(dwnl::Error),
    /// It was not read, because a policy is on trial.
    OnTrial,
}

impl Watch {
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let path = self.path.clone();
        self.follow(std::slice::from_ref(&path));
        let (mut loaded, source) = self.load();
        let recorder = self.recorder.as_ref().filter(|_| loaded.has_shrink_limits());
        if let Some(previous) = recorder.and_then(Recorder::applied) {
            loaded.check_shrink(&previous);
        }
        let (policy, fallback) = match &loaded.policy {
            Ok(policy) => (policy.clone(), None),
            Err(errors) => self.fall_back(errors)?,
        };
        self.load_names();
        let policy = self.names.resolve(&policy);
        let applied = self.set_policy(policy, policy_warnings(&loaded))?;
        self.follow_names();
        self.follow(&loaded.watch_paths);
        self.loaded = Some(loaded);
        match fallback {
            Some(_) => {
                self.counters.fell_back();
                self.note_digests(None);
            }
            None => {
                self.record();
                self.note_digests(source);
            }
        }
        self.started_at = SystemTime::now();
        let done = self.report(&applied);
        self.log.emit(&Event::Start { policy: &self.path, done });
        self.warn(&self.reported.warnings.clone());
        self.notify_ready();
        self.exporter.mark_dirty();
        Ok(())
    }

    /// The last valid policy in place of one with these errors, which are reported.
    fn fall_back(&mut self, errors: &Diagnostics) -> anyhow::Result<(Policy, Option<Fallback>)> {
        match self.recorder.as_ref().and_then(|recorder| recorder.fall_back(errors)) {
            Some(Ok((policy, fallback))) => {
                self.log.emit(&Event::fallback(&fallback));
                Ok((policy, Some(fallback)))
            }
            Some(Err(reason)) => {
                self.log.warn_once(FALLING_BACK, &reason);
                Err(errors.clone().into())
            }
            None => Err(errors.clone().into()),
        }
    }

    /// Reads the policy after its files have changed, or only logs that they have.
    pub(super) fn on_files_changed(&mut self) {
        if !self.is_manual && self.trial.is_none() {
            self.read_policy(false);
            return;
        }
        let loaded = LoadedPolicy::load_from(&self.path, &self.base_directory);
        self.debounce.read();
        self.follow(&loaded.watch_paths);
        let has_changed = self.loaded.as_ref() != Some(&loaded);
        if has_changed && !self.is_change_logged {
            self.log.emit(&Event::Changed { policy: &self.path });
        }
        self.is_change_logged = has_changed;
    }

    /// Reads the policy and applies it, unless one is on trial. If it has errors, the last valid one is
    /// applied again: Docker may be about to start in a new cgroup.
    pub(super) fn reload_on_request(&mut self) -> Reload {
        if self.trial.is_some() {
            self.log.emit(&Event::Warning { message: ON_TRIAL });
            return Reload::OnTrial;
        }
        let reload = self.read_policy(true);
        let policy = self.reconciler.policy();
        if let (Reload::Invalid(_), Some(policy)) = (&reload, policy.cloned()) {
            let applied = self.reconciler.set_policy(policy);
            if let Err(error) = applied {
                self.log.warn_once(REPAIRING, &error);
            }
        }
        reload
    }

    /// Reads the policy, and applies it if it has changed or a signal has asked for it.
    pub(super) fn read_policy(&mut self, is_requested: bool) -> Reload {
        let (mut loaded, source) = self.load();
        if !is_requested && loaded.is_unfinished() && self.debounce.defer(Instant::now()) {
            self.follow(&loaded.watch_paths);
            return Reload::Unchanged;
        }
        if let Some(policy) = self.reconciler.policy() {
            loaded.check_shrink(policy);
        }
        self.debounce.read();
        self.is_change_logged = false;
        self.follow(&loaded.watch_paths);
        if !is_requested && self.loaded.as_ref() == Some(&loaded) {
            if self.counters.is_current {
                self.digests.source = source.unwrap_or_default();
            }
            return Reload::Unchanged;
        }
        let reloading = self.notifier.reloading();
        self.log.report_result(NOTIFYING, reloading);
        let reload = match &loaded.policy {
            Ok(policy) => self.reload(policy.clone(), loaded, source),
            Err(diagnostics) => {
                self.warn(&policy_warnings(&loaded));
                self.log.emit(&Event::policy_errors(diagnostics));
                self.counters.reloads.failed += 1;
                self.counters.is_current = false;
                let diagnostics = diagnostics.clone();
                self.loaded = Some(loaded);
                Reload::Invalid(diagnostics)
            }
        };
        self.notify_ready();
        self.exporter.mark_dirty();
        reload
    }

    /// Reads the policy, and the digest of its files if metrics are published.
    fn load(&self) -> (LoadedPolicy, Option<String>) {
        let (path, directory) = (&self.path, &self.base_directory);
        if !self.exporter.is_open() {
            return (LoadedPolicy::load_from(path, directory), None);
        }
        let mut digest = SourceDigest::default();
        let loaded = LoadedPolicy::load_observed(path, directory, &mut |file| digest.add(file));
        (loaded, digest.finish())
    }

    /// Notes the digests of the policy that was put in force, which was read from files with this digest.
    fn note_digests(&mut self, source: Option<String>) {
        let policy = self.reconciler.policy().filter(|_| self.exporter.is_open());
        let policy = policy.map(policy_digest).unwrap_or_default();
        self.digests = Digests { policy, source: source.unwrap_or_default() };
    }

    fn reload(&mut self, policy: Policy, loaded: LoadedPolicy, source: Option<String>) -> Reload {
        let policy = self.names.resolve(&policy);
        match self.set_policy(policy, policy_warnings(&loaded)) {
            Ok(applied) => {
                self.log.clear(RELOADING);
                self.follow_names();
                let had_errors = self.loaded.as_ref().is_some_and(|last| last.policy.is_err());
                self.loaded = Some(loaded);
                self.note_digests(source);
                let trial = self.trial.as_ref().map(WatchTrial::until);
                if trial.is_none() {
                    self.record();
                }
                let done = self.report(&applied);
                self.log.emit(&match trial {
                    None => Event::Reload { had_errors, done },
                    Some(confirm_until) => Event::Trial { confirm_until, done },
                });
                self.warn(&self.reported.warnings.clone());
                Reload::Applied(Box::new(applied))
            }
            Err(error) => {
                self.log.warn_once(RELOADING, &error);
                if !self.is_manual {
                    self.debounce.failed(Instant::now());
                }
                self.loaded = None;
                self.counters.reloads.failed += 1;
                self.counters.is_current = false;
                Reload::Failed(error)
            }
        }
    }

    /// Applies a policy about which there are these warnings.
    pub(super) fn set_policy(
        &mut self,
        policy: Policy,
        warnings: Vec<String>,
    ) -> Result<Applied, dwnl::Error> {
        let (policy, of_containers) = self.complete(&policy);
        let applied = self.reconciler.set_policy(policy);
        self.counters.conflicts += conflicts(&applied.as_ref().map(|applied| &applied.outcome));
        let applied = applied?;
        self.counters.reloads.count(applied.elapsed);
        self.counters.uncovered_ports = applied.uncovered.len();
        self.counters.is_current = true;
        self.counters.is_fallback = false;
        let policy = self.reconciler.policy();
        self.reported = policy.map(|it| Findings::of(it, &applied)).unwrap_or_default();
        self.reported.warnings.splice(..0, warnings.into_iter().chain(of_containers));
        let by_hand = self.reconciler.grant_summary().ok();
        self.reported.by_hand = by_hand.and_then(|it| GrantCounts::new(&it, SystemTime::now()));
        Ok(applied)
    }

    /// The warnings about the policy that was read last.
    pub(super) fn policy_warnings(&self) -> Vec<String> {
        self.loaded.as_ref().map(policy_warnings).unwrap_or_default()
    }

    /// Stores the policy in force. The rules do not depend on it, so a failure is only reported.
    pub(super) fn record(&mut self) {
        let known = self.reconciler.known_sets();
        let Some((recorder, policy)) = self.recorder.as_ref().zip(self.reconciler.policy()) else {
            return;
        };
        recorder.record_sets(known);
        match recorder.record(policy) {
            Ok(()) => self.log.clear(STORING),
            Err(reason) => self.log.warn_once(STORING, &reason),
        }
    }

    pub(super) fn report<'a>(&self, applied: &'a Applied) -> ApplyReport<'a> {
        let (mut found, verbose) = (self.reported.clone(), self.log.is_verbose());
        found.is_fallback = self.counters.is_fallback;
        apply::report(applied, found, applied.elapsed, verbose)
    }

    /// Watches the files. If some were not watched before, they may have changed after they were read.
    fn follow(&mut self, files: &[PathBuf]) {
        match self.files.follow(files) {
            Ok(true) => self.debounce.changed(Instant::now()),
            Ok(false) => {}
            Err(error) => self.log.warn_once(WATCHING, &error),
        }
    }
}

/// The warnings about a policy, one line each.
fn policy_warnings(loaded: &LoadedPolicy) -> Vec<String> {
    loaded.warnings.iter().map(PolicyWarning::to_line).collect()
}
