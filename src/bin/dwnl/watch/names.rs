//! Puts the addresses of names in force when they change.

use std::time::Instant;

use super::{LOOKING_UP, RELOADING, STORING_NAMES, Watch};
use crate::lookup::NameNotice;
use crate::report::{Event, NameChange};
use crate::state::Recorder;

impl Watch {
    /// Handles the answers that have arrived, and the end of addresses that could not be confirmed.
    pub(super) fn on_names(&mut self) {
        let (notices, has_changed) = self.names.read(Instant::now());
        for notice in &notices {
            self.log.emit(&match notice {
                NameNotice::Warning(message) => Event::Warning { message },
                NameNotice::Resolved(host) => Event::Resolved { name: host.as_str() },
            });
        }
        if has_changed {
            self.counters.unresolved_names = self.names.problem_count();
            self.exporter.mark_dirty();
            self.set_addresses();
            self.record_names();
        }
    }

    /// Applies the policy in force with the addresses that are known now, if these are others.
    fn set_addresses(&mut self) {
        let Some(current) = self.reconciler.policy() else { return };
        let policy = self.names.resolve(current);
        if policy == *current {
            return;
        }
        let names = NameChange::between(current, &policy);
        let known = self.reported.warnings.clone();
        let (is_current, is_fallback) = (self.counters.is_current, self.counters.is_fallback);
        let applied = self.set_policy(policy, self.policy_warnings());
        (self.counters.is_current, self.counters.is_fallback) = (is_current, is_fallback);
        match applied {
            Ok(applied) => {
                self.log.clear(RELOADING);
                let done = self.report(&applied);
                self.log.emit(&Event::Names { names, done });
                let warnings = self.reported.warnings.iter().filter(|it| !known.contains(it));
                self.warn(&warnings.cloned().collect::<Vec<_>>());
            }
            Err(error) => {
                self.log.warn_once(RELOADING, &error);
                self.names.retry(Instant::now());
            }
        }
    }

    /// Reads which addresses were known before this process was started.
    pub(super) fn load_names(&mut self) {
        let loaded = self.names.load(self.recorder.as_ref().and_then(Recorder::store));
        self.log.success(LOOKING_UP, loaded);
    }

    /// Keeps the names of the policy in force current.
    pub(super) fn follow_names(&mut self) {
        let Some(policy) = self.reconciler.policy() else { return };
        let followed = self.names.follow(policy);
        self.log.success(LOOKING_UP, followed);
        self.counters.unresolved_names = self.names.problem_count();
    }

    fn record_names(&mut self) {
        let store = self.recorder.as_ref().and_then(Recorder::store);
        let recorded = self.names.record(store, Instant::now());
        self.log.success(STORING_NAMES, recorded);
    }
}
