//! `dwnl status`: the stored policy, the policy file and the kernel side by side.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use dwnl::policy::{Diagnostics, LoadedPolicy};
use dwnl::state::Metadata;
use dwnl::{Policy, compile, uncovered_ports};

use super::args::StatusArgs;
use super::commands::{open, state_options};
use super::{Console, capabilities};
use crate::confirm::pending_trial;
use crate::control::running_watch;
use crate::report::{FileReport, FileState, KernelReport, Status, StoredReport, WatchReport};
use crate::state::{Store, StoreError};
use crate::warnings::warnings;

/// Prints the status. Changes nothing.
pub fn status(args: &StatusArgs, console: &Console) -> anyhow::Result<ExitCode> {
    capabilities::require_capabilities(args.namespace.path())?;
    let mut status = Warnings::default();
    let store = status.keep(Store::open(state_options(&args.state, &args.namespace))).flatten();
    let applied = store.as_ref().and_then(|store| status.keep(store.last_valid()).flatten());
    let previous = store.as_ref().and_then(|store| status.keep(store.previous()).flatten());
    let (watch, doubt) = running_watch(args.namespace.path());
    status.0.extend(doubt);
    let path = path(args, applied.as_ref().map(|(_, metadata)| metadata));
    let file = LoadedPolicy::load_from(&path, args.policy.base_directory_of(&path)).policy;
    let report = file_report(&path, applied.as_ref().map(|(policy, _)| policy), &file);
    let metadata = applied.as_ref().map(|(_, metadata)| StoredReport::from(metadata));
    let policy = applied.map(|(policy, _)| policy).or(file.ok());
    let mut engine = open(args.namespace.path())?;
    let outcome = policy.as_ref().map(|it| engine.preview(&compile(it))).transpose()?;
    let compared = policy.as_ref().zip(outcome.as_ref());
    status.0.extend(compared.iter().flat_map(|(policy, outcome)| warnings(policy, outcome)));
    let uncovered = compared.map(|(policy, outcome)| uncovered_ports(policy, &outcome.docker));
    console.warn(&status.0);
    console.report(&Status {
        applied: metadata,
        previous: previous.as_ref().map(|stored| StoredReport::from(stored.metadata())),
        file: report,
        watch: watch.as_ref().map(WatchReport::from),
        is_on_trial: pending_trial(args.namespace.path()).is_some(),
        kernel: outcome.as_ref().map(KernelReport::from),
        uncovered_ports: uncovered.unwrap_or_default(),
        warnings: status.0,
    })?;
    Ok(ExitCode::SUCCESS)
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
fn path(args: &StatusArgs, applied: Option<&Metadata>) -> PathBuf {
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
