//! Killed at any system call, dwnl leaves the old ruleset or the new one.

use std::os::unix::process::ExitStatusExt;

use super::each::each;
use super::site::{Action, Call, Injection, LARGE, REMOVE, SMALL, calls, host, state};

#[test]
fn from_rules_to_a_set() {
    kill_at_every_call(&[SMALL], LARGE);
}

#[test]
#[ignore = "another change of rulesets: run it with `--ignored`"]
fn from_a_set_to_rules() {
    kill_at_every_call(&[LARGE], SMALL);
}

#[test]
#[ignore = "another change of rulesets: run it with `--ignored`"]
fn during_the_first_apply() {
    kill_at_every_call(&[], LARGE);
}

#[test]
#[ignore = "another change of rulesets: run it with `--ignored`"]
fn during_removal() {
    kill_at_every_call(&[LARGE], REMOVE);
}

fn kill_at_every_call(before: &[Action], action: Action) {
    let old = state(&host(before));
    let new = state(&host(&[before, &[action]].concat()));
    assert_ne!(old, new);
    let calls = calls(before, action);
    let left_new = each(&calls, |call| {
        let host = host(before);
        let end = killed(&host, action, call);
        let after = state(&host);
        assert!(after == old || after == new, "killed at {call:?}: {after:?}");
        action.run(&host).succeeded();
        assert_eq!(state(&host), new, "the next run after {call:?}");
        (end == Some(libc::SIGKILL)).then_some(after == new)
    });
    // Threads do not wait for each other equally often in every run, so a few calls are not
    // reached.
    println!("{} calls", calls.len());
    let reached: Vec<bool> = left_new.into_iter().flatten().collect();
    assert!(reached.len() * 10 > calls.len() * 9, "{} of {} reached", reached.len(), calls.len());
    assert!(reached.contains(&true) && reached.contains(&false), "always the same ruleset");
}

/// Kills dwnl when it enters the call, before the kernel executes it. Returns the signal that ended
/// dwnl; strace ends itself with the same signal.
fn killed(host: &super::support::Namespace, action: Action, call: &Call) -> Option<i32> {
    let injection = Injection { what: "signal=SIGKILL", lasts: false };
    let status = action.injected(host, call, injection).status;
    status.signal().or_else(|| status.code().map(|code| code - 128))
}
