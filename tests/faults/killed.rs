//! Killed at every single system call, dwnl leaves the old ruleset or the new one.

use std::os::unix::process::ExitStatusExt;

use super::each::each;
use super::site::{Action, Call, Injection, LARGE, REMOVE, SMALL, calls, host, state};

#[test]
fn between_rules_and_a_set() {
    at_every_call(&[SMALL], LARGE);
}

#[test]
#[ignore = "as the first, from other rulesets: run them with `--ignored`"]
fn between_a_set_and_rules() {
    at_every_call(&[LARGE], SMALL);
}

#[test]
#[ignore = "see above"]
fn before_the_first_apply() {
    at_every_call(&[], LARGE);
}

#[test]
#[ignore = "see above"]
fn in_the_removal() {
    at_every_call(&[LARGE], REMOVE);
}

fn at_every_call(before: &[Action], action: Action) {
    let old = state(&host(before));
    let new = state(&host(&[before, &[action]].concat()));
    assert_ne!(old, new);
    let calls = calls(before, action);
    let left_new = each(&calls, |call| {
        let host = host(before);
        let end = killed(&host, action, call);
        let left = state(&host);
        assert!(left == old || left == new, "killed at {call:?}: {left:?}");
        action.run(&host).succeeded();
        assert_eq!(state(&host), new, "the next run after {call:?}");
        (end == Some(libc::SIGKILL)).then_some(left == new)
    });
    // How often threads wait for each other is not the same in every run.
    println!("{} calls", calls.len());
    let reached: Vec<bool> = left_new.into_iter().flatten().collect();
    assert!(reached.len() * 10 > calls.len() * 9, "{} of {} reached", reached.len(), calls.len());
    assert!(reached.contains(&true) && reached.contains(&false), "always the same ruleset");
}

/// Kills it when it makes the call, before the kernel carries the call out. Returns the signal that
/// ended it, which strace dies of as well.
fn killed(host: &super::support::Namespace, action: Action, call: &Call) -> Option<i32> {
    let injection = Injection { what: "signal=SIGKILL", lasts: false };
    let status = action.injected(host, call, injection).status;
    status.signal().or_else(|| status.code().map(|code| code - 128))
}
