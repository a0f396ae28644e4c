//! The commands: each reads its input, does one thing and reports the result.

use std::panic::resume_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Instant, SystemTime};

use anyhow::{Context, bail};
use dwnl::access::Cause;
use dwnl::engine::GrantReport;
use dwnl::model::Ruleset;
use dwnl::policy::{LoadedPolicy, PolicyWarning};
use dwnl::{Engine, Policy, Reconciler, compile, managed_objects};

use super::args::{
    ApplyArgs, CheckArgs, Command, Namespace, PlanArgs, PolicyFile, RulesArgs, ShowArgs, StateArgs,
    WatchArgs,
};
use super::doctor::doctor;
use super::explain::explain;
use super::import::import;
use super::refused::refused;
use super::status::status;
use super::trace::trace;
use super::{Console, INVALID, capabilities, grants, service_user, source_list, trial};
use crate::apply::{self, Findings};
use crate::by_hand::Book;
use crate::control::{RunningWatch, lock_watch, running_watch};
use crate::lookup::{Freshness, Names, containers};
use crate::preview;
use crate::report::{ApplyReport, Check, Difference, GrantCounts, Operation, Rules, Show};
use crate::state::{Fallback, Recorder, StateOptions, Store};
use crate::warnings::host_warnings;
use crate::watch::{Desk, Endpoints, Reach, Signals, UnixSocket, Watch};

/// The exit status of `plan --exit-code` if sources would gain or lose access.
const ACCESS_CHANGES: u8 = 3;
/// The exit status of `plan --exit-code` if only the form or order of the rules would change.
const DRIFT: u8 = 4;
/// The exit status of `plan --exit-code` if the rules would only follow what Docker publishes.
const FOLLOWS_DOCKER: u8 = 5;

/// The exit status of `apply --fallback` if the last valid policy was applied instead.
const FELL_BACK: u8 = 4;

/// Runs a command and returns the exit status.
///
/// # Errors
/// [`dwnl::policy::Diagnostics`] if the policy is invalid, any other error if the operation failed.
pub fn run(verb: Command, console: &Console, started: Instant) -> anyhow::Result<ExitCode> {
    match verb {
        Command::Check(args) => check(&args, console),
        Command::Rules(args) => rules(&args, console),
        Command::Plan(args) => plan(&args, console),
        Command::Apply(args) => apply(&args, console, started),
        Command::Confirm(namespace) => trial::confirm(&namespace, console),
        Command::Rollback(args) => trial::rollback(&args, console, started),
        Command::Watch(args) => watch(&args, console),
        Command::Allow(args) => grants::allow(&args, console),
        Command::Deny(args) => grants::deny(&args, console),
        Command::Grants(args) => grants::grants(&args, console),
        Command::Revoke(args) => grants::revoke(&args, console),
        Command::Status(args) => status(&args, console),
        Command::Refused(args) => refused(&args, console),
        Command::Explain(args) => explain(&args, console),
        Command::Trace(args) => trace(&args, console),
        Command::Doctor(args) => doctor(&args, console),
        Command::Show(args) => show(&args, console),
        Command::Import(args) => import(&args, console),
        Command::Remove(namespace) => remove(&namespace, console, started),
    }
}

fn check(args: &CheckArgs, console: &Console) -> anyhow::Result<ExitCode> {
    if let Some(path) = &args.list.source_file {
        return source_list::check(path, &args.list, console);
    }
    if let Some(user) = &args.as_service {
        service_user::become_user(user.as_deref())?;
    }
    let mut loaded = load(&args.policy, console);
    if args.as_service.is_some() {
        service_user::check_sandbox(&mut loaded);
    }
    let policy = loaded.policy?;
    let mut check = Check::passed(args.policy.path(), &policy, &loaded.warnings);
    if args.resolve {
        let (_, unresolved) = look_up_now(policy.clone())?;
        console.warn(&unresolved);
        check.unresolved = Some(unresolved);
    }
    console.report(&check)?;
    Ok(ExitCode::SUCCESS)
}

