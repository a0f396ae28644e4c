//! The errors found in one file, up to a bound: a file of rubbish must cost neither memory nor
//! patience.

use super::{Diagnostic, Issue};
/// The errors of one file.
#[derive(Debug, Default)]
pub(super) struct IssueList(Vec<Diagnostic>);

impl IssueList {
    /// So many errors of one file are collected.
    pub const MAX: usize = 1000;

    /// Whether there is nothing to be gained from looking any further.
    pub fn is_full(&self) -> bool {
        self.0.len() > Self::MAX
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds an error. Beyond the bound, a note takes the place of all others.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.len() == Self::MAX {
            let fault = Issue::new(format!("more than {} errors in this file", Self::MAX))
                .help("the rest of the file was not looked at");
            self.0.push(Diagnostic { message: fault.message, help: fault.help, ..diagnostic });
        } else if !self.is_full() {
            self.0.push(diagnostic);
        }
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.0
    }
}
