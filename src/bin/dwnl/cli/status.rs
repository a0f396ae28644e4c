//! `dwnl status`: the stored policy, the policy file, the kernel and Docker's published ports side by
//! side.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use dwnl::engine::{GrantReport, Outcome, PolicyCounters};
use dwnl::mismatch::{Mismatch, mismatches};
use dwnl::model::{Ports, RefusedReport};
use dwnl::policy::{Diagnostics, LoadedPolicy, Moment};
use dwnl::state::Metadata;
use dwnl::{Engine, Policy, compile, port_coverage, uncovered_ports};

use super::args::StatusArgs;
use super::commands::{look_up, open, state_options};
use super::{Console, capabilities};
use crate::confirm::pending_trial;
use crate::control::running_watch;
use crate::lookup::{Freshness, Names};
use crate::report::{
    DeniedReport, DropReport, FileReport, FileState, GrantCounts, KernelReport, LimitedReport,
    PortReport, Refusals, ScheduleReport, Status, StoredReport, UnpublishedReport, WatchReport,
};
use crate::state::{Store, StoreError};
use crate::warnings::{besides_limitations, host_unread, sentence};

/// Prints the status. Changes nothing.
pub fn status(args: &StatusArgs, console: &Console) -> anyhow::Result<ExitCode> {
    capabilities::require_capabilities(args.namespace.path())?;
    let mut warnings = Warnings::default();
    let store = warnings.keep(Store::open(state_options(&args.state, &args.namespace))).flatten();
    let applied = store.as_ref().and_then(|store| warnings.keep(store.last_valid()).flatten());
    let previous = store.as_ref().and_then(|store| warnings.keep(store.previous()).flatten());
    let (watch, doubt) = running_watch(args.namespace.path());
    warnings.0.extend(doubt);
    let path = policy_path(args, applied.as_ref().map(|(_, metadata)| metadata));
    let file = LoadedPolicy::load_from(&path, args.policy.base_directory_of(&path)).policy;
    let report = file_report(&path, applied.as_ref().map(|(policy, _)| policy), &file);
    let metadata = applied.as_ref().map(|(_, metadata)| StoredReport::from(metadata));
    // The positions in the file are of more use than those in the stored policy.
    let is_current = report.state == FileState::Current;
    let stored = applied.map(|(policy, _)| policy);
    let policy = if is_current { file.ok() } else { stored.or(file.ok()) };
    let mut names = Names::default();
    let policy =
        policy.map(|policy| names.resolve(policy, store.as_ref(), Freshness::Known)).transpose()?;
    let policy = policy.map(|(policy, unresolved)| {
        warnings.0.extend(unresolved);
        let (policy, doubts) = look_up(&policy, state_options(&args.state, &args.namespace));
        warnings.0.extend(doubts);
        policy
    });
    let mut engine = open(args.namespace.path())?;
    let progress = console.progress("comparing the policy with the kernel");
    let host = policy.as_ref().map(|policy| Host::read(&mut engine, policy)).transpose()?;
    drop(progress);
    let mut status = Status {
        applied: metadata,
        previous: previous.as_ref().map(|stored| StoredReport::from(stored.metadata())),
        file: report,
        watch: watch.as_ref().map(WatchReport::from),
        is_on_trial: pending_trial(args.namespace.path()).is_some(),
        names: names.reports(),
        verbose: console.verbose(),
        warnings: warnings.0,
        ..Status::default()
    };
    if let Some((policy, host)) = policy.as_ref().zip(host.as_ref()) {
        host.describe(policy, &mut status);
    }
    // The text contains them.
    if !console.is_text() {
        console.warn(&[&status.limitations[..], &status.warnings].concat());
    }
    console.report(&status)?;
    Ok(ExitCode::SUCCESS)
}

/// What the kernel holds, next to a policy.
struct Host {
    outcome: Outcome,
    counters: PolicyCounters,
    refused: RefusedReport,
    mismatches: Result<Vec<Mismatch>, dwnl::Error>,
    by_hand: GrantReport,
}

impl Host {
    fn read(engine: &mut Engine, policy: &Policy) -> Result<Host, dwnl::Error> {
        let outcome = engine.preview(&compile(policy))?;
        let counters = engine.counters(policy)?;
        let refused = engine.refused()?;
        let by_hand = engine.grant_summary()?;
        let facts = engine.host_facts(policy);
        let mismatches = facts.map(|facts| mismatches(policy, &outcome.docker, &facts));
        Ok(Host { outcome, counters, refused, mismatches, by_hand })
    }

    fn describe<'a>(&'a self, policy: &'a Policy, status: &mut Status<'a>) {
        let Host { outcome, counters, refused, mismatches, by_hand } = self;
        let docker = &outcome.docker;
        let coverage = port_coverage(policy, docker);
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

/// Errors that leave a part of the status out.
#[derive(Default)]
struct Warnings(Vec<String>);

impl Warnings {
    fn keep<T>(&mut self, result: Result<T, StoreError>) -> Option<T> {
        result.map_err(|error| self.0.push(format!("cannot read the state: {error}"))).ok()
    }
}

/// The policy file: that of the command line, or that of the policy in force.
pub(super) fn policy_path(args: &StatusArgs, applied: Option<&Metadata>) -> PathBuf {
    let stored = applied.map(|metadata| &*metadata.source).filter(|it| *it != Path::new("-"));
    args.policy.given().or(stored).unwrap_or_else(|| args.policy.path()).to_owned()
}

fn file_report(
    path: &Path,
    applied: Option<&Policy>,
    file: &Result<Policy, Diagnostics>,
) -> FileReport {
    let state = match (file, applied) {
        (Err(_), _) => FileState::Invalid,
        (Ok(_), None) => FileState::Unknown,
        (Ok(file), Some(applied)) if file.to_toml() == applied.to_toml() => FileState::Current,
        (Ok(_), Some(_)) => FileState::Changed,
    };
    let error_count = file.as_ref().err().map_or(0, |errors| errors.0.len());
    FileReport::new(path, state, error_count)
}
