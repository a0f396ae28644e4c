//! How rules, origins, numbers and times read, the same in every report.

use std::fmt::{self, Display};
use std::time::Duration;

use dwnl::Plan;
use dwnl::plan::Change;
use dwnl::ruleset::{Family, Location, Origin, Rule, RuleContent, Set, SetKind};
use serde::{Serialize, Serializer};

/// What a rule says: iptables' or nft's words, or its expressions where those are not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words<'a> {
    /// A rule of a form that dwnl writes.
    Rule(&'a Rule),
    /// A rule's expressions.
    Expressions(&'a str),
}

impl<'a> From<&'a RuleContent> for Words<'a> {
    fn from(content: &'a RuleContent) -> Words<'a> {
        match content {
            RuleContent::Known(rule) => Words::Rule(rule),
            RuleContent::Foreign { expressions, .. } => Words::Expressions(expressions),
        }
    }
}

impl Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Words::Rule(rule) => write!(f, "{rule}"),
            Words::Expressions(expressions) => f.write_str(expressions),
        }
    }
}

impl Serialize for Words<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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

/// A number whose thousands are set apart: `99,990`.
pub struct Grouped(pub usize);

impl Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 1000, self.0 % 1000) {
            (0, rest) => write!(f, "{rest}"),
            (thousands, rest) => write!(f, "{},{rest:03}", Grouped(thousands)),
        }
    }
}

/// A number of things: `1 rule`, `2 rules`.
pub struct Count(pub usize, pub &'static str);

impl Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count(number, noun) = self;
        write!(f, "{} ", Grouped(*number))?;
        match noun.strip_suffix('y') {
            _ if *number == 1 => f.write_str(noun),
            Some(stem) => write!(f, "{stem}ies"),
            None => write!(f, "{noun}s"),
        }
    }
}

/// What a plan counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Rules alone, because there are no sets.
    Rules,
    /// Rules and the elements of sets.
    RulesAndElements,
}

impl Counted {
    /// What is counted by a plan that is to lead to these sets.
    pub fn of(plan: &Plan, wanted: &[Set]) -> Counted {
        if wanted.is_empty() && !plan.changes.iter().any(is_of_set) {
            Counted::Rules
        } else {
            Counted::RulesAndElements
        }
    }

    /// So many of them: `1 rule`, `100,002 rules and elements`.
    pub fn count(self, number: usize) -> String {
        match self {
            Counted::Rules => Count(number, "rule").to_string(),
            Counted::RulesAndElements if number == 1 => "1 rule or element".to_owned(),
            Counted::RulesAndElements => format!("{} rules and elements", Grouped(number)),
        }
    }

    /// How many of them stay as they are: `1 rule stands`, `43 rules stand`.
    pub fn standing(self, number: usize) -> String {
        let verb = if number == 1 { "stands" } else { "stand" };
        format!("{} {verb}", self.count(number))
    }
}

fn is_of_set(change: &Change) -> bool {
    matches!(
        change,
        Change::AddSet(..)
            | Change::AddElements { .. }
            | Change::DeleteElements { .. }
            | Change::FlushSet { .. }
            | Change::DeleteSet { .. }
    )
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
    fn counts_have_their_plural() {
        let text = |number, noun| Count(number, noun).to_string();
        assert_eq!(text(0, "rule"), "0 rules");
        assert_eq!(text(1, "entry"), "1 entry");
        assert_eq!(text(2, "entry"), "2 entries");
    }

    #[test]
    fn thousands_are_set_apart() {
        let text = |number| Grouped(number).to_string();
        assert_eq!(text(0), "0");
        assert_eq!(text(999), "999");
        assert_eq!(text(99_990), "99,990");
        assert_eq!(text(1_000_007), "1,000,007");
        assert_eq!(Count(100_000, "rule").to_string(), "100,000 rules");
    }

    #[test]
    fn what_is_counted_is_named() {
        assert_eq!(Counted::Rules.standing(1), "1 rule stands");
        assert_eq!(Counted::RulesAndElements.standing(1), "1 rule or element stands");
        let many = Counted::RulesAndElements.standing(100_002);
        assert_eq!(many, "100,002 rules and elements stand");
    }

    #[test]
    fn times_have_a_unit_of_their_size() {
        let text = |micros| Elapsed(Duration::from_micros(micros)).to_string();
        assert_eq!(text(1_234), "1.2 ms");
        assert_eq!(text(2_600_000), "2.6 s");
    }
}
