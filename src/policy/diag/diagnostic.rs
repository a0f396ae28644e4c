//! An error in a policy as the operator sees it: where it is, what was expected, what was probably
//! meant, and an excerpt of the text.

use std::fmt;

use unicode_width::UnicodeWidthChar;

use super::snippet;
use crate::model::Location;

/// Maximum number of errors printed; a longer list would scroll the first ones off the screen.
const SHOWN_MAX: usize = 50;

/// One error in a policy or source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where it is.
    pub at: Location,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What was probably meant, or how to fix it.
    pub help: Option<String>,
    /// The line of text that contains it, safe to print: what is far from the column is cut off,
    /// and an invisible character other than the tab is replaced by a visible one. Empty if there
    /// is no such line (the file cannot be read).
    pub excerpt: String,
    /// The number of wrong characters from the column on; at least 1.
    pub width: usize,
}

impl Diagnostic {
    /// Whether the file cannot be read. The message then names the file.
    pub fn is_about_file(&self) -> bool {
        self.excerpt.is_empty() && self.at.line == 1 && self.at.column == 1
    }

    /// Writes the message, the excerpt with the wrong part underlined, and the help.
    pub(in crate::policy) fn write_message(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
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

    fn write_excerpt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.at.line.to_string();
        let gutter = " ".repeat(line.len());
        let column = snippet::column(self.at.column);
        let indent: String = self.excerpt.chars().take(column).map(blank).collect();
        let wrong = self.excerpt.chars().skip(column).take(self.width);
        let carets = "^".repeat(wrong.map(cells).sum::<usize>().max(1));
        write!(f, "\n{gutter} |\n{line} | {}\n{gutter} | {indent}{carets}", self.excerpt)
    }
}

/// The number of cells that a terminal takes for the character.
fn cells(c: char) -> usize {
    if c == '\t' { 1 } else { c.width().unwrap_or(0) }
}

/// Blanks as wide as the character. A tab stays one, because its width depends on its place.
fn blank(c: char) -> String {
    if c == '\t' { c.to_string() } else { " ".repeat(cells(c)) }
}

/// The message with its position, the excerpt with the wrong part underlined, and the help; plain
/// text, without a line feed at the end.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_about_file() {
            write!(f, "{}: ", self.at)?;
        }
        self.write_message(f)
    }
}

/// All errors of a policy, at least one, sorted by file, line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl std::error::Error for Diagnostics {}

/// The errors, separated by empty lines; if there are many, the first ones and the number of the
/// others.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().take(SHOWN_MAX).enumerate() {
            let separator = if index == 0 { "" } else { "\n\n" };
            write!(f, "{separator}{diagnostic}")?;
        }
        match self.0.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, "\n\n… and {more} more errors"),
        }
    }
}
