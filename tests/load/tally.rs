//! The results of a run.

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::kind::Kind;
use super::run::Goal;
use super::support::Output;

/// Maximum number of failures that are printed one by one.
const PRINTED_MAX: usize = 20;

/// A counter that threads share.
#[derive(Default)]
pub struct Count(AtomicUsize);

impl Count {
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The figures of a run.
#[derive(Default)]
pub struct Tally {
    name: &'static str,
    attempts: [Count; Kind::COUNT],
    /// Unanswered attempts of allowed clients, and answered ones of refused clients.
    gaps: [Count; Kind::COUNT],
    pub streams: Count,
    streams_broken: Count,
    reloads: Count,
    reloads_failed: Count,
    /// The reloads that reported their number of attempts, and those that took several.
    attempts_reported: Count,
    conflicts: Count,
    commands: Count,
    commands_failed: Count,
    pub time: Duration,
}

impl Tally {
    pub fn new(name: &'static str) -> Tally {
        Tally { name, ..Tally::default() }
    }

    /// Counts an attempt to connect, with its failure if there was one.
    pub fn attempt(&self, kind: Kind, gap: Option<String>) {
        self.attempts[kind.index()].add();
        if let Some(gap) = gap {
            self.gaps[kind.index()].add();
            self.print(&format!("{kind}: {gap}"));
        }
    }

    /// Counts a stream that broke.
    pub fn broken(&self, what: &str) {
        self.streams_broken.add();
        self.print(what);
    }

    /// Counts a reload by its output.
    pub fn reload(&self, output: &Output) {
        self.reloads.add();
        if !output.status.success() {
            self.reloads_failed.add();
            self.print(&output.to_string());
        }
        let report: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        if let Some(attempts) = report["attempts"].as_u64() {
            self.attempts_reported.add();
            if attempts > 1 {
                self.conflicts.add();
            }
        }
    }

    /// Counts a Docker command by its output.
    pub fn command(&self, output: &Output) {
        self.commands.add();
        if !output.status.success() {
            self.commands_failed.add();
            self.print(&output.to_string());
        }
    }

    fn print(&self, what: &str) {
        if self.lost() + self.let_in() + self.streams_broken.get() <= PRINTED_MAX {
            eprintln!("{}, reload {}: {what}", self.name, self.reloads.get());
        }
    }

    /// Connections of allowed clients that were not answered.
    pub fn lost(&self) -> usize {
        sum(&self.gaps, |kind| kind.is_allowed)
    }

    /// Connections of refused clients that were answered.
    fn let_in(&self) -> usize {
        sum(&self.gaps, |kind| !kind.is_allowed)
    }

    pub fn has_reached(&self, goal: Goal) -> bool {
        self.reloads.get() >= goal.reloads
            && self.commands.get() >= goal.commands
            && sum(&self.attempts, |_| true) >= goal.connections
            && self.attempts.iter().all(|attempts| attempts.get() >= goal.connections / 100)
    }

    /// Panics if the run has not reached its goal.
    pub fn assert_reached(&self, goal: Goal) -> &Tally {
        assert!(self.has_reached(goal), "the goal was not reached: see the table");
        self
    }

    /// Panics if anything went wrong.
    pub fn assert_no_gap(&self) {
        let wrong = self.rows().iter().any(|row| row.must_be_zero && row.number != Some(0));
        assert!(!wrong, "there were losses or failures: see the table");
    }

    fn rows(&self) -> Vec<Row> {
        let connections = Kind::all().map(|kind| {
            Row::figure(format!("connections: {kind}"), self.attempts[kind.index()].get())
        });
        let conflicts = (self.attempts_reported.get() > 0).then(|| self.conflicts.get());
        let rest = [
            Row::figure("established streams", self.streams.get()),
            Row::figure("reloads", self.reloads.get()),
            Row { number: conflicts, ..Row::figure("reloads that met a conflict", 0) },
            Row::figure("Docker commands", self.commands.get()),
            Row::loss("allowed but lost", self.lost()),
            Row::loss("refused but let in", self.let_in()),
            Row::loss("established streams broken", self.streams_broken.get()),
            Row::loss("reloads failed", self.reloads_failed.get()),
            Row::loss("Docker commands failed", self.commands_failed.get()),
        ];
        connections.into_iter().chain(rest).collect()
    }
}

/// A line of the table.
struct Row {
    name: String,
    /// `None` if it is unknown.
    number: Option<usize>,
    must_be_zero: bool,
}

impl Row {
    fn figure(name: impl Into<String>, number: usize) -> Row {
        Row { name: name.into(), number: Some(number), must_be_zero: false }
    }

    fn loss(name: impl Into<String>, number: usize) -> Row {
        Row { must_be_zero: true, ..Row::figure(name, number) }
    }
}

fn sum(counts: &[Count], of: impl Fn(Kind) -> bool) -> usize {
    Kind::all().iter().filter(|kind| of(**kind)).map(|kind| counts[kind.index()].get()).sum()
}

/// The figures of several runs as a Markdown table.
pub fn table(tallies: &[&Tally]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!(" {cell:>12} |")).collect();
        let _ = writeln!(text, "| {name:35} |{cells}");
    };
    line("", tallies.iter().map(|tally| tally.name.to_owned()).collect());
    line(&"-".repeat(35), vec!["-----------:".to_owned(); tallies.len()]);
    let rows: Vec<Vec<Row>> = tallies.iter().map(|tally| tally.rows()).collect();
    for index in 0..rows[0].len() {
        let cell = |row: &Row| row.number.map_or("-".to_owned(), |number| number.to_string());
        line(&rows[0][index].name, rows.iter().map(|rows| cell(&rows[index])).collect());
    }
    line("seconds", tallies.iter().map(|tally| tally.time.as_secs().to_string()).collect());
    text
}
