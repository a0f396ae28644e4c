//! An error in a policy, told so that the operator can mend it: where it is, what was expected,
//! what was probably meant, and an excerpt of the text.

use std::fmt;

use crate::ruleset::Location;

/// One error in a policy file or source list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where it is.
    pub at: Location,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What was probably meant, or how to mend it.
    pub help: Option<String>,
    /// The line of text in which it stands; empty if it has none (a file that cannot be read).
    pub excerpt: String,
    /// How many characters from the column on are wrong; at least 1.
    pub width: usize,
}

/// All errors of a policy, at least one, sorted by file, line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl std::error::Error for Diagnostics {}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        todo!()
    }
}
