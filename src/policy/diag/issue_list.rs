//! The errors found in one file, up to a maximum that bounds memory and output.

use super::{Diagnostic, Issue};

/// The errors of one file.
#[derive(Debug, Default)]
pub(in crate::policy) struct IssueList(Vec<Diagnostic>);

impl IssueList {
    /// Maximum number of errors collected from one file.
    pub const MAX: usize = 1000;

    /// Whether further errors would not be added.
    pub fn is_full(&self) -> bool {
        self.0.len() > Self::MAX
    }

    /// The number of errors.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds an error. Beyond the maximum, one note replaces all others.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.len() == Self::MAX {
            let Issue { message, help } =
                Issue::new(format!("more than {} errors in this file", Self::MAX))
                    .help("remaining errors are not shown");
            self.0.push(Diagnostic { message, help, ..diagnostic });
        } else if !self.is_full() {
            self.0.push(diagnostic);
        }
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.0
    }
}
