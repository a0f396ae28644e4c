//! What is wrong with a piece of text, before it is known where the text stands.

use std::fmt::{self, Write};
use std::sync::Arc;

use super::Diagnostic;
use crate::model::Location;

/// A diagnostic without its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Issue {
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What was probably meant, or how to mend it.
    pub help: Option<String>,
}

impl Issue {
    /// A fault without help.
    pub fn new(message: impl Into<String>) -> Issue {
        Issue { message: message.into(), help: None }
    }

    /// The same fault with this help.
    pub fn help(self, help: impl Into<String>) -> Issue {
        Issue { help: Some(help.into()), ..self }
    }

    /// The diagnostic of a file as a whole.
    pub fn of_file(self, file: &Arc<str>) -> Diagnostic {
        let at = Location { file: file.clone(), line: 1, column: 1 };
        let Issue { message, help } = self;
        Diagnostic { at, message, help, excerpt: String::new(), width: 1 }
    }
}

/// A piece of the operator's text as a message quotes it: in backticks, its control characters
/// escaped, and cut if it is long.
pub(super) struct Quoted<'a>(pub &'a str);

impl Quoted<'_> {
    const MAX: usize = 100;
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('`')?;
        for c in self.0.chars().take(Self::MAX) {
            match c {
                '"' | '\'' | '\\' => f.write_char(c)?,
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
    fn a_quotation_is_short_and_visible() {
        assert_eq!(Quoted("a\0\n\"b\"").to_string(), "`a\\0\\n\"b\"`");
        assert_eq!(Quoted(&"x".repeat(101)).to_string(), format!("`{}…`", "x".repeat(100)));
    }
}
