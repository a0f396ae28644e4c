//! Reads a text file, which may be missing, binary, compressed or too large.

use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use super::open::{describe, open};
use crate::model::Location;
use crate::policy::diag::{Diagnostic, Issue, count_chars, diagnose, saturate};
use crate::policy::warning::WarningList;

/// A kind of file.
pub(in crate::policy) struct Kind {
    /// What messages call it.
    noun: &'static str,
    /// Whether it is the policy itself.
    is_policy: bool,
    /// Its maximum size in MiB.
    max: u64,
}

/// A policy.
pub(in crate::policy) const POLICY: Kind = Kind { noun: "a policy", is_policy: true, max: 4 };

/// A source file.
pub(in crate::policy) const SOURCE_FILE: Kind =
    Kind { noun: "a source file", is_policy: false, max: 64 };

/// What a file that is compressed by gzip begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why a file could not be read as text.
pub(in crate::policy) enum ReadError {
    /// The file cannot be read.
    File {
        /// The reason alone.
        issue: Issue,
        /// Whether it has no end: a program may still be writing it.
        is_unfinished: bool,
    },
    /// A byte in it is not text.
    Byte(Diagnostic),
}

/// Reads the file at `path`, which messages call `name`. Warnings are added to `found`. A source file is
/// decompressed if its name says that it [is compressed](is_compressed).
pub(in crate::policy) fn read_file(
    path: &Path,
    name: &Arc<str>,
    kind: &Kind,
    found: &mut WarningList,
) -> Result<String, ReadError> {
    let (file, warnings) = open(path, &kind.regular_file_help()).map_err(ReadError::of_file)?;
    warnings.into_iter().for_each(|kind| found.push_file(kind, name));
    match is_compressed(path) && !kind.is_policy {
        true => read_compressed(file, name, kind),
        false => read(file, name, kind),
    }
}

/// Whether the name of a source file says that it is compressed by gzip.
pub(in crate::policy) fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

/// Reads a file that is compressed by gzip. The limit is one for the compressed data, too, which may be
/// endless without any content.
#[cfg(feature = "lists")]
fn read_compressed(file: impl Read, name: &Arc<str>, kind: &Kind) -> Result<String, ReadError> {
    let file = io::BufReader::new(file.take(kind.limit()));
    read(super::gzip::Members::new(file), name, kind)
}

#[cfg(not(feature = "lists"))]
fn read_compressed(_: impl Read, _: &Arc<str>, _: &Kind) -> Result<String, ReadError> {
    Err(ReadError::of_file(Issue::new("this program reads no compressed lists")))
}

/// Whether a text has no line feed at its end, so that it may not have been written to its end.
pub(in crate::policy) fn is_unfinished(text: &str) -> bool {
    !text.ends_with('\n')
}

/// Reads `input`, which messages call `name`.
pub(in crate::policy) fn read(
    input: impl Read,
    name: &Arc<str>,
    kind: &Kind,
) -> Result<String, ReadError> {
    let bytes = read_bounded(input, kind.limit()).map_err(|error| ReadError::File {
        issue: describe(&error),
        is_unfinished: error.kind() == ErrorKind::UnexpectedEof,
    })?;
    if bytes.len() as u64 > kind.limit() {
        return Err(ReadError::of_file(kind.too_large()));
    }
    match String::from_utf8(bytes) {
        Ok(text) => match text.find('\0') {
            None => Ok(text),
            Some(end) => Err(kind.not_text(name, text.as_bytes(), end)),
        },
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let end = error.as_bytes().iter().take(valid).position(|byte| *byte == 0);
            Err(kind.not_text(name, error.as_bytes(), end.unwrap_or(valid)))
        }
    }
}

impl ReadError {
    fn of_file(issue: Issue) -> ReadError {
        ReadError::File { issue, is_unfinished: false }
    }
}

impl Kind {
    /// The maximum size in bytes.
    fn limit(&self) -> u64 {
        self.max << 20
    }

    fn too_large(&self) -> Issue {
        Issue::new(format!("the file is larger than {} MiB", self.max)).help(self.expectation())
    }

    /// The error about the byte at `offset`; the bytes before it are UTF-8.
    fn not_text(&self, name: &Arc<str>, bytes: &[u8], offset: usize) -> ReadError {
        let message = match bytes.get(offset) {
            _ if bytes.starts_with(&GZIP) => "the file is compressed by gzip".to_owned(),
            Some(0) => "not a text file: it contains a NUL byte".to_owned(),
            Some(byte) => format!("invalid UTF-8: byte 0x{byte:02x}"),
            None => "invalid UTF-8".to_owned(),
        };
        let (before, rest) = bytes.split_at_checked(offset).unwrap_or((bytes, &[]));
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |feed| feed + 1);
        let lead = before.get(start..).unwrap_or_default();
        let tail = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        // An excerpt is shorter than that.
        let tail = tail.get(..1024).unwrap_or(tail);
        let line = String::from_utf8_lossy(&[lead, tail].concat()).into_owned();
        let at = Location {
            file: name.clone(),
            line: saturate(before.split(|byte| *byte == b'\n').count()),
            column: saturate(count_chars(lead) + 1),
        };
        let help = match bytes.starts_with(&GZIP) && !self.is_policy {
            true => "let its name end with `.gz`".to_owned(),
            false => self.expectation(),
        };
        let issue = Issue::new(message).help(help);
        ReadError::Byte(diagnose(at, &line, lead.len()..lead.len(), issue))
    }

    /// What to do about a file that is not a regular one.
    pub fn regular_file_help(&self) -> String {
        let other = if self.is_policy { ", or pass it to standard input: `-f -`" } else { "" };
        format!("{} must be a regular file: write it to one{other}", self.noun)
    }

    fn expectation(&self) -> String {
        format!("{} must be UTF-8 text of at most {} MiB", self.noun, self.max)
    }
}

/// Reads until the end, until there are more than `limit` bytes, or until a NUL byte shows that this
/// is not text: of an endless device, only the first bytes are read.
fn read_bounded(input: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut input = input.take(limit + 1);
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let read = match input.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => chunk.get(..read?).unwrap_or_default(),
        };
        bytes.extend_from_slice(read);
        if read.is_empty() || read.contains(&0) {
            return Ok(bytes);
        }
    }
}
