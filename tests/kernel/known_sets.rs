//! What one command knew of the sets, the next one does not read again, unless there is any doubt.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use super::support::{Namespace, dwnl, plan};

/// `NFT_MSG_GETSETELEM` of `NFNL_SUBSYS_NFTABLES`, as strace prints it.
const GET_ELEMENTS: &str = "NFT_MSG_GETSETELEM";
/// What the names of the policy's sets begin with, as strace prints it: the attribute is not a string to it.
const NAME: &str = r"\x6d\x61\x6e\x79\x2d\x34";
/// Enough hosts for several sets.
const MANY: u32 = 20_000;
/// Where the header's fields begin: see `src/engine/known_sets/format.rs`.
const BOOT: usize = 12;
const NAMESPACE: usize = 28;
const MODULE: usize = 36;
const CHECKED: usize = 44;
const GENERATION: usize = 52;
/// Where the sets begin.
const SETS: usize = 57;

/// A policy that allows this many hosts, and 100 ranges.
fn policy(hosts: u32) -> String {
    let addresses = (0..hosts).map(|it| Ipv4Addr::from(0x0a00_0000 + it * 64).to_string());
    let ranges = (0..100).map(|it| format!("192.0.{it}.1-192.0.{it}.9"));
    let many: Vec<String> = addresses.chain(ranges).collect();
    format!("[sources]\nmany = {many:?}\n[[allow]]\nports = ['443']\nfrom = ['many']\n")
}

/// A network namespace with a state directory.
struct Host {
    host: Namespace,
    state: TempDir,
}

impl Host {
    fn new() -> Host {
        let state = TempDir::with_prefix("dwnl-state-").expect("a temporary directory");
        Host { host: Namespace::new(), state }
    }

    fn stored(&self) -> PathBuf {
        self.state.path().join("sets.known")
    }

    /// Runs a command with the state directory under strace. Returns its report and how many sets of the
    /// policy it has read.
    fn run(&self, command: &str, policy: &str) -> (Value, usize) {
        let log = self.state.path().join("trace");
        let (trace, state) = (log.to_string_lossy(), self.state.path().to_string_lossy());
        let strace = ["strace", "-f", "-qq", "-s", "200", "-e", "trace=sendto", "-o"];
        let dwnl = [&*trace, env!("CARGO_BIN_EXE_dwnl"), command, "--json", "-f", "-"];
        let command = [&strace[..], &dwnl, &["--state-dir", &*state]].concat();
        let report = self.host.try_run(&command, policy).succeeded();
        let calls = fs::read_to_string(&log).expect("a trace");
        let is_read = |line: &&str| line.contains(GET_ELEMENTS) && line.contains(NAME);
        (serde_json::from_str(&report).expect("JSON"), calls.lines().filter(is_read).count())
    }

    /// Applies a policy, and returns how many sets were read.
    fn apply(&self, policy: &str) -> usize {
        self.run("apply", policy).1
    }

    /// Changes the stored bytes.
    fn tamper(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.stored()).expect("what is stored");
        change(&mut bytes);
        fs::write(self.stored(), bytes).expect("to write");
    }

    /// Asserts that the kernel holds the policy, which is found out by reading everything.
    #[track_caller]
    fn assert_holds(&self, policy: &str) {
        let plan = plan(&self.host, policy);
        assert_eq!(plan["has_changes"], false, "{plan}");
    }
}

#[test]
fn known_sets_are_not_read() {
    let host = Host::new();
    host.apply(&policy(MANY));
    // First the control: without what is stored, all are read.
    let kept = fs::read(host.stored()).expect("what is stored");
    fs::remove_file(host.stored()).expect("the file");
    let (_, all) = host.run("plan", &policy(MANY));
    assert!(all > 2, "{all}");
    fs::write(host.stored(), kept).expect("to write");

    for command in ["plan", "apply", "plan"] {
        let (report, read) = host.run(command, &policy(MANY));
        assert_eq!((&report["has_changes"], read), (&false.into(), 0), "{command}");
        assert_eq!(report["elements_unchanged"], MANY + 100, "{command}");
    }
    let (report, read) = host.run("apply", &policy(MANY + 1));
    assert_eq!((&report["elements_added"], read), (&1.into(), 0), "one host more");
    let (report, read) = host.run("apply", &policy(10));
    assert_eq!((&report["has_changes"], read), (&true.into(), 0), "most hosts gone");
    host.assert_holds(&policy(10));
    let other = policy(MANY).replace("10.", "11.");
    let (report, read) = host.run("apply", &other);
    assert_eq!((&report["has_changes"], read), (&true.into(), 0), "all hosts replaced");
    host.assert_holds(&other);
    assert_eq!(host.run("plan", &other).1, 0);
}

