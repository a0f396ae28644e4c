//! The status: the stored policy, the policy file, the kernel and Docker's published ports side by side.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::time::SystemTime;

use dwnl::engine::{GrantReport, Outcome, PolicyCounters};
use dwnl::mismatch::{Mismatch, mismatches};
use dwnl::model::{Ports, RefusedReport};
use dwnl::policy::{Diagnostics, LoadedPolicy, Moment};
use dwnl::state::{Metadata, SourceDigest, policy_digest};
use dwnl::{Engine, Policy, compile, port_coverage, uncovered_ports};

use crate::report::{
    DeniedReport, DropReport, FileReport, FileState, GrantCounts, KernelReport, LimitedReport,
    PortReport, Refusals, ScheduleReport, Status, StoredReport, UnpublishedReport,
};
use crate::state::{Store, StoreError};
use crate::warnings::{besides_limitations, host_unread, sentence};

/// What the kernel holds, next to a policy.
pub struct Host {
    outcome: Outcome,
    counters: PolicyCounters,
    refused: RefusedReport,
    mismatches: Result<Vec<Mismatch>, dwnl::Error>,
    by_hand: GrantReport,
}

impl Host {
    /// Reads it.
    ///
    /// # Errors
    /// If the kernel cannot be read.
    pub fn read(engine: &mut Engine, policy: &Policy) -> Result<Host, dwnl::Error> {
        let outcome = engine.preview(&compile(policy))?;
        let counters = engine.counters(policy)?;
        let refused = engine.refused()?;
        let by_hand = engine.grant_summary()?;
        let facts = engine.host_facts(policy);
        let mismatches = facts.map(|facts| mismatches(policy, &outcome.docker, &facts));
        Ok(Host { outcome, counters, refused, mismatches, by_hand })
    }

    /// Adds it to a status.
    pub fn describe<'a>(&'a self, policy: &'a Policy, status: &mut Status<'a>) {
        let Host { outcome, counters, refused, mismatches, by_hand } = self;
        let docker = &outcome.docker;
        let coverage = port_coverage(policy, docker);
        status.policy_digest = Some(policy_digest(policy));
        status.kernel = Some(KernelReport::from(outcome));
        status.by_hand = GrantCounts::new(by_hand, SystemTime::now());
        let refusals = Refusals::new(refused, docker, SystemTime::now());
        status.is_record_full = refusals.as_ref().map(Refusals::is_full);
        status.ports =
            PortReport::all(policy, &coverage, counters, refusals.as_ref(), status.verbose);
        status.denied = DeniedReport::all(policy, counters, status.verbose);
        status.limited = LimitedReport::all(policy, counters);
        status.uncovered_ports = uncovered_ports(policy, docker);
        status.schedules = ScheduleReport::all(policy, Moment::now());
        status.unpublished_ports = UnpublishedReport::all(policy, &self.unpublished());
        let has_guard = policy.guard().is_enabled();
        status.drops = has_guard.then(|| counters.drops.iter().map(DropReport::from).collect());
        status.limitations = outcome.limitations.iter().map(ToString::to_string).collect();
        status.warnings.extend(besides_limitations(policy, outcome));
        match mismatches {
            Ok(found) => {
                let others = found.iter().filter(|it| !is_unpublished(it));
                status.warnings.extend(others.filter_map(sentence));
            }
            Err(error) => status.warnings.push(host_unread(error)),
        }
    }

    /// The ports that the policy lists but Docker does not publish, with those that it may mean.
    fn unpublished(&self) -> BTreeMap<Ports, Vec<Ports>> {
        let ports = self.mismatches.iter().flatten().filter_map(|mismatch| match mismatch {
            Mismatch::NotPublished { ports, published_as } => Some((*ports, published_as.clone())),
            _ => None,
        });
        ports.collect()
    }
}

fn is_unpublished(mismatch: &Mismatch) -> bool {
    matches!(mismatch, Mismatch::NotPublished { .. })
}

/// The stored policies.
#[derive(Default)]
pub struct Stored {
    /// The policy that was put in force last.
    pub applied: Option<(Policy, Metadata)>,
    /// How the policy before its last change was put in force.
    pub previous: Option<Metadata>,
    /// Errors that leave a part of the status out.
    pub warnings: Vec<String>,
}

impl Stored {
    /// Reads them from the state directory, if there is one.
    pub fn read(store: Result<Option<&Store>, &StoreError>) -> Stored {
        let mut stored = Stored::default();
        let store = stored.keep(store).flatten();
        stored.applied = store.and_then(|store| stored.keep(store.last_valid())).flatten();
        let previous = store.and_then(|store| stored.keep(store.previous())).flatten();
        stored.previous = previous.map(|previous| previous.metadata().clone());
        stored
    }

    fn keep<T, E: Display>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.warnings.push(format!("cannot read the state: {error}"))).ok()
    }

    /// A status with what is known of them.
    pub fn status<'a>(&self) -> Status<'a> {
        Status {
            applied: self.applied.as_ref().map(|(_, metadata)| StoredReport::from(metadata)),
            previous: self.previous.as_ref().map(StoredReport::from),
            warnings: self.warnings.clone(),
            ..Status::default()
        }
    }
}

/// The policy file next to the policy in force.
pub fn file_report(path: &Path, applied: Option<&Policy>, file: &LoadedFile) -> FileReport {
    let state = match (&file.policy, applied) {
        (Err(_), _) => FileState::Invalid,
        (Ok(_), None) => FileState::Unknown,
        (Ok(file), Some(applied)) if file.to_toml() == applied.to_toml() => FileState::Current,
        (Ok(_), Some(_)) => FileState::Changed,
    };
    FileReport {
        path: path.display().to_string(),
        state,
        error_count: file.policy.as_ref().err().map_or(0, |errors| errors.0.len()),
        policy_digest: file.policy.as_ref().ok().map(policy_digest),
        source_digest: file.source_digest.clone(),
    }
}

/// The policy file as it is read for a status.
pub struct LoadedFile {
    /// The policy or its errors.
    pub policy: Result<Policy, Diagnostics>,
    /// The digest of the files; `None` if the policy could not be read.
    pub source_digest: Option<String>,
}

impl LoadedFile {
    /// Reads the file.
    pub fn load(path: &Path, directory: &Path) -> LoadedFile {
        let mut digest = SourceDigest::default();
        let loaded = LoadedPolicy::load_observed(path, directory, &mut |file| digest.add(file));
        LoadedFile { policy: loaded.policy, source_digest: digest.finish() }
    }
}
