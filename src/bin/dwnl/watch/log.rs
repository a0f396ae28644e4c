//! Where events are told: to standard error, for the journal or for a terminal, and to standard output
//! for a program that has asked for it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::SystemTime;

use serde::Serialize;

use super::lossy_writer::LossyWriter;
use crate::logging::{Level, StderrLog};
use crate::report::{Event, Report};

/// Who is told how much. That nobody reads it is no reason to leave the rules unattended.
pub struct Log {
    least: Level,
    /// Lines of JSON for a program, if one is told; people then get warnings alone.
    events: Option<LossyWriter<io::Stdout>>,
    words: LossyWriter<io::Stderr>,
    stderr: StderrLog,
    /// What is amiss at the moment, by what was to be done, so that it is told once.
    complaints: BTreeMap<&'static str, String>,
}

/// An event as a line of JSON.
#[derive(Serialize)]
struct Stamped<'a> {
    time: String,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl Log {
    /// Tells what is at least as important as `least`, and a program all of that in lines of JSON if
    /// one is to be told.
    pub fn new(stderr: StderrLog, least: Level, is_json: bool) -> Log {
        let events = is_json.then(LossyWriter::stdout);
        Log { least, events, words: LossyWriter::stderr(), stderr, complaints: BTreeMap::new() }
    }

    /// Whether details are told.
    pub fn is_verbose(&self) -> bool {
        self.least == Level::Debug
    }

    /// Tells of an event that happens now.
    pub fn emit(&mut self, event: &Event) {
        self.resume();
        let level = event.level();
        if level > self.least {
            return;
        }
        let now = SystemTime::now();
        if let Some(events) = &mut self.events {
            events.write(line(now, event));
        }
        if self.events.is_none() || level <= Level::Warning {
            self.words.write(text(self.stderr, now, event));
        }
    }

    /// Tells what is amiss, unless it was told the last time.
    pub fn warn_once(&mut self, action: &'static str, error: &impl Display) {
        let error = error.to_string();
        if self.complaints.get(action) != Some(&error) {
            self.emit(&Event::Failure { action, error: error.clone() });
            self.complaints.insert(action, error);
        }
    }

    /// Nothing is amiss with it any more.
    pub fn clear(&mut self, action: &'static str) {
        self.complaints.remove(action);
    }

    /// The one or the other.
    pub fn report_result(&mut self, action: &'static str, done: io::Result<()>) {
        match done {
            Ok(()) => self.clear(action),
            Err(error) => self.warn_once(action, &error),
        }
    }

    /// Goes on telling whoever reads again, first of all that something was not told.
    pub fn resume(&mut self) {
        let now = SystemTime::now();
        if let Some(outlet) = &mut self.events {
            outlet.resume();
            if let Some(events) = outlet.take_dropped() {
                outlet.write(line(now, &Event::Untold { events }));
            }
        }
        self.words.resume();
        if let Some(events) = self.words.take_dropped() {
            self.words.write(text(self.stderr, now, &Event::Untold { events }));
        }
    }

    /// What has to become ready for writing before [`Log::resume`] helps.
    pub fn blocked(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let events = self.events.as_ref().and_then(LossyWriter::blocked);
        events.into_iter().chain(self.words.blocked())
    }
}

fn line(now: SystemTime, event: &Event) -> Vec<u8> {
    let time = humantime::format_rfc3339_millis(now).to_string();
    // Nothing in an event cannot be serialized.
    let mut line = serde_json::to_vec(&Stamped { time, event }).unwrap_or_default();
    line.push(b'\n');
    line
}

fn text(stderr: StderrLog, now: SystemTime, event: &Event) -> Vec<u8> {
    stderr.text(event.level(), |out| {
        if !stderr.is_journal {
            write!(out, "{} ", humantime::format_rfc3339_seconds(now))?;
        }
        event.write(out)
    })
}
