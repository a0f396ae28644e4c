//! Rules, base chains, origins and durations in reports.

use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use dwnl::model::{BaseChain, Location, Origin, Rule, RuleContent};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::count::Count;

/// A rule in the syntax of iptables or nft. A rule that neither can express is its expressions.
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

/// Text with names that other programs chose, for a terminal: control characters are escaped.
pub struct Escaped<T>(pub T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// Writes control characters like a string literal.
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

/// Serializes a value as its `Display`.
pub fn display<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// A base chain. `Display` is nft's notation: `type nat hook prerouting priority dstnat`.
#[derive(Clone, Copy, Debug)]
pub struct BaseChainReport(pub BaseChain<'static>);

impl Display for BaseChainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for BaseChainReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let BaseChain { chain_type, hook, priority } = self.0;
        let mut base = serializer.serialize_struct("BaseChain", 3)?;
        base.serialize_field("type", chain_type)?;
        base.serialize_field("hook", &hook.to_string())?;
        base.serialize_field("priority", &priority)?;
        base.end()
    }
}

/// [`Origin`] as JSON.
#[derive(Debug, Serialize)]
pub struct OriginReport<'a> {
    entry: Option<&'a str>,
    entry_location: Option<LocationReport<'a>>,
    containers: Vec<&'a str>,
    group: Option<&'a str>,
    source_name: Option<&'a str>,
    source_location: Option<LocationReport<'a>>,
}

impl<'a> From<&'a Origin> for OriginReport<'a> {
    fn from(origin: &'a Origin) -> OriginReport<'a> {
        OriginReport {
            entry: origin.entry.as_deref(),
            entry_location: origin.at.as_ref().map(LocationReport::from),
            containers: origin.containers.iter().map(|name| &**name).collect(),
            group: origin.group.as_deref(),
            source_name: origin.host.as_deref(),
            source_location: origin.source.as_ref().map(LocationReport::from),
        }
    }
}

/// [`Location`] as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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

/// The first words and the number of the others: `a, b, c and 2 others`.
pub fn join_limited(words: &[String]) -> String {
    const SHOWN_MAX: usize = 3;
    let shown = words.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
    match words.len().saturating_sub(SHOWN_MAX) {
        0 => shown,
        others => format!("{shown} and {}", Count(others, "other")),
    }
}

/// `a`, `a and b`, `a, b and c`
pub fn join_and(parts: &[String]) -> String {
    match parts {
        [parts @ .., last] if !parts.is_empty() => format!("{} and {last}", parts.join(", ")),
        _ => parts.concat(),
    }
}

/// A duration with one decimal: `1.2 ms`, `2.6 s`.
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
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(Escaped("-j \x1b[31mÄ\n\u{9b}1m").to_string(), "-j \\u{1b}[31mÄ\\n\\u{9b}1m");
    }

    #[test]
    fn durations_have_a_suitable_unit() {
        let text = |micros| Elapsed(Duration::from_micros(micros)).to_string();
        assert_eq!(text(1_234), "1.2 ms");
        assert_eq!(text(2_600_000), "2.6 s");
    }
}