fn rules(args: &RulesArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let mut policy = load(&args.policy, console).policy?;
    if args.resolve {
        let (resolved, unresolved) = look_up_now(policy)?;
        console.warn(&unresolved);
        policy = resolved;
    } else if policy.needs_containers() {
        console.warn(&["the ports of containers are not looked up without --resolve".to_owned()]);
    }
    let ruleset = compile(&policy);
    console.report(&Rules { ruleset: &ruleset, family: args.family() })?;
    Ok(ExitCode::SUCCESS)
}

fn plan(args: &PlanArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let mut names = Names::default();
    let store = Store::find(state_options(&args.state, &args.namespace));
    let store = store.as_ref();
    let prepared = prepare(&args.namespace, store, || {
        let (policy, warnings) = read(args, console)?;
        names.resolve_for(policy, warnings, store, console)
    });
    let Prepared { policy, desired, mut engine, warnings } = prepared?;
    let progress = console.progress("comparing the policy with the kernel");
    let preview = engine.preview_policy(&policy, &desired)?;
    drop(progress);
    let mut difference = preview::report(&mut engine, &policy, &preview, console.verbose())?;
    difference.set_names(names.labels(&policy));
    console.warn(&difference.warnings);
    difference.warnings.splice(..0, warnings);
    console.report(&difference)?;
    leave(policy);
    let status = preview.outcome.cause.filter(|_| args.exit_code).map_or(0, |cause| match cause {
        Cause::Access => ACCESS_CHANGES,
        Cause::Drift => DRIFT,
        Cause::Docker => FOLLOWS_DOCKER,
    });
    Ok(ExitCode::from(status))
}

fn apply(args: &ApplyArgs, console: &Console, started: Instant) -> anyhow::Result<ExitCode> {
    if let Some(duration) = args.confirm {
        return trial::apply(args, duration, console, started);
    }
    if let Some(watch) = find_watch(&args.namespace, console) {
        return apply_through(&watch, args, console);
    }
    let recorder =
        Recorder::open(state_options(&args.state, &args.namespace), args.policy.path(), "apply");
    let recorder = recorder.falling_back(args.fallback);
    let (mut fallback, mut names) = (None, Names::default());
    let prepared = prepare(&args.namespace, recorder.store(), || {
        let (policy, warnings, instead) = read_or_fall_back(&args.policy, &recorder, console)?;
        fallback = instead;
        names.resolve_for(policy, warnings, recorder.store(), console)
    });
    let Prepared { policy, desired, mut engine, warnings } = prepared?;
    trial::refuse_if_pending(&args.namespace)?;
    let progress = console.progress("applying the policy");
    // They end with the guard.
    let ends = !policy.guard().is_enabled();
    let before = ends.then(|| engine.grant_summary()).transpose()?;
    recorder.restore_grants(&mut engine);
    let applied = engine.apply_compiled(&policy, &desired)?;
    let elapsed = started.elapsed();
    recorder.record_sets(engine.known_sets());
    let mut findings = Findings::of(&policy, &applied);
    findings.warnings.extend(host_warnings(&mut engine, &policy, &applied.outcome.docker));
    findings.by_hand = by_hand(&mut engine, before.as_ref(), &mut findings.warnings);
    findings.is_fallback = fallback.is_some();
    findings.names = names.labels(&policy);
    if fallback.is_none() {
        findings.not_stored(recorder.record(&policy));
    }
    findings.not_stored(names.record(recorder.store()));
    drop(progress);
    console.warn(&findings.warnings);
    findings.warnings.splice(..0, warnings);
    console.report(&apply::report(&applied, findings, elapsed, console.verbose()))?;
    leave(policy);
    Ok(if fallback.is_some() { ExitCode::from(FELL_BACK) } else { ExitCode::SUCCESS })
}

/// Leaves a policy to the end of the process, which is near. To free each of its sources takes longer.
fn leave(policy: Policy) {
    std::mem::forget(policy);
}

