//! An error in a policy, told so that the operator can mend it: where it is, what was expected,
//! what was probably meant, and an excerpt of the text.

use std::fmt;

use super::snippet;
use crate::model::Location;

/// So many errors are shown in full; a longer list would only scroll the first ones away.
const SHOWN_MAX: usize = 50;

/// One error in a policy file or source list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where it is.
    pub at: Location,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What was probably meant, or how to mend it.
    pub help: Option<String>,
    /// The line of text in which it stands, fit to be printed: what is far from the column is cut
    /// off, and a control character other than the tab has become one visible character. Empty
    /// if there is no such line (a file that cannot be read).
    pub excerpt: String,
    /// How many characters from the column on are wrong; at least 1.
    pub width: usize,
}

impl Diagnostic {
    /// Whether the error is about the file and not about a place in it.
    fn is_about_file(&self) -> bool {
        self.excerpt.is_empty() && self.at.line == 1 && self.at.column == 1
    }

    fn write_excerpt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.at.line.to_string();
        let gutter = " ".repeat(line.len());
        let column = snippet::column(self.at.column);
        let indent: String =
            self.excerpt.chars().take(column).map(|c| if c == '\t' { c } else { ' ' }).collect();
        let rest = self.excerpt.chars().count().saturating_sub(column);
        let carets = "^".repeat(self.width.min(rest).max(1));
        write!(f, "\n{gutter} |\n{line} | {}\n{gutter} | {indent}{carets}", self.excerpt)
    }
}

/// The message with its place, the excerpt with the wrong part underlined, and the help; plain
/// text, without a line feed at the end.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_about_file() {
            write!(f, "{}: {}", self.at.file, self.message)?;
        } else {
            write!(f, "{}: {}", self.at, self.message)?;
        }
        let mut gutter = 2;
        if !self.excerpt.is_empty() {
            self.write_excerpt(f)?;
            gutter = self.at.line.to_string().len() + 1;
        }
        match &self.help {
            Some(help) => write!(f, "\n{:gutter$}= help: {help}", ""),
            None => Ok(()),
        }
    }
}

/// All errors of a policy, at least one, sorted by file, line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl std::error::Error for Diagnostics {}

/// The errors with an empty line between them; of many, the first ones and the number of the
/// others.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().take(SHOWN_MAX).enumerate() {
            let separator = if index == 0 { "" } else { "\n\n" };
            write!(f, "{separator}{diagnostic}")?;
        }
        match self.0.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, "\n\n… and {more} more"),
        }
    }
}
