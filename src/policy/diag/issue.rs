//! An error in a piece of text whose position is not known yet.

use std::fmt::{self, Write};
use std::sync::Arc;

use super::Diagnostic;
use crate::model::{Location, is_invisible};

/// A diagnostic without its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) struct Issue {
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What was probably meant, or how to fix it.
    pub help: Option<String>,
}

impl Issue {
    /// An issue without help.
    pub fn new(message: impl Into<String>) -> Issue {
        Issue { message: message.into(), help: None }
    }

    /// The same issue with this help.
    pub fn help(self, help: impl Into<String>) -> Issue {
        Issue { help: Some(help.into()), ..self }
    }

    /// The diagnostic of a file that cannot be read; the message is the reason.
    pub fn of_file(self, file: &Arc<str>) -> Diagnostic {
        let at = Location { file: file.clone(), line: 1, column: 1 };
        let Issue { message, help } = self;
        let message = format!("cannot read {file}: {message}");
        Diagnostic { at, message, help, excerpt: String::new(), width: 1 }
    }
}

/// Why a text is not a value of a policy, with a hint at what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError(Issue);

impl ParseError {
    /// What is wrong, in one sentence without a full stop.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What was probably meant, or how to fix it.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

impl From<ParseError> for Issue {
    fn from(error: ParseError) -> Issue {
        error.0
    }
}

impl From<Issue> for ParseError {
    fn from(issue: Issue) -> ParseError {
        ParseError(issue)
    }
}

impl std::error::Error for ParseError {}

/// The message and the help, in one line.
impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// A piece of the operator's text as a message quotes it: in backticks, its invisible characters
/// escaped, and cut if it is long.
pub(in crate::policy) struct Quoted<'a>(pub &'a str);

impl Quoted<'_> {
    const MAX: usize = 100;
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('`')?;
        for c in self.0.chars().take(Self::MAX) {
            match c {
                '"' | '\'' | '\\' => f.write_char(c)?,
                _ if is_invisible(c) && !c.is_control() => write!(f, "{}", c.escape_unicode())?,
                _ => write!(f, "{}", c.escape_debug())?,
            }
        }
        f.write_str(if self.0.chars().nth(Self::MAX).is_some() { "…`" } else { "`" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_is_short_and_visible() {
        assert_eq!(Quoted("a\0\n\"b\"").to_string(), "`a\\0\\n\"b\"`");
        assert_eq!(Quoted("a\u{202e}\u{3164}").to_string(), "`a\\u{202e}\\u{3164}`");
        assert_eq!(Quoted(&"x".repeat(101)).to_string(), format!("`{}…`", "x".repeat(100)));
    }
}
