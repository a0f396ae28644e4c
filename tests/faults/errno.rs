//! Failing system calls: dwnl retries, or reports the failure and leaves the old or the new
//! ruleset.

use super::each::each;
use super::site::{Call, Injection, LARGE, SMALL, Thread, calls, host, state};

/// The netlink calls, from the opening of the socket.
const NETLINK: [&str; 8] =
    ["socket", "bind", "getsockname", "setsockopt", "sendto", "sendmsg", "recvmsg", "poll"];

/// The netlink calls that a signal can interrupt.
const BLOCKING: [&str; 4] = ["sendto", "sendmsg", "recvmsg", "poll"];

/// The failures of a call. EINTR occurs once only, because no signal interrupts a call forever.
const FAILURES: [Injection; 9] = [
    once("error=EINTR"),
    always("error=EAGAIN"),
    once("error=ENOBUFS"),
    always("error=ENOMEM"),
    once("error=EPERM"),
    once("error=EAGAIN"),
    always("error=ENOBUFS"),
    once("error=ENOMEM"),
    always("error=EPERM"),
];

const fn once(what: &'static str) -> Injection {
    Injection { what, lasts: false }
}

const fn always(what: &'static str) -> Injection {
    Injection { what, lasts: true }
}

#[test]
fn a_failing_call_leaves_the_old_or_the_new_ruleset() {
    // Calls and failures are combined in turn, so that each call and each failure occurs. The calls
    // that carry the batch get all failures.
    let (carriers, others): (Vec<Call>, Vec<Call>) = netlink_calls()
        .into_iter()
        .partition(|call| call.thread == Thread::First && call.name == "sendto");
    let failures = FAILURES.into_iter().cycle();
    fail_each(&[others.into_iter().zip(failures).collect(), with_each_failure(carriers)].concat());
}

#[test]
#[ignore = "every failure of every call: run it with `--ignored`"]
fn every_failure_of_every_call_leaves_the_old_or_the_new_ruleset() {
    fail_each(&with_each_failure(netlink_calls()));
}

fn with_each_failure(calls: Vec<Call>) -> Vec<(Call, Injection)> {
    let with_each = |call: Call| FAILURES.map(|failure| (call.clone(), failure));
    calls.into_iter().flat_map(with_each).collect()
}

/// The netlink calls of the apply under test. A call whose name and number also occur during the
/// start of the program is left out: the injection would hit that one first.
fn netlink_calls() -> Vec<Call> {
    let mut calls = calls(&[SMALL], LARGE);
    let opening = calls.iter().position(|call| call.name == "socket").expect("a socket");
    let own = calls.split_off(opening);
    let occurs_earlier =
        |call: &Call| calls.iter().any(|early| (&early.name, early.nth) == (&call.name, call.nth));
    let is_netlink = |call: &Call| NETLINK.contains(&call.name.as_str());
    own.into_iter().filter(|call| is_netlink(call) && !occurs_earlier(call)).collect()
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
            let is_error = |line: &str| line.starts_with("error: ");
            assert!(output.stderr.lines().any(is_error), "{case}: {output}");
            assert!(after == old || after == new, "{case}: {output}\n{after:?}");
        }
        let is_interrupted =
            failure.what == "error=EINTR" && BLOCKING.contains(&call.name.as_str());
        assert!(succeeded || !is_interrupted, "not retried: {case}: {output}");
        LARGE.run(&host).succeeded();
        assert_eq!(state(&host), new, "the next apply after {case}");
        succeeded
    });
    let successes = succeeded.iter().filter(|succeeded| **succeeded).count();
    println!("{} failures: {successes} successes", succeeded.len());
    assert!(succeeded.contains(&true) && succeeded.contains(&false));
}
