//! The sources in the text of a JSON document.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::cursor::Cursor;
use super::values::{Kind, kind, string};
use super::walk::{Mismatch, walk};
use super::{JsonPath, Read};
use crate::policy::diag::{Issue, IssueList, Quoted, without_mark};
use crate::policy::parse::{lines, source};
use crate::policy::{Source, SourceOrigin};

/// Reads the sources that the paths lead to, at most `room`. It is an error if a path leads nowhere.
pub(in crate::policy) fn parse(
    text: &str,
    paths: &[JsonPath],
    file: &Arc<str>,
    room: usize,
    errors: &mut IssueList,
) -> Read {
    let text = without_mark(text);
    let origin = SourceOrigin::of_file(file);
    let cursor = Cursor::new(text, file);
    let mut reader = Reader { cursor, origin, sources: Vec::new(), room, errors };
    let root: &RawValue = match serde_json::from_str(text) {
        Ok(root) => root,
        Err(error) => {
            reader.syntax_error(text, &error);
            return Read { sources: Vec::new(), is_unfinished: error.is_eof() };
        }
    };
    for path in paths {
        reader.follow(root, path);
    }
    Read { sources: reader.sources, is_unfinished: false }
}

struct Reader<'t, 'e> {
    cursor: Cursor<'t>,
    origin: Arc<SourceOrigin>,
    sources: Vec<Source>,
    room: usize,
    errors: &'e mut IssueList,
}

impl<'t> Reader<'t, '_> {
    fn syntax_error(&mut self, text: &str, error: &serde_json::Error) {
        let offset = self.cursor.offset_at(error.line(), error.column());
        let issue = if text.trim_start().starts_with('<') {
            Issue::new("the file is HTML or XML, not JSON")
        } else if text.trim().is_empty() {
            // Without an excerpt, the message has to name the file.
            Issue::new(format!("{} is empty, and not JSON", Quoted(self.cursor.file())))
        } else {
            // The position is that of the diagnostic.
            let message = error.to_string();
            let reason = message.rsplit_once(" at line ").map_or(&*message, |(reason, _)| reason);
            Issue::new(format!("the file is not JSON: {reason}"))
        };
        self.errors.push(self.cursor.diagnostic(offset..offset + 1, issue));
    }

    fn follow(&mut self, root: &'t RawValue, path: &JsonPath) {
        let mut count = 0usize;
        let walked = walk(root, &path.steps, |value| {
            count += 1;
            self.read(value, path)
        });
        match walked {
            Err(Mismatch { value, issue }) => self.error(value, issue),
            Ok(has_skipped) if has_skipped && count == 0 => {
                let message = format!("nothing in the file matches the path {path}");
                self.error(
                    root,
                    Issue::new(message).help("check its conditions and optional keys"),
                );
            }
            Ok(_) => {}
        }
    }

    /// Reads a source, and says whether to go on.
    fn read(&mut self, value: &'t RawValue, path: &JsonPath) -> bool {
        if self.sources.len() == self.room {
            self.error(value, lines::too_many());
            return false;
        }
        let Some(text) = string(value) else {
            self.error(value, not_a_string(value, path));
            return false;
        };
        match source::parse(&text) {
            Ok(addresses) => {
                let at = self.cursor.location(self.cursor.offset_of(value.get()));
                self.sources.push(Source::read(addresses, &self.origin, at.line, at.column));
            }
            Err(issue) => self.error(value, issue),
        }
        !self.errors.is_full()
    }

    fn error(&mut self, value: &RawValue, issue: Issue) {
        let start = self.cursor.offset_of(value.get());
        let end = start + value.get().len();
        self.errors.push(self.cursor.diagnostic(start..end, issue));
    }
}

/// Why a value at the end of a path is not a source.
fn not_a_string(value: &RawValue, path: &JsonPath) -> Issue {
    let found = kind(value);
    match found {
        Kind::String => Issue::new("the string is not Unicode"),
        Kind::Array => Issue::new("the path leads to an array").help(format!(
            "in the path, write {} for each of its elements",
            Quoted(&format!("{path}[]"))
        )),
        Kind::Object | Kind::Other => {
            Issue::new(format!("the path leads to {found}, not to a string"))
        }
    }
}
