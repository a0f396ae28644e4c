//! CAP_NET_ADMIN is enough, all other privileges are dropped, and no process is spawned.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::support::{Namespace, Output, output};
use super::{JUMPS, POLICY, rules};

/// A copy of the program that every user may run.
struct Program {
    directory: TempDir,
}

impl Program {
    fn new() -> Program {
        let directory = TempDir::with_prefix("dwnl-test-").expect("a temporary directory");
        let everyone = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), everyone).expect("to open the directory");
        let program = Program { directory };
        // Another process makes the copy: other threads of this one would pass the open file to
        // their children, and a file that is open for writing cannot be executed.
        output(&["cp", env!("CARGO_BIN_EXE_dwnl"), &program.file("dwnl")], "").succeeded();
        program
    }

    fn file(&self, name: &str) -> String {
        self.directory.path().join(name).to_string_lossy().into_owned()
    }

    /// Applies the policy with a program that runs dwnl.
    fn apply_by(&self, host: &Namespace, runner: &[&str]) -> Output {
        host.try_run(&[runner, &[&self.file("dwnl"), "apply", "-f", "-"]].concat(), POLICY)
    }
}

const NOBODY: [&str; 5] =
    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];

#[test]
fn net_admin_alone_is_enough() {
    let only = [
        "--bounding-set=-all,+net_admin",
        "--inh-caps=-all,+net_admin",
        "--ambient-caps=-all,+net_admin",
    ];
    let nobody = [&NOBODY[..], &only].concat();
    let root = [&["setpriv"], &only[..1]].concat();
    for runner in [nobody, root] {
        let host = Namespace::new();
        Program::new().apply_by(&host, &runner).succeeded();
        assert_eq!(rules(&host, "PREROUTING"), JUMPS, "{runner:?}");
    }
}

#[test]
fn without_net_admin_the_message_says_what_is_missing() {
    let nobody = [&NOBODY[..], &["--inh-caps=-all"]].concat();
    let root = vec!["setpriv", "--bounding-set=-net_admin"];
    for runner in [nobody, root] {
        let host = Namespace::new();
        let message = Program::new().apply_by(&host, &runner).failed(1);
        assert!(message.contains("CAP_NET_ADMIN"), "{runner:?}: {message}");
        assert_eq!(host.run(&["nft", "list", "ruleset"]), "");
    }
}

/// Docker passes the capability to root alone. The command of a container is process 1.
#[test]
fn in_a_container_the_message_says_how_to_start_it() {
    let unshare = &["unshare", "--pid", "--fork", "--mount-proc"][..];
    let nobody = [unshare, &NOBODY, &["--inh-caps=-all"]].concat();
    let root = [unshare, &["setpriv", "--bounding-set=-net_admin"]].concat();
    for (runner, advice) in [(nobody, "--user 0"), (root, "--cap-add NET_ADMIN")] {
        let message = Program::new().apply_by(&Namespace::new(), &runner).failed(1);
        assert!(message.contains(advice), "{runner:?}: {message}");
        assert!(!message.contains("systemd"), "{runner:?}: {message}");
    }
}

/// The system calls of an apply, one a line.
fn trace(calls: &str, program: &[&str]) -> String {
    let host = Namespace::new();
    let files = Program::new();
    let log = files.file("trace");
    let strace = ["strace", "-f", "-qq", "-o", &log, "-e", &format!("trace={calls}")];
    files.apply_by(&host, &[&strace, program].concat()).succeeded();
    fs::read_to_string(log).expect("the trace")
}

#[test]
fn no_process_is_spawned() {
    let processes = |trace: &str| {
        let spawned = |line: &&str| {
            let is_clone = line.contains("fork(") || line.contains("clone");
            line.contains("execve") || is_clone && !line.contains("CLONE_THREAD")
        };
        trace.lines().filter(spawned).count()
    };
    // The one process is dwnl itself. The control is a shell that starts dwnl and waits.
    let calls = "execve,execveat,fork,vfork,clone,clone3";
    assert_eq!(processes(&trace(calls, &[])), 1);
    assert!(processes(&trace(calls, &["sh", "-c", "\"$0\" \"$@\"; exit"])) > 1);
}

#[test]
fn no_file_is_written() {
    let writes = |trace: &str| {
        let modes = ["O_WRONLY", "O_RDWR", "O_CREAT", "creat("];
        trace.lines().filter(|line| modes.iter().any(|mode| line.contains(mode))).count()
    };
    let calls = "open,openat,creat";
    assert_eq!(writes(&trace(calls, &[])), 0);
    assert_eq!(writes(&trace(calls, &["sh", "-c", ": >/dev/null; exec \"$0\" \"$@\""])), 1);
}

#[test]
fn all_other_privileges_are_dropped() {
    let trace = trace("capset,prctl", &[]);
    let last = trace.lines().rfind(|line| line.contains("capset(")).expect("a capset");
    assert!(last.contains("effective=1<<CAP_NET_ADMIN, permitted=1<<CAP_NET_ADMIN,"), "{trace}");
    assert!(last.contains("inheritable=0"), "{trace}");
    assert!(last.ends_with("= 0"), "{trace}");
    let is_kept = |line: &str| line.contains("PR_SET_NO_NEW_PRIVS, 1") && line.ends_with("= 0");
    assert!(trace.lines().any(is_kept), "{trace}");
}
