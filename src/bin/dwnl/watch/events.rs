//! Logs and counts what the reconciler reports.

use std::collections::HashSet;
use std::hash::Hash;
use std::time::{Duration, SystemTime};

use dwnl::engine::{FlowChanges, Outcome};
use dwnl::reconcile::{ReconcileEvent, Repair};
use dwnl::{Error, uncovered_ports};

use super::{NOTIFYING, REPAIRING, Watch};
use crate::apply::{self, Findings};
use crate::control::RepairRecord;
use crate::report::{Attribution, Difference, Event};
use crate::warnings::warnings;

impl Watch {
    pub(super) fn on_event(&mut self, event: ReconcileEvent) {
        match event {
            ReconcileEvent::Repaired(repair) => self.on_repaired(&repair),
            ReconcileEvent::InSync { outcome, causes, elapsed, .. } => {
                self.on_in_sync(&outcome, &Attribution::from(&causes), elapsed);
            }
            ReconcileEvent::Flapping { causes, pause, .. } => {
                self.counters.is_flapping = true;
                let causes = &Attribution::from(&causes);
                let objects = self.repaired_objects();
                let repair_interval_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                self.log.emit(&Event::Flapping { causes, objects, repair_interval_ms });
            }
            ReconcileEvent::Stable { repairs, .. } => {
                self.counters.is_flapping = false;
                let objects = self.repaired_objects();
                self.log.emit(&Event::Stable { objects, repairs });
            }
            ReconcileEvent::Scheduled { flows, .. } => self.on_scheduled(flows),
            ReconcileEvent::Overrun => {
                self.counters.lost += 1;
                self.log.emit(&Event::Overrun);
            }
            ReconcileEvent::Failed(error) => {
                self.counters.checks += 1;
                self.counters.repairs.failed += 1;
                self.counters.conflicts += conflicts(&Err(&error));
                self.log.warn_once(REPAIRING, &error);
            }
            _ => {}
        }
    }

    fn on_scheduled(&mut self, flows: Result<FlowChanges, Error>) {
        self.counters.checks += 1;
        match flows {
            Ok(FlowChanges { terminated: 0, .. }) => {}
            Ok(FlowChanges { terminated: flows_terminated, .. }) => {
                self.log.emit(&Event::Schedule { flows_terminated });
            }
            Err(error) => self.log.warn_once(REPAIRING, &error),
        }
    }

    fn on_in_sync(&mut self, outcome: &Outcome, causes: &Attribution, elapsed: Duration) {
        self.counters.checks += 1;
        self.counters.conflicts += conflicts(&Ok(outcome));
        self.log.clear(REPAIRING);
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.log.emit(&Event::Check { causes, elapsed_us });
        let policy = self.reconciler.policy();
        let found = policy.map(|policy| warnings(policy, outcome)).unwrap_or_default();
        self.counters.uncovered_ports =
            policy.map_or(0, |policy| uncovered_ports(policy, &outcome.docker).len());
        let warnings = news(&mut self.reported.warnings, found);
        self.warn(&warnings);
    }

    fn on_repaired(&mut self, repair: &Repair) {
        let Repair { applied, causes, is_drift, is_flapping, .. } = repair;
        self.counters.checks += 1;
        self.counters.conflicts += conflicts(&Ok(&applied.outcome));
        self.counters.repairs.count(applied.elapsed);
        self.counters.uncovered_ports = applied.uncovered.len();
        self.counters.drift_repairs += u64::from(*is_drift);
        self.log.clear(REPAIRING);
        let policy = self.reconciler.policy();
        let mut found = policy.map(|it| Findings::of(it, applied)).unwrap_or_default();
        found.is_fallback = self.counters.is_fallback;
        let warnings = news(&mut self.reported.warnings, found.warnings.clone());
        found.uncovered = news(&mut self.reported.uncovered, found.uncovered);
        let translations = &mut self.reported.foreign_translations;
        found.foreign_translations = news(translations, found.foreign_translations);
        let causes = Attribution::from(causes);
        self.last_repair = Some(RepairRecord {
            at: SystemTime::now(),
            objects: Difference::new(&applied.outcome.plan, false).objects(),
            causes: causes.sentences(),
        });
        let verbose = self.log.is_verbose();
        let protected = applied.outcome.protected;
        self.log.emit(&Event::Repair {
            causes: &causes,
            objects: self.repaired_objects(),
            is_flapping: *is_flapping,
            protected_us: protected.map(|it| u64::try_from(it.as_micros()).unwrap_or(u64::MAX)),
            done: apply::report(applied, found, applied.elapsed, verbose),
        });
        self.warn(&warnings);
        let status = self.notifier.status(&self.status());
        self.log.report_result(NOTIFYING, status);
        self.exporter.mark_dirty();
    }

    /// The tables, chains and sets that were repaired last.
    fn repaired_objects(&self) -> Vec<String> {
        self.last_repair.as_ref().map(|repair| repair.objects.clone()).unwrap_or_default()
    }
}

/// How often a commit was rejected because another program changed the ruleset meanwhile.
pub(super) fn conflicts(result: &Result<&Outcome, &Error>) -> u64 {
    match result {
        Ok(outcome) => u64::from(outcome.attempts.saturating_sub(1)),
        Err(Error::Conflict { attempts }) => u64::from(*attempts),
        Err(Error::Incomplete(error) | Error::Unfinished(error)) => conflicts(&Err(error)),
        Err(_) => 0,
    }
}

/// What is found and was not reported before. What is found counts as reported from now on.
pub(super) fn news<T: Clone + Eq + Hash>(reported: &mut Vec<T>, found: Vec<T>) -> Vec<T> {
    let before = std::mem::replace(reported, found.clone());
    let before: HashSet<T> = before.into_iter().collect();
    found.into_iter().filter(|it| !before.contains(it)).collect()
}
