//! Standard error. For the journal, each line starts with its level (sd-daemon(3)).

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use anstream::AutoStream;

/// A syslog level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The program ends, or the operation failed.
    Error = 3,
    /// Something needs the attention of the operator.
    Warning = 4,
    /// A significant event, such as a repair.
    Notice = 5,
    /// A normal event.
    Info = 6,
    /// A detail.
    Debug = 7,
}

/// Standard error.
#[derive(Clone, Copy, Debug)]
pub struct StderrLog {
    /// Whether standard error is connected to the journal.
    pub is_journal: bool,
}

impl StderrLog {
    /// Finds out whether standard error is connected to the journal.
    pub fn new() -> StderrLog {
        let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
        StderrLog { is_journal: identity().is_ok_and(|identity| identity == stream) }
    }

    /// Writes the output of `write`. An error is ignored: there is nowhere to report it.
    pub fn write(self, level: Level, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        let _ = io::stderr().write_all(&self.text(level, write));
    }

    /// The output of `write` as it is written: with styles if the stream has them, and with levels
    /// for the journal.
    pub fn text(
        self,
        level: Level,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Vec<u8> {
        let mut stream = AutoStream::new(Vec::new(), AutoStream::choice(&io::stderr()));
        // Writing to memory does not fail.
        let _ = write(&mut stream);
        let text = stream.into_inner();
        if self.is_journal { with_syslog_prefix(level, &text) } else { text }
    }
}

/// Device and inode of standard error, as in `JOURNAL_STREAM`.
fn identity() -> io::Result<String> {
    let file = File::from(io::stderr().as_fd().try_clone_to_owned()?).metadata()?;
    Ok(format!("{}:{}", file.dev(), file.ino()))
}

/// The text with a level before each line. Empty lines, which the journal drops, are omitted.
fn with_syslog_prefix(level: Level, text: &[u8]) -> Vec<u8> {
    let prefix = format!("<{}>", level as u8);
    let lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| *line != b"\n");
    lines.flat_map(|line| [prefix.as_bytes(), line].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_level() {
        assert_eq!(with_syslog_prefix(Level::Warning, b"one\n\n  two\n"), b"<4>one\n<4>  two\n");
        assert_eq!(with_syslog_prefix(Level::Debug, b""), b"");
    }

    #[test]
    fn severe_levels_are_smaller() {
        assert!(Level::Error < Level::Warning && Level::Info < Level::Debug);
    }
}
