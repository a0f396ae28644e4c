//! Source files: lists of sources as a provider or a script publishes them. Each is read once in each
//! format.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::json::JsonPath;
use super::read_text::{self, ReadError, is_unfinished};
use super::{json, lines};
use crate::policy::diag::{Diagnostic, Issue, IssueList, Quoted};
use crate::policy::warning::{WarningKind, WarningList};
use crate::policy::{FILE_SOURCES_MAX, Source, lint};

/// The sources of a source file; `None` if there was an error in it.
pub(super) type Sources = Option<Arc<Vec<Source>>>;

/// The source files that a policy names.
pub(in crate::policy) struct SourceFiles<'p> {
    directory: &'p Path,
    /// What was read, by path and format.
    read: HashMap<(PathBuf, Format), Sources>,
    paths: BTreeSet<PathBuf>,
    found: Found,
    /// How many more sources they may have.
    room: usize,
    /// Gets the text of each file.
    observe: Option<&'p mut dyn FnMut(&str)>,
}

/// The form of a source file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::policy) enum Format {
    /// One source per line.
    Lines,
    /// JSON, with the sources at these paths.
    Json(Vec<JsonPath>),
}

/// What is found in source files besides sources.
#[derive(Default)]
pub(in crate::policy) struct Found {
    pub errors: Vec<Diagnostic>,
    pub warnings: WarningList,
    /// Whether a file has not been written to its end.
    pub is_unfinished: bool,
}

impl<'p> SourceFiles<'p> {
    /// Source files whose paths are relative to `directory`.
    pub fn new(directory: &'p Path) -> SourceFiles<'p> {
        SourceFiles {
            directory,
            read: HashMap::new(),
            paths: BTreeSet::new(),
            found: Found::default(),
            room: FILE_SOURCES_MAX,
            observe: None,
        }
    }

    /// The same, with the text of each file passed to `observe` once.
    pub fn observed(directory: &'p Path, observe: &'p mut dyn FnMut(&str)) -> SourceFiles<'p> {
        SourceFiles { observe: Some(observe), ..SourceFiles::new(directory) }
    }

    /// The sources in the file at `path`. The error of an unreadable file is returned the first
    /// time.
    pub fn read(&mut self, path: &Path, format: Format) -> Result<Sources, Issue> {
        let slot = match self.read.entry((self.directory.join(path), format)) {
            Entry::Occupied(known) => return Ok(known.get().clone()),
            Entry::Vacant(slot) => slot,
        };
        let (path, format) = slot.key();
        let is_new = self.paths.insert(path.clone());
        let observe = |text: &str| match &mut self.observe {
            Some(observe) if is_new => observe(text),
            _ => {}
        };
        match read(path, format, self.room, &mut self.found, is_new, observe) {
            Ok(sources) => {
                self.room -= sources.as_ref().map_or(0, |sources| sources.len());
                Ok(slot.insert(sources).clone())
            }
            Err(issue) => {
                slot.insert(None);
                Err(issue)
            }
        }
    }

    /// The paths of the files, including those that could not be read, and what was found in them.
    pub fn into_parts(self) -> (Vec<PathBuf>, Found) {
        (self.paths.into_iter().collect(), self.found)
    }
}

/// Reads a file with at most `room` sources, and passes its text to `observe`. What is to be said about the
/// file itself is added to `found` only if it `is_new`.
fn read(
    path: &Path,
    format: &Format,
    room: usize,
    found: &mut Found,
    is_new: bool,
    observe: impl FnOnce(&str),
) -> Result<Sources, Issue> {
    let file: Arc<str> = path.to_string_lossy().into();
    let mut warnings = WarningList::default();
    let text = read_text::read_file(path, &file, &read_text::SOURCE_FILE, &mut warnings);
    if is_new {
        found.warnings.append(warnings);
    }
    let text = match text {
        Ok(text) => text,
        Err(ReadError::Byte(diagnostic)) => {
            found.errors.push(diagnostic);
            return Ok(None);
        }
        Err(ReadError::File { issue, is_unfinished }) => {
            found.is_unfinished |= is_unfinished;
            let message = format!("cannot read source file {}: {}", Quoted(&file), issue.message);
            return Err(Issue { message, ..issue });
        }
    };
    observe(&text);
    let mut errors = IssueList::default();
    let sources = match format {
        Format::Lines => {
            // Of a compressed file, all is there if it was read at all.
            let is_unfinished = is_unfinished(&text) && !read_text::is_compressed(path);
            found.is_unfinished |= is_unfinished;
            if is_unfinished && !text.is_empty() && is_new {
                found.warnings.push_file(WarningKind::UnfinishedFile, &file);
            }
            lines::parse(&text, &file, room, &mut errors)
        }
        Format::Json(paths) => {
            let read = json::parse(&text, paths, &file, room, &mut errors);
            found.is_unfinished |= read.is_unfinished;
            read.sources
        }
    };
    for source in &sources {
        if let Some(kind) = lint::source(&source.addresses())
            && let Some(at) = source.at()
        {
            found.warnings.push_in_file(kind, at);
        }
    }
    let sources = (errors.len() == 0).then(|| Arc::new(sources));
    found.errors.extend(errors.into_vec());
    Ok(sources)
}
