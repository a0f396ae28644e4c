//! What a monitor hears of real tools, and what an engine makes of it.

mod absence;
mod elements;
mod interleavings;
mod links;
mod loss;
mod notices;
mod own;

use std::path::Path;

use dwnl::engine::{Commit, Monitor, MonitorEvent};
use dwnl::model::Ruleset;
use dwnl::{Engine, Policy, compile};

use super::support::Namespace;

fn desired(policy: &str) -> Ruleset {
    compile(&Policy::parse(policy, "policy.toml", Path::new("")).expect("a policy"))
}

/// A policy that lets these sources in, under guard.
fn policy(sources: &[String]) -> String {
    let allow = "[[allow]]\nname = \"web\"\nports = [\"443/tcp\"]\nfrom = [\"many\"]\n";
    format!("[sources]\nmany = {sources:?}\n{allow}")
}

/// A monitor and an engine that it ignores, in the namespace.
fn open(host: &Namespace) -> (Monitor, Engine) {
    host.inside(|| {
        let mut monitor = Monitor::open().expect("a monitor");
        let engine = Engine::open().expect("an engine");
        monitor.exclude(&engine).expect("success");
        (monitor, engine)
    })
}

/// The commits that wait; panics if any were lost.
#[track_caller]
fn commits(monitor: &mut Monitor) -> Vec<Commit> {
    let notices = monitor.read().expect("notices").into_iter();
    let commits = notices.map(|notice| match notice {
        MonitorEvent::Commit(commit) => commit,
        MonitorEvent::Overrun => panic!("some were lost"),
    });
    commits.collect()
}

/// Whether anything that waits may concern us; the engine takes notice of all.
fn heed(monitor: &mut Monitor, engine: &mut Engine) -> bool {
    let notices = monitor.read().expect("notices");
    notices.iter().for_each(|notice| engine.observe(notice));
    notices.iter().any(|notice| match notice {
        MonitorEvent::Commit(commit) => commit.is_relevant(),
        MonitorEvent::Overrun => true,
    })
}

/// Whether the kernel holds what it should, by the judgment of an engine that remembers nothing.
fn is_kept(host: &Namespace, desired: &Ruleset) -> bool {
    let mut engine = host.inside(Engine::open).expect("an engine");
    engine.plan(desired).expect("a plan").is_empty()
}