/// What is allowed and denied by hand after an apply. Warns of what ended with the guard, which was there
/// `before`.
fn by_hand(
    engine: &mut Engine,
    before: Option<&GrantReport>,
    warnings: &mut Vec<String>,
) -> Option<GrantCounts> {
    let now = SystemTime::now();
    if let Some(before) = before {
        let ended = GrantCounts::new(before, now);
        warnings.extend(ended.map(|ended| format!("ended with the guard: {}", ended.sentence())));
        return None;
    }
    engine.grant_summary().ok().and_then(|report| GrantCounts::new(&report, now))
}

/// Has a running `watch` apply its policy, if it is the one to apply.
fn apply_through(
    watch: &RunningWatch,
    args: &ApplyArgs,
    console: &Console,
) -> anyhow::Result<ExitCode> {
    let path = args.policy.path();
    if !watch.keeps(path) {
        load(&args.policy, console).policy?;
        bail!(
            "{watch} keeps its policy in force in this network namespace and would undo this apply; \
             change that policy, or stop the watch first"
        );
    }
    let progress = console.progress("waiting for dwnl watch");
    let report = watch.reload(path, console.verbose())?;
    drop(progress);
    let status = console.relay(&format!("applied by {watch}"), &report)?;
    // The watch keeps the last valid policy in force.
    let has_fallen_back = args.fallback && report.status == INVALID;
    Ok(if has_fallen_back { ExitCode::from(FELL_BACK) } else { status })
}

/// Reads the policy. If it has errors, they are reported, and the last valid policy replaces it if that
/// is permitted. A source file may not have lost more than its `max-shrink` since the policy in force.
pub(super) fn read_or_fall_back(
    file: &PolicyFile,
    recorder: &Recorder,
    console: &Console,
) -> anyhow::Result<(Policy, Vec<String>, Option<Fallback>)> {
    let mut loaded = load(file, console);
    // Reading the stored policy takes as long as reading the policy itself.
    let previous = loaded.has_shrink_limits().then(|| recorder.applied()).flatten();
    if let Some(previous) = previous {
        loaded.check_shrink(&previous);
    }
    let warnings = lines(&loaded.warnings);
    let errors = match loaded.policy {
        Ok(policy) => {
            let (policy, warnings) = complete(&policy, warnings, recorder, console);
            return Ok((policy, warnings, None));
        }
        Err(errors) => errors,
    };
    match recorder.fall_back(&errors) {
        Some(Ok((policy, fallback))) => {
            console.fall_back(&fallback);
            let (policy, warnings) = complete(&policy, warnings, recorder, console);
            Ok((policy, warnings, Some(fallback)))
        }
        Some(Err(reason)) => {
            console.warn(&[format!("cannot apply the last valid policy instead: {reason}")]);
            Err(errors.into())
        }
        None => Err(errors.into()),
    }
}

/// The policy with what was looked up for it, which is stored, and the warnings with those about it, which
/// are printed.
fn complete(
    policy: &Policy,
    mut warnings: Vec<String>,
    recorder: &Recorder,
    console: &Console,
) -> (Policy, Vec<String>) {
    let found = containers::look_up(policy, || recorder.known_containers());
    let (policy, doubts) = found.complete(policy);
    let stored = containers::to_store(&found.containers, &policy)
        .map_or(Ok(()), |known| recorder.record_containers(&known));
    let not_stored = stored.err().map(|reason| format!("cannot store the containers: {reason}"));
    let doubts: Vec<String> = doubts.into_iter().chain(not_stored).collect();
    console.warn(&doubts);
    warnings.extend(doubts);
    (policy, warnings)
}

