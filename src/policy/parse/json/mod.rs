//! Source files in JSON, as cloud providers publish their addresses: the strings that a path leads to.

#[cfg(feature = "lists")]
mod cursor;
mod path;
#[cfg(feature = "lists")]
mod read;
#[cfg(all(test, feature = "lists"))]
mod tests;
#[cfg(feature = "lists")]
mod values;
#[cfg(feature = "lists")]
mod walk;

use crate::policy::Source;

pub use path::JsonPath;
#[cfg(feature = "lists")]
pub(in crate::policy) use read::parse;

/// What was read of a document.
pub(in crate::policy) struct Read {
    /// The sources that the paths lead to.
    pub sources: Vec<Source>,
    /// Whether the document has no end: a program may still be writing it.
    pub is_unfinished: bool,
}

/// In place of reading the document, the error that this cannot be done.
#[cfg(not(feature = "lists"))]
pub(in crate::policy) fn parse(
    _text: &str,
    _paths: &[JsonPath],
    file: &std::sync::Arc<str>,
    _room: usize,
    errors: &mut crate::policy::diag::IssueList,
) -> Read {
    let issue = crate::policy::diag::Issue::new("this program reads no lists in JSON");
    errors.push(issue.of_file(file));
    Read { sources: Vec::new(), is_unfinished: false }
}
