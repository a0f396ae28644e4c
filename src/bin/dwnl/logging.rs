//! Standard error, which the journal may read: then each line says how important it is (sd-daemon(3)).

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use anstream::AutoStream;

/// How important something is, by syslog's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The program cannot go on, or what was asked for failed.
    Error = 3,
    /// Something is not as it should be.
    Warning = 4,
    /// What everybody should know.
    Notice = 5,
    /// What happens as it should.
    Info = 6,
    /// Details for who looks for them.
    Debug = 7,
}

/// Standard error.
#[derive(Clone, Copy, Debug)]
pub struct StderrLog {
    /// Whether the journal reads it.
    pub is_journal: bool,
}

impl StderrLog {
    /// Finds out who reads it.
    pub fn new() -> StderrLog {
        let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
        StderrLog { is_journal: identity().is_ok_and(|identity| identity == stream) }
    }

    /// Writes what `write` writes, at once. If that fails there is nobody left to tell.
    pub fn write(self, level: Level, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        let _ = io::stderr().write_all(&self.text(level, write));
    }

    /// What `write` writes as it belongs there: with its styles if they are desired, and its level if it
    /// is read.
    pub fn text(
        self,
        level: Level,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Vec<u8> {
        let mut stream = AutoStream::new(Vec::new(), AutoStream::choice(&io::stderr()));
        // In memory there is room.
        let _ = write(&mut stream);
        let text = stream.into_inner();
        if self.is_journal { with_syslog_prefix(level, &text) } else { text }
    }
}

/// Device and inode, as in `JOURNAL_STREAM`.
fn identity() -> io::Result<String> {
    let file = File::from(io::stderr().as_fd().try_clone_to_owned()?).metadata()?;
    Ok(format!("{}:{}", file.dev(), file.ino()))
}

/// The text with a level before each line that is not empty: the journal drops empty ones anyway.
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
    fn what_matters_most_comes_first() {
        assert!(Level::Error < Level::Warning && Level::Info < Level::Debug);
    }
}
