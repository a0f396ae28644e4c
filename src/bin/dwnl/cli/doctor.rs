//! `dwnl doctor`: gathers facts about the host, and reports what the checks make of them.

use std::path::Path;
use std::process::ExitCode;

use dwnl::policy::{Diagnostics, LoadedPolicy};
use dwnl::{Engine, Policy, compile, in_netns};

use super::args::StatusArgs;
use super::commands::{open, state_options};
use super::status::policy_path;
use super::trial::is_on_trial;
use super::{Console, capabilities, service_user};
use crate::control::running_watch;
use crate::doctor::{
    Comparison, DockerProcesses, Facts, Files, Kernel, Own, PolicyFile, Sysctls, diagnose,
};
use crate::report::{Doctor, Level};
use crate::state::Store;
use crate::warnings::{host_warnings, plan_warnings};

/// The exit status if there are warnings.
const WARNINGS: u8 = 3;
/// The exit status if there are problems.
const PROBLEMS: u8 = 4;

/// Prints what was found. Changes nothing.
pub fn doctor(args: &StatusArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let namespace = args.namespace.path();
    capabilities::require_capabilities(namespace)?;
    let progress = console.progress("examining the host");
    let is_host = state_options(&args.state, &args.namespace).is_host().unwrap_or(false);
    // Before capabilities are dropped, with which processes and files of others can be read.
    let current = Path::new("/proc/thread-self/ns/net");
    let processes =
        DockerProcesses::find(Path::new("/proc"), namespace.unwrap_or(current), is_host);
    let files = if is_host { Files::read(Path::new("/")) } else { Files::default() };
    let sysctls = sysctls(namespace)?;
    let (own, policy) = own(args);
    let (kernel, engine) = Kernel::read(namespace, || open(namespace))?;
    let mut facts = Facts { kernel, sysctls, processes, files, own };
    if let (Some(mut engine), Some(policy)) = (engine, policy) {
        facts.own.comparison = Some(compare(&mut engine, policy));
    }
    let report = Doctor::new(diagnose(&facts));
    drop(progress);
    let status = match report.level {
        Level::Ok | Level::Note => 0,
        Level::Warning => WARNINGS,
        Level::Problem => PROBLEMS,
    };
    console.report(&report)?;
    Ok(ExitCode::from(status))
}

fn sysctls(namespace: Option<&Path>) -> anyhow::Result<Sysctls> {
    let read = || Sysctls::read(Path::new("/proc/sys/net"));
    Ok(match namespace {
        Some(path) => in_netns(path, read)?,
        None => read(),
    })
}

/// dwnl on this host, and the policy to compare the kernel with: the one in force, or that of the file.
fn own(args: &StatusArgs) -> (Own, Option<Policy>) {
    let (mut own, mut policy, mut metadata) = (Own::default(), None, None);
    let options = state_options(&args.state, &args.namespace);
    // Opening the default directory creates it.
    let exists = options.path().is_some_and(|path| path.exists());
    let store = if exists { Store::open(options) } else { Ok(None) };
    match store.and_then(|store| store.map_or(Ok(None), |store| store.last_valid())) {
        Ok(Some((stored, of))) => (policy, metadata) = (Some(stored), Some(of)),
        Ok(None) => {}
        Err(error) => own.state_failure = Some(error.to_string()),
    }
    own.is_stored = policy.is_some();
    let path = policy_path(args, metadata.as_ref());
    let loaded = LoadedPolicy::load_from(&path, args.policy.base_directory_of(&path));
    own.path = path.display().to_string();
    own.is_readable_by_services = service_user::may_read(&path);
    own.file = policy_file(&path, &loaded.policy);
    own.warning_count = loaded.warnings.len();
    let (watch, _) = running_watch(args.namespace.path());
    own.is_on_trial = is_on_trial(args.namespace.path(), watch.as_ref());
    own.watch = watch.map(|watch| watch.pid());
    (own, policy.or(loaded.policy.ok()))
}

fn policy_file(path: &Path, policy: &Result<Policy, Diagnostics>) -> PolicyFile {
    match policy {
        Ok(policy) => PolicyFile::Valid(policy.entries().count()),
        Err(_) if path != Path::new("-") && !path.exists() => PolicyFile::Missing,
        Err(errors) => PolicyFile::Invalid(errors.0.len()),
    }
}

fn compare(engine: &mut Engine, policy: Policy) -> Comparison {
    match engine.preview_policy(&policy, &compile(&policy)) {
        Ok(preview) => {
            let mut warnings = plan_warnings(&policy, &preview);
            warnings.extend(host_warnings(engine, &policy, &preview.outcome.docker));
            Comparison { policy, outcome: Ok(preview.outcome), warnings }
        }
        Err(error) => Comparison { policy, outcome: Err(error.to_string()), warnings: Vec::new() },
    }
}
