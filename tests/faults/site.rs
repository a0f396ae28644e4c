//! Policy changes under strace, and the kernel's ruleset before and after them.

use std::collections::HashMap;
use std::fs;

use super::support::{Namespace, Output, dwnl};

/// A command and its policy.
#[derive(Clone, Copy)]
pub struct Action {
    pub command: &'static str,
    pub policy: &'static str,
}

/// Rules without a set.
pub const SMALL: Action = Action {
    command: "apply",
    policy: r#"
        [[allow]]
        name = "web"
        ports = ["8080/tcp", "53/udp"]
        from = ["192.0.2.2", "2001:db8::2", "10.0.0.1-10.0.0.9"]
    "#,
};

/// One rule that the other policies do not have.
pub const OTHER: Action = Action { command: "apply", policy: "[[allow]]\nports = [\"9\"]\n" };

/// Rules, and a group that is large enough for a set.
pub const LARGE: Action = Action {
    command: "apply",
    policy: r#"
        [sources]
        many = [
            "10.1.0.1", "10.1.0.3", "10.1.0.5", "10.1.0.7", "10.1.0.9", "10.1.0.11", "10.1.0.13",
            "10.1.1.1", "10.1.1.3", "10.1.1.5", "10.1.1.7", "10.1.1.9", "10.1.1.11", "10.1.1.13",
            "10.1.2.1", "10.1.2.3", "10.1.2.5", "10.1.2.7", "10.1.2.9", "10.1.2.11", "10.1.2.13",
            "10.1.3.1", "10.1.3.3", "10.1.3.5", "10.1.3.7", "10.1.3.9", "10.1.3.11", "10.1.3.13",
            "10.1.4.1", "10.1.4.3", "10.1.4.5", "10.1.4.7", "10.1.4.9", "10.1.4.11", "10.1.4.13",
            "10.1.5.1", "10.1.5.3", "10.1.5.5", "10.1.5.7", "10.1.5.9", "10.1.5.11", "10.1.5.13",
            "10.1.6.1", "10.1.6.3", "10.1.6.5", "10.1.6.7", "10.1.6.9", "10.1.6.11", "10.1.6.13",
            "10.1.7.1", "10.1.7.3", "10.1.7.5", "10.1.7.7", "10.1.7.9", "10.1.7.11", "10.1.7.13",
            "10.1.8.1", "10.1.8.3", "10.1.8.5", "10.1.8.7", "10.1.8.9", "10.1.8.11", "10.1.8.13",
            "10.1.9.1", "10.1.9.3", "10.1.9.5", "10.1.9.7", "10.1.9.9", "10.1.9.11", "10.1.9.13",
        ]
        [[allow]]
        name = "web"
        ports = ["8080/tcp"]
        from = ["many", "192.0.2.2", "2001:db8::3"]
    "#,
};

pub const REMOVE: Action = Action { command: "remove", policy: "" };

impl Action {
    /// The command line, with `-f` only if there is a policy.
    fn args(self) -> Vec<&'static str> {
        if self.policy.is_empty() { vec![self.command] } else { vec![self.command, "-f", "-"] }
    }

    pub fn run(self, host: &Namespace) -> Output {
        dwnl(host, &self.args(), self.policy)
    }

    /// Runs the action under strace with these options, and with a time-out.
    fn traced(self, host: &Namespace, options: &[&str]) -> Output {
        let strace = ["timeout", "60", "strace", "-qq"];
        let traced = [&strace, options, &[env!("CARGO_BIN_EXE_dwnl")], &self.args()].concat();
        host.try_run(&traced, self.policy)
    }
}

/// A namespace in which these actions have run.
pub fn host(before: &[Action]) -> Namespace {
    let host = Namespace::new();
    for action in before {
        action.run(&host).succeeded();
    }
    host
}

/// All tables as nft prints them, sorted, because nft lists them in the order of their creation.
pub fn state(host: &Namespace) -> Vec<String> {
    let ruleset = format!("\n{}", host.run(&["nft", "list", "ruleset"]));
    let tables = ruleset.split("\ntable ").map(|table| table.trim_end().to_owned());
    let mut tables: Vec<String> = tables.collect();
    tables.sort();
    tables
}

/// One system call of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub thread: Thread,
    pub name: String,
    /// Its number among the calls of this name in the thread, from 1.
    pub nth: usize,
}

/// The threads that strace traces. It counts calls for each thread separately. If it traced all
/// threads, an injection would never reach the calls of the first, because the others make more
/// calls, and earlier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Thread {
    First,
    /// All threads. Equal calls of several threads count once.
    Any,
}

/// What strace injects into a call.
#[derive(Clone, Copy, Debug)]
pub struct Injection {
    /// In strace's syntax.
    pub what: &'static str,
    /// Whether it also applies to all later calls of the name.
    pub lasts: bool,
}

impl Action {
    /// Runs the action with an injection into one of its calls.
    pub fn injected(self, host: &Namespace, call: &Call, injection: Injection) -> Output {
        let (Call { thread, name, nth }, Injection { what, lasts }) = (call, injection);
        let every = if lasts { "+" } else { "" };
        let inject = format!("inject={name}:{what}:when={nth}{every}");
        let follow: &[&str] = if *thread == Thread::Any { &["-f"] } else { &[] };
        self.traced(host, &[follow, &["-o", "/dev/null", "-e", &inject]].concat())
    }
}

/// The system calls of an action in order, from the start of the program.
pub fn calls(before: &[Action], action: Action) -> Vec<Call> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = directory.path().join("trace").to_string_lossy().into_owned();
    action.traced(&host(before), &["-f", "-o", &log]).succeeded();
    let log = fs::read_to_string(log).expect("the trace");
    let lines = || log.lines().filter_map(|line| line.split_once(' '));
    let (first, _) = lines().next().expect("a call");
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    let mut calls = Vec::new();
    for (thread, call) in lines() {
        let Some((name, _)) = call.trim_start().split_once('(') else { continue };
        if name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            let nth = counts.entry((thread, name)).or_default();
            *nth += 1;
            let thread = if thread == first { Thread::First } else { Thread::Any };
            let call = Call { thread, name: name.to_owned(), nth: *nth };
            if !calls.contains(&call) {
                calls.push(call);
            }
        }
    }
    // The first call is the `execve` of strace's own child.
    calls.split_off(1)
}
