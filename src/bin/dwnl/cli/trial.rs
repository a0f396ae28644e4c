//! The commands around a trial: `apply --confirm`, `confirm` and `rollback`.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use dwnl::{Engine, compile};

use super::args::{ApplyArgs, Namespace, RollbackArgs};
use super::commands::{Prepared, find_watch, look_up, prepare, read_or_fall_back, state_options};
use super::{Console, capabilities};
use crate::apply::{self, Findings};
use crate::confirm::{Trial, TrialRequest, Verdict, pending_trial};
use crate::control::{RunningWatch, running_watch};
use crate::lookup::{Freshness, Names};
use crate::report::{TrialReport, trial_ends};
use crate::state::{Recorder, Store};
use crate::warnings::host_warnings;

/// Applies a policy on trial.
pub fn apply(
    args: &ApplyArgs,
    duration: Duration,
    console: &Console,
    started: Instant,
) -> anyhow::Result<ExitCode> {
    let state = state_options(&args.state, &args.namespace);
    let recorder = Recorder::open(state, args.policy.path(), "apply");
    let (policy, warnings, _) = read_or_fall_back(&args.policy, &recorder, console)?;
    let mut names = Names::default();
    let (policy, warnings) = names.resolve_for(policy, warnings, recorder.store(), console)?;
    let desired = compile(&policy);
    capabilities::require_capabilities(args.namespace.path())?;
    let trial = Trial::open(args.namespace.path())?;
    capabilities::keep_net_admin()?;
    let apply = |engine: &mut Engine| {
        let progress = console.progress("applying the policy");
        recorder.restore_grants(engine);
        let applied = engine.apply_compiled(&policy, &desired)?;
        drop(progress);
        let mut findings = Findings::of(&policy, &applied);
        findings.warnings.extend(host_warnings(engine, &policy, &applied.outcome.docker));
        findings.names = names.labels(&policy);
        Ok((applied, findings, started.elapsed()))
    };
    let report = |(applied, findings, elapsed): &(_, Findings, _)| {
        console.report(&apply::report(applied, findings.clone(), *elapsed, console.verbose()))
    };
    // A program gets one object, at the end.
    let applied = trial.run(duration, apply, |trial| {
        console.warn(&trial.applied.1.warnings);
        let lost = trial.point.unrestorable().iter();
        let lost = lost.map(|lost| format!("the end of the trial cannot restore {lost}"));
        console.warn(&lost.collect::<Vec<_>>());
        if !console.is_json() {
            report(trial.applied)?;
        }
        console.prompt(&prompt(duration, trial.is_interactive));
        Ok(())
    })?;
    let (applied, mut findings, elapsed) = applied;
    let known = findings.warnings.len();
    findings.not_stored(recorder.record(&policy));
    findings.not_stored(names.record(recorder.store()));
    console.warn(&findings.warnings[known..]);
    findings.warnings.splice(..0, warnings);
    let applied = (applied, findings, elapsed);
    if console.is_json() {
        report(&applied)?;
    } else {
        console.report(&TrialReport::confirmed())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn prompt(duration: Duration, is_interactive: bool) -> String {
    let duration = humantime::format_duration(duration);
    let how = if is_interactive { "press Enter or run" } else { "run" };
    format!("on trial for {duration}: {how} `dwnl confirm` to keep the policy")
}

/// Confirms the policy that is on trial.
pub fn confirm(namespace: &Namespace, console: &Console) -> anyhow::Result<ExitCode> {
    end(namespace, TrialRequest::Confirm, console)
}

/// Ends the trial, so that the previous rules return. Without one, applies the policy before the last
/// one.
pub fn rollback(
    args: &RollbackArgs,
    console: &Console,
    started: Instant,
) -> anyhow::Result<ExitCode> {
    if pending_trial(args.namespace.path()).is_some() {
        return end(&args.namespace, TrialRequest::Rollback, console);
    }
    if let Some(watch) = find_watch(&args.namespace, console) {
        bail!("{watch} would undo this; change its policy instead, or stop it first");
    }
    let state = state_options(&args.state, &args.namespace);
    let Some(store) = Store::open(state)? else {
        bail!("no policies are stored for other network namespaces than the host's");
    };
    let Some(stored) = store.previous()? else {
        bail!("no policy is on trial, and no previous policy is stored");
    };
    let source = stored.metadata().source.clone();
    let mut names = Names::default();
    let read = || {
        let policy = stored.policy("policy.previous")?;
        let (policy, doubts) = look_up(&policy, state_options(&args.state, &args.namespace));
        let (policy, unresolved) = names.resolve(policy, Some(&store), Freshness::Fresh)?;
        Ok((policy, [doubts, unresolved].concat()))
    };
    let Prepared { policy, desired, mut engine, warnings } =
        prepare(&args.namespace, Some(&store), read)?;
    let applied = engine.apply_compiled(&policy, &desired)?;
    let mut findings = Findings::of(&policy, &applied);
    findings.names = names.labels(&policy);
    let recorded = store.record(&policy, &source, "rollback").map_err(|error| error.to_string());
    findings.warnings.splice(..0, warnings);
    findings.not_stored(recorded);
    findings.not_stored(names.record(Some(&store)));
    findings.warnings.push(format!(
        "{} is unchanged: the next apply of it, for example at boot, undoes the rollback",
        source.display()
    ));
    console.warn(&findings.warnings);
    let elapsed = started.elapsed();
    console.report(&apply::report(&applied, findings, elapsed, console.verbose()))?;
    Ok(ExitCode::SUCCESS)
}

fn end(
    namespace: &Namespace,
    request: TrialRequest,
    console: &Console,
) -> anyhow::Result<ExitCode> {
    capabilities::require_capabilities(namespace.path())?;
    let Some(trial) = pending_trial(namespace.path()) else {
        let (watch, _) = running_watch(namespace.path());
        if let Some(watch) = watch.filter(RunningWatch::is_on_trial) {
            bail!("{watch} has a policy on trial: {}", trial_ends(true));
        }
        bail!("no policy is on trial in this network namespace");
    };
    capabilities::keep_net_admin()?;
    match trial.request(request)? {
        Verdict::Confirmed => console.report(&TrialReport::confirmed())?,
        Verdict::Restored { notes } => console.report(&TrialReport::restored(notes))?,
        Verdict::Failed { error } => bail!("{error}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a policy is on trial in a network namespace: that of `apply --confirm`, or of its watch.
pub fn is_on_trial(namespace: Option<&Path>, watch: Option<&RunningWatch>) -> bool {
    pending_trial(namespace).is_some() || watch.is_some_and(RunningWatch::is_on_trial)
}

/// Refuses to work while a policy is on trial in the namespace.
///
/// # Errors
/// If one is.
pub fn refuse_if_pending(namespace: &Namespace) -> anyhow::Result<()> {
    match pending_trial(namespace.path()) {
        Some(trial) => bail!("{trial}; run `dwnl confirm` or `dwnl rollback` first"),
        None => Ok(()),
    }
}
