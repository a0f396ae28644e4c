//! How numbers read, the same in every report, and what the numbers of a plan count.

use std::fmt::{self, Display};

use dwnl::Plan;
use dwnl::model::Set;
use dwnl::plan::Change;

/// A number whose thousands are set apart: `99,990`.
pub struct Thousands(pub usize);

impl Display for Thousands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 1000, self.0 % 1000) {
            (0, rest) => write!(f, "{rest}"),
            (thousands, rest) => write!(f, "{},{rest:03}", Thousands(thousands)),
        }
    }
}

/// A number of things: `1 rule`, `2 rules`.
pub struct Count(pub usize, pub &'static str);

impl Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count(number, noun) = self;
        write!(f, "{} ", Thousands(*number))?;
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
    /// What is counted by a plan that is to lead to these sets. Elements that are the kernel's to
    /// keep are not.
    pub fn of(plan: &Plan, desired: &[Set]) -> Counted {
        if desired.iter().all(|set| set.kind.is_dynamic())
            && !plan.changes.iter().any(is_of_elements)
        {
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
            Counted::RulesAndElements => format!("{} rules and elements", Thousands(number)),
        }
    }

    /// How many of them stay as they are: `1 rule stands`, `43 rules stand`.
    pub fn up_to_date(self, number: usize) -> String {
        let verb = if number == 1 { "stands" } else { "stand" };
        format!("{} {verb}", self.count(number))
    }
}

fn is_of_elements(change: &Change) -> bool {
    match change {
        Change::AddElements { .. } | Change::DeleteElements { .. } | Change::ReplaceSet { .. } => {
            true
        }
        Change::AddSet(_, kind) => !kind.is_dynamic(),
        Change::DeleteSet { elements, .. } => *elements > 0,
        _ => false,
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
        let text = |number| Thousands(number).to_string();
        assert_eq!(text(0), "0");
        assert_eq!(text(999), "999");
        assert_eq!(text(99_990), "99,990");
        assert_eq!(text(1_000_007), "1,000,007");
        assert_eq!(Count(100_000, "rule").to_string(), "100,000 rules");
    }

    #[test]
    fn what_is_counted_is_named() {
        assert_eq!(Counted::Rules.up_to_date(1), "1 rule stands");
        assert_eq!(Counted::RulesAndElements.up_to_date(1), "1 rule or element stands");
        let many = Counted::RulesAndElements.up_to_date(100_002);
        assert_eq!(many, "100,002 rules and elements stand");
    }
}