fn watch(args: &WatchArgs, console: &Console) -> anyhow::Result<ExitCode> {
    // Before any other thread starts: a thread inherits the mask of blocked signals.
    let signals = Signals::block().context("cannot wait for signals")?;
    let namespace = args.namespace.path();
    capabilities::require_capabilities(namespace)?;
    let (control, warning) = lock_watch(namespace)?;
    console.warn(warning.as_slice());
    trial::refuse_if_pending(&args.namespace)?;
    let state = state_options(&args.state, &args.namespace);
    let recorder = Recorder::open(state, args.policy.path(), "watch");
    let recorder = recorder.falling_back(args.fallback);
    let reconciler = match namespace {
        Some(path) => Reconciler::open_in(path)?,
        None => Reconciler::open()?,
    };
    let control_clients = control_clients(args)?;
    let metrics = metrics_endpoints(args);
    // A second engine, because metrics are read on a thread of their own.
    let engine = (!metrics.is_empty()).then(|| open(namespace)).transpose()?;
    capabilities::keep_net_admin()?;
    let mut watch = Watch::new(
        args.policy.path(),
        args.policy.base_directory(),
        reconciler,
        signals,
        console.log(),
    )?;
    watch.serve(control);
    if let Some((socket, desk)) = control_clients {
        watch.serve_at(socket, args.control_group.is_none(), desk)?;
    }
    watch.set_manual(args.manual);
    watch.record_in(recorder);
    if let Some(engine) = engine {
        watch.publish(metrics, engine)?;
    }
    watch.run()?;
    Ok(ExitCode::SUCCESS)
}

/// The control socket, and what the thread works with that serves it. Has to precede the loss of
/// capabilities.
fn control_clients(args: &WatchArgs) -> anyhow::Result<Option<(UnixSocket, Desk)>> {
    let Some(path) = &args.control_socket else { return Ok(None) };
    let reach = args.control_group.map_or(Reach::User, Reach::Group);
    let socket = UnixSocket::listen(path, reach);
    let socket = socket.with_context(|| format!("cannot listen at {}", path.display()))?;
    let namespace = args.namespace.path();
    let store = || Store::open(state_options(&args.state, &args.namespace));
    let desk = Desk {
        engine: open_engine(namespace)?,
        book: Book::open(namespace, store())?,
        store: store().ok().flatten(),
        path: args.policy.path().to_owned(),
        base_directory: args.policy.base_directory().to_owned(),
    };
    Ok(Some((socket, desk)))
}

fn metrics_endpoints(args: &WatchArgs) -> Endpoints<'_> {
    Endpoints {
        file: args.metrics_file.as_deref(),
        socket: args.metrics_socket.as_deref(),
        listen: &args.metrics_listen,
    }
}

fn show(args: &ShowArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let mut engine = open(args.namespace.path())?;
    let progress = console.progress("reading the kernel's rules");
    let snapshot = engine.snapshot()?;
    drop(progress);
    let managed = managed_objects();
    let mut show = Show::new(&managed, &snapshot, console.verbose());
    if let Some(pattern) = &args.pattern {
        show.retain(pattern);
    }
    console.report(&show)?;
    Ok(ExitCode::SUCCESS)
}

fn remove(namespace: &Namespace, console: &Console, started: Instant) -> anyhow::Result<ExitCode> {
    if let Some(watch) = find_watch(namespace, console) {
        bail!("{watch} would install the rules again; stop it first");
    }
    trial::refuse_if_pending(namespace)?;
    let mut engine = open(namespace.path())?;
    let progress = console.progress("removing dwnl's rules");
    let outcome = engine.remove()?;
    drop(progress);
    let mut done = ApplyReport::new(Operation::Remove, &outcome, started.elapsed());
    done.difference = console.verbose().then(|| Difference::new(&outcome.plan, true));
    console.report(&done)?;
    Ok(ExitCode::SUCCESS)
}

/// The `watch` that runs in the namespace.
pub(super) fn find_watch(namespace: &Namespace, console: &Console) -> Option<RunningWatch> {
    let (watch, warning) = running_watch(namespace.path());
    console.warn(warning.as_slice());
    watch
}

/// What decides which directory holds the state of a namespace.
pub(super) fn state_options<'a>(
    state: &'a StateArgs,
    namespace: &'a Namespace,
) -> StateOptions<'a> {
    StateOptions { directory: state.directory(), namespace: namespace.path() }
}

/// The state directory, if the policy has names whose last known addresses are stored there.
pub(super) fn names_store(
    policy: &Policy,
    state: &StateArgs,
    namespace: &Namespace,
) -> Option<Store> {
    let has_names = !policy.dns_names().is_empty();
    has_names.then(|| Store::open(state_options(state, namespace)).ok().flatten()).flatten()
}

