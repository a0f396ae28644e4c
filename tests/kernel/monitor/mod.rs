//! What a monitor reports about commits of real tools, and how an engine uses it.

mod commits;
mod elements;
mod interleavings;
mod links;
mod overrun;
mod own;
mod pause;

use std::path::Path;

use dwnl::engine::{Commit, Monitor, MonitorEvent};
use dwnl::model::Ruleset;
use dwnl::{Engine, Policy, compile};

use super::support::Namespace;

fn desired(policy: &str) -> Ruleset {
    compile(&Policy::parse(policy, "policy.toml", Path::new("")).expect("a policy"))
}

/// A policy that allows these sources, with the guard on.
fn policy(sources: &[String]) -> String {
    let allow = "[[allow]]\nname = \"web\"\nports = [\"443/tcp\"]\nfrom = [\"many\"]\n";
    format!("[sources]\nmany = {sources:?}\n{allow}")
}

/// An engine in the namespace, and the monitor that it has subscribed.
fn open(host: &Namespace) -> (Monitor, Engine) {
    host.inside(|| {
        let mut engine = Engine::open().expect("an engine");
        (engine.subscribe().expect("a monitor"), engine)
    })
}

/// The pending commits. Panics after an overrun.
#[track_caller]
fn commits(monitor: &mut Monitor) -> Vec<Commit> {
    let events = monitor.read().expect("monitor events").into_iter();
    let commits = events.map(|event| match event {
        MonitorEvent::Commit(commit) => commit,
        event => panic!("not a commit: {event:?}"),
    });
    commits.collect()
}

/// Whether the kernel holds the desired ruleset, according to an engine with an empty cache.
fn is_in_sync(host: &Namespace, desired: &Ruleset) -> bool {
    let mut engine = host.inside(Engine::open).expect("an engine");
    engine.plan(desired).expect("a plan").is_empty()
}