/// Whatever is wrong with what is stored, or with the kernel since, everything is read, and repaired.
#[test]
fn in_any_doubt_everything_is_read() {
    let host = Host::new();
    let policy = policy(1000);
    let nft = |command: &str| drop(host.host.run(&["nft", command]));
    let mode = |mode| {
        fs::set_permissions(host.stored(), fs::Permissions::from_mode(mode)).expect("the mode");
    };
    let flip = |at: usize| host.tamper(|bytes| bytes[at] ^= 1);
    let doubts: &[(&str, &dyn Fn())] = &[
        ("an element is missing", &|| nft("delete element inet dwnl many-4 { 10.0.0.0 }")),
        ("an element is foreign", &|| nft("add element inet dwnl many-4 { 198.51.100.1 }")),
        ("the set was filled again", &|| {
            nft("flush set inet dwnl many-4");
            nft("add element inet dwnl many-4 { 198.51.100.1 }");
        }),
        ("a commit elsewhere", &|| nft("add table ip other; delete table ip other")),
        ("the ruleset was flushed", &|| nft("flush ruleset")),
        ("another start of the kernel", &|| flip(BOOT)),
        ("another namespace", &|| flip(NAMESPACE)),
        ("another module", &|| flip(MODULE)),
        ("from the future", &|| flip(CHECKED + 7)),
        ("another generation", &|| flip(GENERATION)),
        ("the generation after all bits changed", &|| {
            host.tamper(|bytes| bytes[GENERATION..SETS - 1].iter_mut().for_each(|it| *it ^= 0xff));
        }),
        ("an older format", &|| flip(10)),
        ("cut short", &|| host.tamper(|bytes| bytes.truncate(bytes.len() - 1))),
        ("empty", &|| host.tamper(Vec::clear)),
        ("more behind it", &|| host.tamper(|bytes| bytes.push(0))),
        ("a group may write", &|| mode(0o664)),
        ("everybody may write", &|| mode(0o646)),
        ("another user's", &|| chown(host.stored(), Some(65534), None).expect("another owner")),
        ("missing", &|| fs::remove_file(host.stored()).expect("the file")),
    ];
    host.apply(&policy);
    for (doubt, raise) in doubts {
        assert_eq!(host.apply(&policy), 0, "before: {doubt}");
        raise();
        let read = host.apply(&policy);
        // After a flush, there is nothing to be read.
        assert!(read > 0 || doubt.contains("flushed"), "{doubt}");
        host.assert_holds(&policy);
    }
}

#[test]
fn what_is_stored_of_one_namespace_is_not_believed_in_another() {
    let hosts = [Host::new(), Host::new()];
    let generation = |host: &Host| host.run("apply", &policy(1000)).0["generation"].clone();
    let [first, second] = hosts.each_ref().map(generation);
    assert_eq!(first, second, "the generations say nothing");
    let [host, other] = &hosts;
    host.host.run(&["nft", "add table ip one"]);
    host.apply(&policy(1000));
    other.host.run(&["nft", "delete element inet dwnl many-4 { 10.0.0.0 }"]);
    fs::copy(host.stored(), other.stored()).expect("to copy");
    let (report, read) = other.run("apply", &policy(1000));
    assert!(read > 0, "the copy is not believed");
    assert_eq!(report["elements_added"], 1);
    // With the file of its own nothing is read.
    assert_eq!(other.apply(&policy(1000)), 0);
}

#[test]
fn a_wrong_belief_that_the_kernel_refuses_is_given_up() {
    let host = Host::new();
    host.apply(&policy(1001));
    let with_one_more = fs::read(host.stored()).expect("what is stored");
    host.apply(&policy(1000));
    host.tamper(|bytes| {
        bytes.truncate(SETS);
        bytes.extend(&with_one_more[SETS..]);
    });
    // The element that it would delete is not there.
    assert!(host.apply(&policy(1000)) > 0);
    host.assert_holds(&policy(1000));
    assert_eq!(host.apply(&policy(1000)), 0);
}

/// Where no rule shows what the kernel can do, the first apply finds it out for all later ones.
#[test]
fn the_kernel_is_probed_once() {
    let host = Host::new();
    let policy =
        "[guard]\ndocker-cgroup = 'system.slice/none.service'\n[[allow]]\nports = ['443']\n";
    let stored = || host.run("apply", policy).0["generation"].as_u64().expect("a generation");
    let remove = || dwnl(&host.host, &["remove"], "").succeeded();
    let first = stored();
    assert_eq!(stored(), first, "no commit");
    remove();
    assert_eq!(stored(), first + 2, "the answer does not depend on the generation");
    remove();
    // The control: a probe is two commits.
    let output = dwnl(&host.host, &["apply", "--json", "-f", "-"], policy).succeeded();
    let report: Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!(report["generation"], first + 6, "without what is stored");
}

#[test]
fn without_a_state_directory_nothing_is_stored() {
    let host = Host::new();
    dwnl(&host.host, &["apply", "-f", "-"], &policy(100)).succeeded();
    assert!(!host.stored().exists());
}

/// An element that a packet adds would not change the generation.
#[test]
fn packets_cannot_change_the_sets() {
    let host = Host::new();
    host.apply(&policy(1000));
    for set in ["many-4", "many-4-intervals"] {
        for change in ["add", "update", "delete"] {
            let rule = format!("add rule inet dwnl allowed {change} @{set} {{ ip saddr }}");
            let output = host.host.try_run(&["nft", &rule], "");
            let error = output.stderr;
            assert!(error.contains("Operation not supported"), "{rule}: {error}");
        }
    }
}
