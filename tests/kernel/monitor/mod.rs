//! What a monitor hears of real tools, and what an engine makes of it.

mod notices;

use std::path::Path;

use dwnl::engine::{Commit, Monitor, Notice};
use dwnl::ruleset::Ruleset;
use dwnl::{Engine, Policy, compile};

use super::support::Namespace;

fn wanted(policy: &str) -> Ruleset {
    compile(&Policy::parse(policy, "policy.toml", Path::new("")).expect("a policy"))
}

/// A monitor and an engine that it ignores, in the namespace.
fn open(host: &Namespace) -> (Monitor, Engine) {
    host.inside(|| {
        let mut monitor = Monitor::open().expect("a monitor");
        let engine = Engine::open().expect("an engine");
        monitor.ignore(&engine).expect("success");
        (monitor, engine)
    })
}

/// The commits that wait; panics if any were lost.
fn commits(monitor: &mut Monitor) -> Vec<Commit> {
    let notices = monitor.read().expect("notices").into_iter();
    let commits = notices.map(|notice| match notice {
        Notice::Commit(commit) => commit,
        Notice::Lost => panic!("some were lost"),
    });
    commits.collect()
}
