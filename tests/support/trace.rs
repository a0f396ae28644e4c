//! A running `dwnl trace`.

use std::io::{BufRead, BufReader};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{Namespace, companion, wait_for};

/// Maximum time until an event, far longer than any takes.
const EVENT_TIMEOUT: Duration = Duration::from_secs(60);

/// `dwnl trace --json` in a namespace. It is killed when the value is dropped.
pub struct Trace {
    process: Child,
    lines: Receiver<String>,
}

impl Trace {
    /// Starts a trace with these arguments, and waits until it has begun.
    pub fn start(namespace: &Namespace, args: &[&str]) -> Trace {
        Trace::start_with(namespace, args).0
    }

    /// [`Trace::start`], and its first event.
    pub fn start_with(namespace: &Namespace, args: &[&str]) -> (Trace, Value) {
        let mut process = companion(&namespace.path())
            .args([env!("CARGO_BIN_EXE_dwnl"), "trace", "--json", "--for", "10m"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("dwnl");
        let output = BufReader::new(process.stdout.take().expect("its output"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let trace = Trace { process, lines };
        let start = trace.event();
        assert_eq!(start["event"], "start", "{start}");
        (trace, start)
    }

    /// The next event.
    #[track_caller]
    pub fn event(&self) -> Value {
        let line = self.lines.recv_timeout(EVENT_TIMEOUT).expect("an event");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The next event, which has to be a packet.
    #[track_caller]
    pub fn packet(&self) -> Value {
        let event = self.event();
        assert_eq!(event["event"], "packet", "{event}");
        event
    }

    /// Asks the trace to end, and returns the events that it has not reported before.
    #[track_caller]
    pub fn end(mut self, signal: Signal) -> Vec<Value> {
        self.signal(signal);
        let mut events = vec![self.event()];
        while events.last().is_some_and(|event| event["event"] != "end") {
            events.push(self.event());
        }
        assert!(self.ended().success());
        events
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id()).expect("a process");
        kill(Pid::from_raw(id), signal).expect("to send a signal");
    }

    /// Waits until the process has ended.
    pub fn ended(&mut self) -> ExitStatus {
        wait_for("dwnl's end", || self.process.try_wait().expect("its state"))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}
