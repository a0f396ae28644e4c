//! `dwnl status`: the stored policy, the policy file, the kernel and Docker's published ports side by
//! side.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use dwnl::state::Metadata;

use super::args::StatusArgs;
use super::commands::{look_up, open, state_options};
use super::trial::is_on_trial;
use super::{Console, capabilities};
use crate::control::running_watch;
use crate::lookup::{Freshness, Names};
use crate::report::{FileState, WatchReport};
use crate::state::Store;
use crate::status::{Host, LoadedFile, Stored, file_report};

/// Prints the status. Changes nothing.
pub fn status(args: &StatusArgs, console: &Console) -> anyhow::Result<ExitCode> {
    capabilities::require_capabilities(args.namespace.path())?;
    let store = Store::open(state_options(&args.state, &args.namespace));
    let stored = Stored::read(store.as_ref().map(Option::as_ref));
    let store = store.ok().flatten();
    let mut status = stored.status();
    let (watch, doubt) = running_watch(args.namespace.path());
    status.warnings.extend(doubt);
    let applied = stored.applied;
    let path = policy_path(args, applied.as_ref().map(|(_, metadata)| metadata));
    let file = LoadedFile::load(&path, args.policy.base_directory_of(&path));
    let applied = applied.map(|(policy, _)| policy);
    status.file = file_report(&path, applied.as_ref(), &file);
    // The positions in the file are of more use than those in the stored policy.
    let is_current = status.file.state == FileState::Current;
    let file = file.policy.ok();
    let policy = if is_current { file } else { applied.or(file) };
    let mut names = Names::default();
    let policy =
        policy.map(|policy| names.resolve(policy, store.as_ref(), Freshness::Known)).transpose()?;
    let policy = policy.map(|(policy, unresolved)| {
        status.warnings.extend(unresolved);
        let (policy, doubts) = look_up(&policy, state_options(&args.state, &args.namespace));
        status.warnings.extend(doubts);
        policy
    });
    let mut engine = open(args.namespace.path())?;
    let progress = console.progress("comparing the policy with the kernel");
    let host = policy.as_ref().map(|policy| Host::read(&mut engine, policy)).transpose()?;
    drop(progress);
    status.watch = watch.as_ref().map(WatchReport::from);
    status.is_on_trial = is_on_trial(args.namespace.path(), watch.as_ref());
    status.names = names.reports();
    status.verbose = console.verbose();
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

/// The policy file: that of the command line, or that of the policy in force.
pub(super) fn policy_path(args: &StatusArgs, applied: Option<&Metadata>) -> PathBuf {
    let stored = applied.map(|metadata| &*metadata.source).filter(|it| *it != Path::new("-"));
    args.policy.given().or(stored).unwrap_or_else(|| args.policy.path()).to_owned()
}
