//! Where events are told: to standard error, for the journal or for a terminal, and to standard output
//! for a program that has asked for it.

use std::io::{self, Write};
use std::time::SystemTime;

use serde::Serialize;

use crate::report::{Event, Report};
use crate::stderr::{Level, Stderr};

/// Who is told how much.
pub struct Log {
    /// Only what is at least as important as this is told.
    pub least: Level,
    /// Whether a program is told, in lines of JSON, and people of warnings alone.
    pub is_json: bool,
    /// Standard error.
    pub stderr: Stderr,
}

/// An event as a line of JSON.
#[derive(Serialize)]
struct Stamped<'a> {
    time: String,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl Log {
    /// Tells of an event that happens now.
    pub fn tell(&self, event: &Event) {
        let level = event.level();
        if level > self.least {
            return;
        }
        let now = SystemTime::now();
        if self.is_json {
            let time = humantime::format_rfc3339_millis(now).to_string();
            // That nobody reads it is no reason to leave the rules unattended.
            let _ = print(&Stamped { time, event });
        }
        if !self.is_json || level <= Level::Warning {
            self.stderr.write(level, |out| {
                if !self.stderr.is_journal {
                    write!(out, "{} ", humantime::format_rfc3339_seconds(now))?;
                }
                event.write(out)
            });
        }
    }
}

fn print(line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    io::stdout().write_all(&text)
}
