//! The log of `watch`: text on standard error, and with `--json` one object per line on standard
//! output.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::SystemTime;

use super::lossy_writer::LossyWriter;
use crate::logging::{Level, StderrLog};
use crate::report::{Event, JsonObject, Report};

/// The log. It never blocks: a reader that does not keep up loses messages.
pub struct Log {
    max_level: Level,
    /// Events as JSON. With them, the text has only warnings.
    json: Option<LossyWriter<io::Stdout>>,
    text: LossyWriter<io::Stderr>,
    stderr: StderrLog,
    /// The current errors by action, so that each is logged once.
    failures: BTreeMap<&'static str, String>,
    /// The events since they were taken last, each as a line; `None` if nobody reads them.
    lines: Option<Vec<Vec<u8>>>,
}

impl Log {
    /// Logs events up to `max_level`, with `is_json` also as JSON.
    pub fn new(stderr: StderrLog, max_level: Level, is_json: bool) -> Log {
        let json = is_json.then(LossyWriter::stdout);
        let text = LossyWriter::stderr();
        Log { max_level, json, text, stderr, failures: BTreeMap::new(), lines: None }
    }

    /// Whether to log details.
    pub fn is_verbose(&self) -> bool {
        self.max_level == Level::Debug
    }

    /// Logs an event that happens now.
    pub fn emit(&mut self, event: &Event) {
        self.resume();
        let (level, now) = (event.level(), SystemTime::now());
        if let Some(lines) = self.lines.as_mut().filter(|_| level <= Level::Info) {
            lines.push(JsonObject::at(now, event).to_line());
        }
        if level > self.max_level {
            return;
        }
        if let Some(json) = &mut self.json {
            json.write(JsonObject::at(now, event).to_line());
        }
        if self.json.is_none() || level <= Level::Warning {
            self.text.write(text(self.stderr, now, event));
        }
    }

    /// Sets whether events are kept for [`Log::take_lines`].
    pub fn keep_lines(&mut self, is_read: bool) {
        self.lines = is_read.then(|| self.lines.take().unwrap_or_default());
    }

    /// The events since the last call without details, each as a line of JSON.
    pub fn take_lines(&mut self) -> Vec<Vec<u8>> {
        self.lines.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Logs an error, unless the last one of this action was the same.
    pub fn warn_once(&mut self, action: &'static str, error: &impl Display) {
        let error = error.to_string();
        if self.failures.get(action) != Some(&error) {
            self.emit(&Event::Failure { action, error: error.clone() });
            self.failures.insert(action, error);
        }
    }

    /// Notes that an action succeeded.
    pub fn clear(&mut self, action: &'static str) {
        self.failures.remove(action);
    }

    /// Logs the error of an action, or notes that it succeeded.
    pub fn report_result(&mut self, action: &'static str, done: io::Result<()>) {
        self.success(action, done);
    }

    /// The result of an action; its error is logged.
    pub fn success<T>(
        &mut self,
        action: &'static str,
        result: Result<T, impl Display>,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.clear(action);
                Some(value)
            }
            Err(error) => {
                self.warn_once(action, &error);
                None
            }
        }
    }

    /// Continues writing to readers that are ready again. The first message is the number of
    /// dropped ones.
    pub fn resume(&mut self) {
        let now = SystemTime::now();
        if let Some(json) = &mut self.json {
            json.resume();
            if let Some(messages) = json.take_dropped() {
                json.write(JsonObject::at(now, &Event::Dropped { messages }).to_line());
            }
        }
        self.text.resume();
        if let Some(messages) = self.text.take_dropped() {
            self.text.write(text(self.stderr, now, &Event::Dropped { messages }));
        }
    }

    /// The streams to poll for writing before [`Log::resume`] can continue.
    pub fn blocked(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let json = self.json.as_ref().and_then(LossyWriter::blocked);
        json.into_iter().chain(self.text.blocked())
    }
}

/// The event with its time; the journal has its own.
fn text(stderr: StderrLog, now: SystemTime, event: &Event) -> Vec<u8> {
    stderr.text(event.level(), |out| {
        if !stderr.is_journal {
            write!(out, "{} ", humantime::format_rfc3339_seconds(now))?;
        }
        event.write(out)
    })
}
