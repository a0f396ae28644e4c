//! Set elements are read again only if another program may have changed them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, gettid};

use super::super::sets::hosts;
use super::super::support::Namespace;
use super::{desired, is_in_sync, open, policy};

/// `NFT_MSG_GETSETELEM` of `NFNL_SUBSYS_NFTABLES`, as strace prints raw numbers.
const GET_ELEMENTS: &str = "nlmsg_type=0xa0d,";

/// The number of times that `function` has the calling thread request the elements of a set.
fn requests(function: impl FnOnce()) -> usize {
    let log = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut strace = Command::new("strace")
        .args(["-X", "raw", "-e", "trace=sendto", "-o"])
        .arg(log.path())
        .args(["-p", &gettid().to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace");
    let mut line = String::new();
    let mut stderr = BufReader::new(strace.stderr.take().expect("its standard error"));
    stderr.read_line(&mut line).expect("a line");
    assert!(line.contains("attached"), "{line}");
    function();
    kill(Pid::from_raw(strace.id().cast_signed()), Signal::SIGINT).expect("success");
    strace.wait().expect("its end");
    let trace = fs::read_to_string(log.path()).expect("a trace");
    assert!(trace.contains("nlmsg_type="), "strace does not decode the messages: {trace}");
    trace.matches(GET_ELEMENTS).count()
}

#[test]
fn elements_are_read_only_if_they_may_have_changed() {
    let host = Namespace::new();
    let (mut monitor, mut engine) = open(&host);
    let desired = desired(&policy(&hosts(100)));
    engine.apply(&desired).expect("success");
    for (command, expected) in [
        ("flush chain ip nat DOCKER-BLOCK", 0),
        ("flush chain inet dwnl allowed", 0),
        ("add table ip kube; delete table ip kube", 0),
        ("delete element inet dwnl many-4 { 10.0.0.0 }", 1),
        ("flush set inet dwnl many-4", 1),
        ("add set inet dwnl mine { type ipv4_addr; flags interval; }", 1),
        ("delete table inet dwnl", 0),
        ("insert rule ip nat PREROUTING accept", 0),
    ] {
        host.run(&["nft", command]);
        monitor.read().expect("monitor events");
        let requested = requests(|| drop(engine.apply(&desired).expect("success")));
        assert_eq!(requested, expected, "{command}");
        assert!(is_in_sync(&host, &desired), "{command}");
    }
    host.run(&["nft", "add", "table", "ip", "kube"]);
    let requested = requests(|| drop(engine.apply(&desired).expect("success")));
    assert_eq!(requested, 1, "after an unobserved change all elements are read");
}
