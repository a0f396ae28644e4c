//! System calls that fail: dwnl carries on, or says what failed and leaves one of both rulesets.

use super::each::each;
use super::site::{Call, Injection, LARGE, SMALL, Thread, calls, host, state};

/// The calls that reach the kernel's netlink, from the opening of the socket on.
const NETLINK: [&str; 8] =
    ["socket", "bind", "getsockname", "setsockopt", "sendto", "sendmsg", "recvmsg", "poll"];

/// Those of them that a signal can interrupt.
const BLOCKING: [&str; 4] = ["sendto", "sendmsg", "recvmsg", "poll"];

/// What a call fails with. Nobody interrupts for ever.
const FAILURES: [Injection; 9] = [
    once("error=EINTR"),
    for_ever("error=EAGAIN"),
    once("error=ENOBUFS"),
    for_ever("error=ENOMEM"),
    once("error=EPERM"),
    once("error=EAGAIN"),
    for_ever("error=ENOBUFS"),
    once("error=ENOMEM"),
    for_ever("error=EPERM"),
];

const fn once(what: &'static str) -> Injection {
    Injection { what, lasts: false }
}

const fn for_ever(what: &'static str) -> Injection {
    Injection { what, lasts: true }
}

#[test]
fn a_call_that_fails_leaves_one_of_both_rulesets() {
    // Each call with one failure after the other, each failure with one call after the other; and all
    // failures of what carries the batch.
    let (carriers, others): (Vec<Call>, Vec<Call>) = netlink_calls()
        .into_iter()
        .partition(|call| call.thread == Thread::First && call.name == "sendto");
    let failures = FAILURES.into_iter().cycle();
    fail_each(&[others.into_iter().zip(failures).collect(), with_each_failure(carriers)].concat());
}

#[test]
#[ignore = "as the first, but every failure of every call: run it with `--ignored`"]
fn any_call_that_fails_in_any_way_leaves_one_of_both_rulesets() {
    fail_each(&with_each_failure(netlink_calls()));
}

fn with_each_failure(calls: Vec<Call>) -> Vec<(Call, Injection)> {
    let with_each = |call: Call| FAILURES.map(|failure| (call.clone(), failure));
    calls.into_iter().flat_map(with_each).collect()
}

/// The calls to the kernel's netlink of the apply that is to fail. One that the program's start makes as
/// well is left out: there it would fail too.
fn netlink_calls() -> Vec<Call> {
    let mut calls = calls(&[SMALL], LARGE);
    let opening = calls.iter().position(|call| call.name == "socket").expect("a socket");
    let ours = calls.split_off(opening);
    let is_made_before =
        |call: &Call| calls.iter().any(|early| (&early.name, early.nth) == (&call.name, call.nth));
    let is_netlink = |call: &Call| NETLINK.contains(&call.name.as_str());
    ours.into_iter().filter(|call| is_netlink(call) && !is_made_before(call)).collect()
}

fn fail_each(cases: &[(Call, Injection)]) {
    let old = state(&host(&[SMALL]));
    let new = state(&host(&[SMALL, LARGE]));
    let succeeded = each(cases, |(call, failure)| {
        let host = host(&[SMALL]);
        let output = LARGE.injected(&host, call, *failure);
        let after = state(&host);
        let succeeded = output.status.success();
        let case = format!("{failure:?} of {call:?}");
        if succeeded {
            assert_eq!(after, new, "{case}: {output}");
        } else {
            assert_eq!(output.status.code(), Some(1), "{case}: {output}");
            assert!(output.stderr.starts_with("error: "), "{case}: {output}");
            assert!(after == old || after == new, "{case}: {output}\n{after:?}");
        }
        let is_interrupted =
            failure.what == "error=EINTR" && BLOCKING.contains(&call.name.as_str());
        assert!(succeeded || !is_interrupted, "not taken up again: {case}: {output}");
        LARGE.run(&host).succeeded();
        assert_eq!(state(&host), new, "the next apply after {case}");
        succeeded
    });
    let successes = succeeded.iter().filter(|succeeded| **succeeded).count();
    println!("{} failures: {successes} successes", succeeded.len());
    assert!(succeeded.contains(&true) && succeeded.contains(&false));
}
