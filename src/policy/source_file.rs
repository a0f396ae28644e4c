//! Source lists: one source per line, as a provider or a script publishes them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::issue::{Issue, Quoted};
use super::issue_list::IssueList;
use super::read_text::{self, ReadError};
use super::text::{count_chars, diagnose, saturate, without_mark};
use super::{Diagnostic, Source, source};
use crate::model::Location;

/// The sources of a source_file; `None` if there was an error in it.
pub(super) type Sources = Option<Arc<Vec<Source>>>;

/// The source lists that a policy names. Each is read once.
pub(super) struct Lists<'p> {
    directory: &'p Path,
    read: HashMap<PathBuf, Sources>,
    errors: Vec<Diagnostic>,
}

impl<'p> Lists<'p> {
    /// Lists whose paths are relative to `directory`.
    pub fn new(directory: &'p Path) -> Lists<'p> {
        Lists { directory, read: HashMap::new(), errors: Vec::new() }
    }

    /// The sources of the list at `path`. The fault is that of an unreadable file, told once.
    pub fn read(&mut self, path: &str) -> Result<Sources, Issue> {
        let slot = match self.read.entry(self.directory.join(path)) {
            Entry::Occupied(known) => return Ok(known.get().clone()),
            Entry::Vacant(slot) => slot,
        };
        let file: Arc<str> = slot.key().to_string_lossy().into();
        let mut errors = IssueList::default();
        let sources = match read_text::read_file(slot.key(), &file, &read_text::SOURCE_LIST) {
            Ok(text) => parse(&text, &file, &mut errors),
            Err(ReadError::Byte(diagnostic)) => {
                errors.push(diagnostic);
                Vec::new()
            }
            Err(ReadError::File(fault)) => {
                slot.insert(None);
                return Err(Issue {
                    message: format!("source list {}: {}", Quoted(&file), fault.message),
                    ..fault
                });
            }
        };
        let sources = (errors.len() == 0).then(|| Arc::new(sources));
        self.errors.extend(errors.into_vec());
        Ok(slot.insert(sources).clone())
    }

    /// The lists' paths, also of those that could not be read, and what is wrong in them.
    pub fn into_parts(self) -> (Vec<PathBuf>, Vec<Diagnostic>) {
        let mut paths: Vec<PathBuf> = self.read.into_keys().collect();
        paths.sort();
        (paths, self.errors)
    }
}

pub(super) fn parse(text: &str, file: &Arc<str>, errors: &mut IssueList) -> Vec<Source> {
    // A line has ten bytes and more, as a rule.
    let mut sources = Vec::with_capacity(text.len() / 10);
    for (index, line) in without_mark(text).lines().enumerate() {
        let at = |column| Location {
            file: file.clone(),
            line: saturate(index + 1),
            column: saturate(column),
        };
        // Most lines are a host and nothing else.
        if let Some(addresses) = source::parse_host(line) {
            sources.push(Source { addresses, at: Some(at(1)) });
            continue;
        }
        let content = line.split('#').next().unwrap_or_default();
        let start = content.len() - content.trim_start().len();
        let content = content.trim();
        if content.is_empty() {
            continue;
        }
        let at = at(count_chars(line.as_bytes().get(..start).unwrap_or_default()) + 1);
        match source::parse(content) {
            Ok(addresses) => sources.push(Source { addresses, at: Some(at) }),
            Err(fault) => errors.push(diagnose(at, line, start..start + content.len(), fault)),
        }
        if errors.is_full() {
            break;
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blank_lines_and_line_ends_do_not_matter() {
        let text = "\u{feff}# a comment\r\n\r\n \t192.0.2.1 # a host\r\n2001:db8::/32#a network";
        let mut errors = IssueList::default();
        let sources = parse(text, &"list".into(), &mut errors);
        assert_eq!(errors.len(), 0);
        let places: Vec<_> = sources
            .iter()
            .map(|source| {
                (source.addresses.to_string(), source.at.clone().map(|at| at.to_string()))
            })
            .collect();
        assert_eq!(places[0], ("192.0.2.1".into(), Some("list:3:3".into())));
        assert_eq!(places[1], ("2001:db8::/32".into(), Some("list:4:1".into())));
    }

    #[test]
    fn a_list_of_rubbish_is_given_up() {
        let mut errors = IssueList::default();
        let sources = parse(&"rubbish\n".repeat(100_000), &"list".into(), &mut errors);
        assert!(sources.is_empty());
        let errors = errors.into_vec();
        assert_eq!(errors.len(), IssueList::MAX + 1);
        assert_eq!(errors[IssueList::MAX].message, "more than 1000 errors in this file");
    }
}