impl Names {
    /// [`Names::resolve`] for a command that changes the kernel, or shows how it would. The warnings are
    /// printed, and added to those about the policy.
    pub(super) fn resolve_for(
        &mut self,
        policy: Policy,
        mut warnings: Vec<String>,
        store: Option<&Store>,
        console: &Console,
    ) -> anyhow::Result<(Policy, Vec<String>)> {
        let (policy, unresolved) = self.resolve(policy, store, Freshness::Fresh)?;
        console.warn(&unresolved);
        warnings.extend(unresolved);
        Ok((policy, warnings))
    }
}

/// A policy, and an engine to compare the kernel with it.
pub(super) struct Prepared {
    pub policy: Policy,
    pub desired: Ruleset,
    pub engine: Engine,
    /// What the policy itself gives reason to warn of, one line each. They have been printed.
    pub warnings: Vec<String>,
}

/// Reads the policy, and the kernel's ruleset on another thread: with large policies, both take
/// long. What is stored of the sets is not read from the kernel. An error in the policy is reported before
/// any other error.
pub(super) fn prepare(
    namespace: &Namespace,
    store: Option<&Store>,
    read: impl FnOnce() -> anyhow::Result<(Policy, Vec<String>)>,
) -> anyhow::Result<Prepared> {
    let connect = || -> anyhow::Result<Engine> {
        let mut engine = open(namespace.path())?;
        if let Some(known) = store.and_then(Store::known_sets) {
            engine.assume_sets(&known)?;
        }
        engine.prefetch()?;
        Ok(engine)
    };
    thread::scope(|scope| {
        let kernel = thread::Builder::new().spawn_scoped(scope, connect);
        let (policy, warnings) = read()?;
        let desired = compile(&policy);
        let kernel = kernel.context("cannot start a thread")?.join();
        let engine = kernel.unwrap_or_else(|panic| resume_unwind(panic))?;
        capabilities::keep_net_admin()?;
        Ok(Prepared { policy, desired, engine, warnings })
    })
}

/// Reads the policy of `plan`, and what it gives reason to warn of.
fn read(args: &PlanArgs, console: &Console) -> anyhow::Result<(Policy, Vec<String>)> {
    let loaded = load(&args.policy, console);
    let (policy, doubts) = look_up(&loaded.policy?, state_options(&args.state, &args.namespace));
    console.warn(&doubts);
    Ok((policy, [lines(&loaded.warnings), doubts].concat()))
}

/// The policy with what is looked up for it now. What was known before does not count.
fn look_up_now(policy: Policy) -> anyhow::Result<(Policy, Vec<String>)> {
    let (policy, unresolved) = Names::default().resolve(policy, None, Freshness::Fresh)?;
    let (policy, doubts) = containers::look_up(&policy, || None).complete(&policy);
    Ok((policy, [unresolved, doubts].concat()))
}

/// The policy with what was looked up for it, which is not stored, and what there is to warn of.
pub(super) fn look_up(policy: &Policy, state: StateOptions) -> (Policy, Vec<String>) {
    let known = || Store::open(state).ok()??.known_containers().ok()?;
    containers::look_up(policy, known).complete(policy)
}

/// The warnings, one line each.
fn lines(warnings: &[PolicyWarning]) -> Vec<String> {
    warnings.iter().map(PolicyWarning::to_line).collect()
}

/// Loads the policy and prints the warnings about it.
fn load(file: &PolicyFile, console: &Console) -> LoadedPolicy {
    let loaded = LoadedPolicy::load_from(file.path(), file.base_directory());
    console.warn_of_policy(&loaded.warnings);
    loaded
}

/// Opens the engine and drops the capabilities that only opening it needs, for the calling thread.
pub(super) fn open(namespace: Option<&Path>) -> anyhow::Result<Engine> {
    capabilities::require_capabilities(namespace)?;
    let engine = open_engine(namespace)?;
    capabilities::keep_net_admin()?;
    Ok(engine)
}

fn open_engine(namespace: Option<&Path>) -> Result<Engine, dwnl::Error> {
    match namespace {
        Some(path) => Engine::open_in(path),
        None => Engine::open(),
    }
}
