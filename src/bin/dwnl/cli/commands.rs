//! The commands: each reads its input, does one thing and reports the result.

use std::panic::resume_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use anyhow::Context;
use dwnl::access::Cause;
use dwnl::model::Ruleset;
use dwnl::{Engine, Policy, Reconciler, compile, managed_objects};

use super::args::{ApplyArgs, Command, Namespace, PlanArgs, PolicyFile, RulesArgs, WatchArgs};
use super::{Console, capabilities};
use crate::apply::{self, Findings};
use crate::report::{ApplyReport, Check, Difference, Operation, Rules, Show};
use crate::warnings::plan_warnings;
use crate::watch::{Signals, Watch};

/// The exit status of `plan --exit-code` if sources would gain or lose access.
const ACCESS_CHANGES: u8 = 3;
/// The exit status of `plan --exit-code` if only the form or order of the rules would change.
const DRIFT: u8 = 4;
/// The exit status of `plan --exit-code` if the rules would only follow what Docker publishes.
const FOLLOWS_DOCKER: u8 = 5;

/// Runs a command and returns the exit status.
///
/// # Errors
/// [`dwnl::policy::Diagnostics`] if the policy is invalid, any other error if the operation failed.
pub fn run(verb: Command, console: &Console, started: Instant) -> anyhow::Result<ExitCode> {
    match verb {
        Command::Check(policy) => check(&policy, console),
        Command::Rules(args) => rules(&args, console),
        Command::Plan(args) => plan(&args, console),
        Command::Apply(args) => apply(&args, console, started),
        Command::Watch(args) => watch(&args, console),
        Command::Show(namespace) => show(&namespace, console),
        Command::Remove(namespace) => remove(&namespace, console, started),
    }
}

fn check(policy: &PolicyFile, console: &Console) -> anyhow::Result<ExitCode> {
    let path = policy.path();
    let policy = Policy::read(path)?;
    console.report(&Check::passed(path, &policy))?;
    Ok(ExitCode::SUCCESS)
}

fn rules(args: &RulesArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let ruleset = compile(&Policy::read(args.policy.path())?);
    console.report(&Rules { ruleset: &ruleset, family: args.family() })?;
    Ok(ExitCode::SUCCESS)
}

fn plan(args: &PlanArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let Prepared { policy, desired, mut engine } = prepare(&args.policy, &args.namespace)?;
    let progress = console.progress("comparing the policy with the kernel");
    let preview = engine.preview_policy(&policy, &desired)?;
    drop(progress);
    let mut difference = Difference::preview(&preview, console.verbose());
    difference.warnings = plan_warnings(&policy, &preview);
    console.warn(&difference.warnings);
    console.report(&difference)?;
    let status = preview.outcome.cause.filter(|_| args.exit_code).map_or(0, |cause| match cause {
        Cause::Access => ACCESS_CHANGES,
        Cause::Drift => DRIFT,
        Cause::Docker => FOLLOWS_DOCKER,
    });
    Ok(ExitCode::from(status))
}

fn apply(args: &ApplyArgs, console: &Console, started: Instant) -> anyhow::Result<ExitCode> {
    let Prepared { policy, desired, mut engine } = prepare(&args.policy, &args.namespace)?;
    let progress = console.progress("applying the policy");
    let applied = engine.apply_compiled(&policy, &desired)?;
    let findings = Findings::of(&policy, &applied);
    let elapsed = started.elapsed();
    drop(progress);
    console.warn(&findings.warnings);
    console.report(&apply::report(&applied, findings, elapsed, console.verbose()))?;
    Ok(ExitCode::SUCCESS)
}

fn watch(args: &WatchArgs, console: &Console) -> anyhow::Result<ExitCode> {
    // Before any other thread starts: a thread inherits the mask of blocked signals.
    let signals = Signals::block().context("cannot wait for signals")?;
    let namespace = args.namespace.path();
    capabilities::require_capabilities(namespace)?;
    let reconciler = match namespace {
        Some(path) => Reconciler::open_in(path)?,
        None => Reconciler::open()?,
    };
    capabilities::keep_net_admin()?;
    let mut watch = Watch::new(args.policy.path(), reconciler, signals, console.log())?;
    watch.publish(args.metrics_file.as_deref(), args.metrics_socket.as_deref())?;
    watch.run()?;
    Ok(ExitCode::SUCCESS)
}

fn show(namespace: &Namespace, console: &Console) -> anyhow::Result<ExitCode> {
    let mut engine = open(namespace.path())?;
    let progress = console.progress("reading the kernel's rules");
    let snapshot = engine.snapshot()?;
    drop(progress);
    let managed = managed_objects();
    console.report(&Show::new(&managed, &snapshot, console.verbose()))?;
    Ok(ExitCode::SUCCESS)
}

fn remove(namespace: &Namespace, console: &Console, started: Instant) -> anyhow::Result<ExitCode> {
    let mut engine = open(namespace.path())?;
    let progress = console.progress("removing dwnl's rules");
    let outcome = engine.remove()?;
    drop(progress);
    let mut done = ApplyReport::new(Operation::Remove, &outcome, started.elapsed());
    done.difference = console.verbose().then(|| Difference::new(&outcome.plan, true));
    console.report(&done)?;
    Ok(ExitCode::SUCCESS)
}

/// A policy, and an engine to compare the kernel with it.
struct Prepared {
    policy: Policy,
    desired: Ruleset,
    engine: Engine,
}

/// Reads the policy, and the kernel's ruleset on another thread: with large policies, both take
/// long. An error in the policy is reported before any other error.
fn prepare(file: &PolicyFile, namespace: &Namespace) -> anyhow::Result<Prepared> {
    let connect = || -> anyhow::Result<Engine> {
        let mut engine = open(namespace.path())?;
        engine.prefetch()?;
        Ok(engine)
    };
    thread::scope(|scope| {
        let kernel = thread::Builder::new().spawn_scoped(scope, connect);
        let policy = Policy::read(file.path())?;
        let desired = compile(&policy);
        let kernel = kernel.context("cannot start a thread")?.join();
        let engine = kernel.unwrap_or_else(|panic| resume_unwind(panic))?;
        capabilities::keep_net_admin()?;
        Ok(Prepared { policy, desired, engine })
    })
}

/// Opens the engine and drops the capabilities that only opening it needs, for the calling thread.
fn open(namespace: Option<&Path>) -> anyhow::Result<Engine> {
    capabilities::require_capabilities(namespace)?;
    let engine = match namespace {
        Some(path) => Engine::open_in(path)?,
        None => Engine::open()?,
    };
    capabilities::keep_net_admin()?;
    Ok(engine)
}
