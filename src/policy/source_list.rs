//! A source file by itself, without a policy that names it: a program that replaces one checks it first.

use std::path::{Path, PathBuf};

use super::Source;
use super::diag::{Diagnostic, Diagnostics, Issue, Quoted};
use super::parse::json::JsonPath;
use super::parse::source_file::{Format, SourceFiles};
use super::shrink::{self, MaxShrink};
use super::warning::PolicyWarning;

/// The result of reading a source file as a policy would.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceList {
    /// The sources, or every error in the file, in order.
    pub sources: Result<Vec<Source>, Diagnostics>,
    /// What the operator should be warned of, sorted by line and column.
    pub warnings: Vec<PolicyWarning>,
    path: PathBuf,
}

impl SourceList {
    /// Reads a source file: in JSON the sources at these paths, or, without paths, one source per line.
    pub fn load(path: &Path, json: &[JsonPath]) -> SourceList {
        let format = match json {
            [] => Format::Lines,
            paths => Format::Json(paths.to_vec()),
        };
        let mut files = SourceFiles::new(Path::new(""));
        let read = files.read(path, format);
        let (_, found) = files.into_parts();
        let mut errors = found.errors;
        let sources = read.unwrap_or_else(|issue| {
            errors.push(about_file(path, issue));
            None
        });
        let sources = match sources {
            Some(sources) => Ok(sources.to_vec()),
            None => Err(Diagnostics(errors)),
        };
        SourceList { sources, warnings: found.warnings.into_vec(), path: path.to_owned() }
    }

    /// Turns the sources into an error if there are none.
    pub fn check_not_empty(&mut self) {
        if self.sources.as_ref().is_ok_and(Vec::is_empty) {
            self.refuse("has no sources");
        }
    }

    /// Turns the sources into an error if more of those in `previous` are lost than the limit permits. A
    /// source is lost if the new ones do not cover all its addresses.
    pub fn check_shrink(&mut self, previous: &[Source], max: MaxShrink) {
        let Ok(sources) = &self.sources else { return };
        if let Some(loss) = shrink::loss(max, previous, sources) {
            self.refuse(&loss);
        }
    }

    fn refuse(&mut self, reason: &str) {
        let message = format!("{} {reason}", Quoted(&self.path.to_string_lossy()));
        self.sources = Err(Diagnostics(vec![about_file(&self.path, Issue::new(message))]));
    }
}

/// The error of a file as a whole; the message names it.
fn about_file(path: &Path, issue: Issue) -> Diagnostic {
    let file = path.to_string_lossy().into();
    Diagnostic { message: issue.message.clone(), ..issue.of_file(&file) }
}
