//! System calls that fail: dwnl carries on, or says what failed and leaves one of both rulesets.

use super::each::each;
use super::site::{Call, LARGE, SMALL, calls, host, state};

/// The calls that reach the kernel's netlink, from the opening of the socket on.
const NETLINK: [&str; 8] =
    ["socket", "bind", "getsockname", "setsockopt", "sendto", "sendmsg", "recvmsg", "poll"];

/// Those of them that a signal can interrupt.
const BLOCKING: [&str; 4] = ["sendto", "sendmsg", "recvmsg", "poll"];

/// What a call fails with, and whether every later call of its name does as well. Nobody interrupts
/// for ever.
const FAILURES: [(&str, bool); 9] = [
    ("EINTR", false),
    ("EAGAIN", true),
    ("ENOBUFS", false),
    ("ENOMEM", true),
    ("EPERM", false),
    ("EAGAIN", false),
    ("ENOBUFS", true),
    ("ENOMEM", false),
    ("EPERM", true),
];

#[test]
fn a_call_that_fails_leaves_one_of_both_rulesets() {
    // Each call with one failure after the other, each failure with one call after the other.
    let failures = FAILURES.into_iter().cycle();
    fail_each(&netlink_calls().into_iter().zip(failures).collect::<Vec<_>>());
}

#[test]
#[ignore = "as the first, but every failure of every call: run it with `--ignored`"]
fn any_call_that_fails_in_any_way_leaves_one_of_both_rulesets() {
    let with_each = |call: Call| FAILURES.map(|failure| (call.clone(), failure));
    fail_each(&netlink_calls().into_iter().flat_map(with_each).collect::<Vec<_>>());
}

/// The calls to the kernel's netlink of the apply that is to fail.
fn netlink_calls() -> Vec<Call> {
    let calls = calls(&[SMALL], LARGE).into_iter().skip_while(|call| call.name != "socket");
    calls.filter(|call| NETLINK.contains(&call.name.as_str())).collect()
}

fn fail_each(cases: &[(Call, (&'static str, bool))]) {
    let old = state(&host(&[SMALL]));
    let new = state(&host(&[SMALL, LARGE]));
    let succeeded = each(cases, |(call, (errno, lasts))| {
        let host = host(&[SMALL]);
        let every = if *lasts { "+" } else { "" };
        let inject = format!("inject={}:error={errno}:when={}{every}", call.name, call.nth);
        let output = LARGE.traced(&host, &["-o", "/dev/null", "-e", &inject]);
        let after = state(&host);
        let succeeded = output.status.success();
        if succeeded {
            assert_eq!(after, new, "{inject}: {output}");
        } else {
            assert_eq!(output.status.code(), Some(1), "{inject}: {output}");
            assert!(output.stderr.starts_with("error: "), "{inject}: {output}");
            assert!(after == old || after == new, "{inject}: {output}\n{after:?}");
        }
        let is_interrupted = *errno == "EINTR" && BLOCKING.contains(&call.name.as_str());
        assert!(succeeded || !is_interrupted, "not taken up again: {inject}: {output}");
        LARGE.run(&host).succeeded();
        assert_eq!(state(&host), new, "the next apply after {inject}");
        succeeded
    });
    assert!(succeeded.contains(&true) && succeeded.contains(&false));
}
