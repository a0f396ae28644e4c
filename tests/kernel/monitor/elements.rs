//! The elements of sets that others left alone are not asked for again, those of others are.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, gettid};

use super::super::sets::hosts;
use super::super::support::Namespace;
use super::{desired, heed, is_kept, open, policy};

/// `NFT_MSG_GETSETELEM` of `NFNL_SUBSYS_NFTABLES`, as strace prints raw numbers.
const GET_ELEMENTS: &str = "nlmsg_type=0xa0d,";

/// How often a function has the calling thread ask for the elements of a set.
fn requests(function: impl FnOnce()) -> usize {
    let log = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut strace = Command::new("strace")
        .args(["-X", "raw", "-e", "trace=sendto", "-o"])
        .arg(log.path())
        .args(["-p", &gettid().to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace");
    let mut said = String::new();
    let mut stderr = BufReader::new(strace.stderr.take().expect("its standard error"));
    stderr.read_line(&mut said).expect("a line");
    assert!(said.contains("attached"), "{said}");
    function();
    kill(Pid::from_raw(strace.id().cast_signed()), Signal::SIGINT).expect("success");
    strace.wait().expect("its end");
    let trace = fs::read_to_string(log.path()).expect("a trace");
    assert!(trace.contains("nlmsg_type="), "strace does not tell of messages: {trace}");
    trace.matches(GET_ELEMENTS).count()
}

#[test]
fn they_are_asked_for_only_if_others_may_have_changed_them() {
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
        heed(&mut monitor, &mut engine);
        let asked = requests(|| drop(engine.apply(&desired).expect("success")));
        assert_eq!(asked, expected, "{command}");
        assert!(is_kept(&host, &desired), "{command}");
    }
    host.run(&["nft", "add", "table", "ip", "kube"]);
    let asked = requests(|| drop(engine.apply(&desired).expect("success")));
    assert_eq!(asked, 1, "without notice of a change all is read");
}
