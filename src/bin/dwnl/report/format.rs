//! How rules, origins and times read, the same in every report.

use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use dwnl::model::{Family, Location, Origin, Rule, RuleContent, SetKind};
use serde::{Serialize, Serializer};

use super::count::Count;

/// What a rule says: iptables' or nft's words, or its expressions where those are not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleText<'a> {
    /// A rule of a form that dwnl writes.
    Rule(&'a Rule),
    /// A rule's expressions.
    Expressions(&'a str),
}

impl<'a> From<&'a RuleContent> for RuleText<'a> {
    fn from(content: &'a RuleContent) -> RuleText<'a> {
        match content {
            RuleContent::Known(rule) => RuleText::Rule(rule),
            RuleContent::Foreign { expressions, .. } => RuleText::Expressions(expressions),
        }
    }
}

impl Display for RuleText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuleText::Rule(rule) => write!(f, "{rule}"),
            RuleText::Expressions(expressions) => f.write_str(expressions),
        }
    }
}

impl Serialize for RuleText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Something with names that anybody may have given, for a terminal: control characters are escaped.
pub struct Escaped<T>(pub T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// Writes control characters as a string literal has them.
struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| self.write_char(char))
    }

    fn write_char(&mut self, char: char) -> fmt::Result {
        match char.is_control() {
            true => write!(self.0, "{}", char.escape_debug()),
            false => self.0.write_char(char),
        }
    }
}

/// Serializes a family by nft's name for it.
pub fn family<S: Serializer>(family: &Family, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(family)
}

/// Serializes what a set's elements are, in nft's words.
pub fn kind<S: Serializer>(kind: &Option<SetKind>, serializer: S) -> Result<S::Ok, S::Error> {
    kind.map(|kind| kind.to_string()).serialize(serializer)
}

/// [`Origin`] for programs.
#[derive(Debug, Serialize)]
pub struct OriginReport<'a> {
    entry: Option<&'a str>,
    at: Option<LocationReport<'a>>,
    group: Option<&'a str>,
    source: Option<LocationReport<'a>>,
}

impl<'a> From<&'a Origin> for OriginReport<'a> {
    fn from(origin: &'a Origin) -> OriginReport<'a> {
        OriginReport {
            entry: origin.entry.as_deref(),
            at: origin.at.as_ref().map(LocationReport::from),
            group: origin.group.as_deref(),
            source: origin.source.as_ref().map(LocationReport::from),
        }
    }
}

/// [`Location`] for programs.
#[derive(Debug, Serialize)]
pub struct LocationReport<'a> {
    file: &'a str,
    line: u32,
    column: u32,
}

impl<'a> From<&'a Location> for LocationReport<'a> {
    fn from(at: &'a Location) -> LocationReport<'a> {
        LocationReport { file: &at.file, line: at.line, column: at.column }
    }
}

/// Some of these words, and how many others there are: `a, b, c and 2 others`.
pub fn join_limited(words: &[String]) -> String {
    const SHOWN_MAX: usize = 3;
    let shown = words.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
    match words.len().saturating_sub(SHOWN_MAX) {
        0 => shown,
        others => format!("{shown} and {}", Count(others, "other")),
    }
}

/// A time to two figures or so: `1.2 ms`, `2.6 s`.
pub struct Elapsed(pub Duration);

impl Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        if seconds < 1.0 {
            write!(f, "{:.1} ms", seconds * 1e3)
        } else {
            write!(f, "{seconds:.1} s")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_to_a_terminal() {
        assert_eq!(Escaped("-j \x1b[31mÄ\n\u{9b}1m").to_string(), "-j \\u{1b}[31mÄ\\n\\u{9b}1m");
    }

    #[test]
    fn times_have_a_unit_of_their_size() {
        let text = |micros| Elapsed(Duration::from_micros(micros)).to_string();
        assert_eq!(text(1_234), "1.2 ms");
        assert_eq!(text(2_600_000), "2.6 s");
    }
}
