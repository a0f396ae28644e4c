//! The changes of a namespace's ruleset, as the kernel announces them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::command::path;
use super::{Namespace, wait_for};

/// `nft monitor` in a namespace.
pub struct Monitor<'a> {
    namespace: &'a Namespace,
    process: Child,
    lines: Receiver<String>,
    marks: usize,
}

impl Monitor<'_> {
    /// Starts to listen for changes.
    pub fn new(namespace: &Namespace) -> Monitor<'_> {
        let start = || {
            let mut nft = Command::new("nft");
            nft.arg("monitor").env("PATH", path()).stdout(Stdio::piped()).spawn()
        };
        let mut process = namespace.inside(start).expect("nft");
        let output = BufReader::new(process.stdout.take().expect("its output"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
        });
        let mut monitor = Monitor { namespace, process, lines, marks: 0 };
        wait_for("nft monitor", || {
            monitor.mark();
            monitor.lines.recv_timeout(Duration::from_millis(20)).ok()
        });
        monitor.events();
        monitor
    }

    /// The changes since the last call, as nft prints them.
    pub fn events(&mut self) -> String {
        let mark = self.mark();
        let mut events = Vec::new();
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60)).expect("an event");
            if line == format!("delete table bridge {mark}") {
                return events.join("\n");
            }
            if !line.contains("table bridge mark") && !line.starts_with("# new generation") {
                events.push(line);
            }
        }
    }

    /// Adds and deletes a table whose name distinguishes this change from all others.
    fn mark(&mut self) -> String {
        self.marks += 1;
        let mark = format!("mark{}", self.marks);
        self.namespace.run(&["nft", "add", "table", "bridge", &mark]);
        self.namespace.run(&["nft", "delete", "table", "bridge", &mark]);
        mark
    }
}

impl Drop for Monitor<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}
