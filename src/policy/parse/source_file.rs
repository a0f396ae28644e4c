//! Source files: one source per line, as a provider or a script publishes them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::read_text::{self, ReadError, is_unfinished};
use super::source;
use crate::model::Location;
use crate::policy::diag::{
    Diagnostic, Issue, IssueList, Quoted, count_chars, diagnose, saturate, without_mark,
};
use crate::policy::warning::{WarningKind, WarningList};
use crate::policy::{FILE_SOURCES_MAX, Source, lint};

/// The sources of a source file; `None` if there was an error in it.
pub(super) type Sources = Option<Arc<Vec<Source>>>;

/// The source files that a policy names. Each is read once.
pub(in crate::policy) struct SourceFiles<'p> {
    directory: &'p Path,
    read: HashMap<PathBuf, Sources>,
    found: Found,
    /// How many more sources they may have.
    room: usize,
}

/// What is found in source files besides sources.
#[derive(Default)]
pub(in crate::policy) struct Found {
    pub errors: Vec<Diagnostic>,
    pub warnings: WarningList,
    /// Whether a file has no line feed at its end.
    pub is_unfinished: bool,
}

impl<'p> SourceFiles<'p> {
    /// Source files whose paths are relative to `directory`.
    pub fn new(directory: &'p Path) -> SourceFiles<'p> {
        SourceFiles {
            directory,
            read: HashMap::new(),
            found: Found::default(),
            room: FILE_SOURCES_MAX,
        }
    }

    /// The sources in the file at `path`. The error of an unreadable file is returned the first
    /// time.
    pub fn read(&mut self, path: &str) -> Result<Sources, Issue> {
        let slot = match self.read.entry(self.directory.join(path)) {
            Entry::Occupied(known) => return Ok(known.get().clone()),
            Entry::Vacant(slot) => slot,
        };
        let file: Arc<str> = slot.key().to_string_lossy().into();
        let mut errors = IssueList::default();
        let warnings = &mut self.found.warnings;
        let kind = &read_text::SOURCE_FILE;
        let sources = match read_text::read_file(slot.key(), &file, kind, warnings) {
            Ok(text) => {
                self.found.is_unfinished |= is_unfinished(&text);
                if is_unfinished(&text) && !text.is_empty() {
                    self.found.warnings.push_file(WarningKind::UnfinishedFile, &file);
                }
                parse(&text, &file, self.room, &mut errors)
            }
            Err(ReadError::Byte(diagnostic)) => {
                errors.push(diagnostic);
                Vec::new()
            }
            Err(ReadError::File(issue)) => {
                slot.insert(None);
                let message =
                    format!("cannot read source file {}: {}", Quoted(&file), issue.message);
                return Err(Issue { message, ..issue });
            }
        };
        self.room -= sources.len();
        for source in &sources {
            if let (Some(kind), Some(at)) = (lint::source(source.addresses()), source.at()) {
                self.found.warnings.push_in_file(kind, at.clone());
            }
        }
        let sources = (errors.len() == 0).then(|| Arc::new(sources));
        self.found.errors.extend(errors.into_vec());
        Ok(slot.insert(sources).clone())
    }

    /// The paths of the files, including those that could not be read, and what was found in them.
    pub fn into_parts(self) -> (Vec<PathBuf>, Found) {
        let mut paths: Vec<PathBuf> = self.read.into_keys().collect();
        paths.sort();
        (paths, self.found)
    }
}

/// Reads the text of a source file with at most `room` sources.
pub(in crate::policy) fn parse(
    text: &str,
    file: &Arc<str>,
    room: usize,
    errors: &mut IssueList,
) -> Vec<Source> {
    // Most lines have ten bytes or more.
    let mut sources = Vec::with_capacity((text.len() / 10).min(room));
    for (index, line) in without_mark(text).lines().enumerate() {
        let at = |column| Location {
            file: file.clone(),
            line: saturate(index + 1),
            column: saturate(column),
        };
        if sources.len() == room {
            let issue = Issue::new(format!(
                "the source files of this policy have more than {FILE_SOURCES_MAX} sources"
            ));
            errors.push(diagnose(at(1), line, 0..line.len(), issue));
            break;
        }
        // Most lines are a single address.
        if let Some(addresses) = source::parse_host(line) {
            sources.push(Source::located(addresses, at(1)));
            continue;
        }
        let content = line.split('#').next().unwrap_or_default();
        let start = content.len() - content.trim_start().len();
        let content = content.trim();
        if content.is_empty() {
            continue;
        }
        let at = at(count_chars(line.as_bytes().get(..start).unwrap_or_default()) + 1);
        let issue = match source::parse(content) {
            Ok(addresses) => {
                sources.push(Source::located(addresses, at));
                continue;
            }
            Err(issue) => issue,
        };
        let span = start..start + content.len();
        // What is of another format has an error in every line.
        if sources.is_empty()
            && errors.len() == 0
            && let Some(issue) = other_format(content)
        {
            errors.push(diagnose(at, line, span, issue));
            break;
        }
        let issue = match source::commented(content) {
            Some(meant) => {
                issue.help(format!("write {}: a comment begins with `#`", Quoted(&meant)))
            }
            None => issue,
        };
        errors.push(diagnose(at, line, span, issue));
        if errors.is_full() {
            break;
        }
    }
    sources
}

/// That the first line with content begins JSON or a page of the web.
fn other_format(content: &str) -> Option<Issue> {
    let is_address = content.ends_with(']') && content.contains(':');
    let format = match content.chars().next()? {
        '{' => "JSON",
        '[' if !is_address => "JSON",
        '<' => "HTML or XML",
        _ => return None,
    };
    Some(
        Issue::new(format!("the file is {format}"))
            .help("convert it to a text file with one address, prefix or range in each line"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blank_lines_and_line_ends_are_ignored() {
        let text = "\u{feff}# a comment\r\n\r\n \t192.0.2.1 # a host\r\n2001:db8::/32#a network";
        let mut errors = IssueList::default();
        let sources = parse(text, &"list".into(), FILE_SOURCES_MAX, &mut errors);
        assert_eq!(errors.len(), 0);
        let places: Vec<_> = sources
            .iter()
            .map(|source| (source.addresses().to_string(), source.at().map(|at| at.to_string())))
            .collect();
        assert_eq!(places[0], ("192.0.2.1".into(), Some("list:3:3".into())));
        assert_eq!(places[1], ("2001:db8::/32".into(), Some("list:4:1".into())));
    }

    #[test]
    fn parsing_stops_after_too_many_errors() {
        let mut errors = IssueList::default();
        let sources =
            parse(&"garbage\n".repeat(100_000), &"list".into(), FILE_SOURCES_MAX, &mut errors);
        assert!(sources.is_empty());
        let errors = errors.into_vec();
        assert_eq!(errors.len(), IssueList::MAX + 1);
        assert_eq!(errors[IssueList::MAX].message, "more than 1000 errors in this file");
    }
}
