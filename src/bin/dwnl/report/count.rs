//! Numbers in reports, and what a plan adds and removes.

use std::fmt::{self, Display};

use dwnl::Plan;
use dwnl::plan::Change;
use serde::Serialize;

/// A number with thousands separators: `99,990`.
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

/// What a plan adds, removes and keeps of dwnl's rules and set elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub rules_added: usize,
    pub rules_removed: usize,
    pub rules_unchanged: usize,
    pub elements_added: usize,
    pub elements_removed: usize,
    pub elements_unchanged: usize,
}

impl Counts {
    /// Counts the changes of a plan.
    pub fn of(plan: &Plan) -> Counts {
        let elements_added = plan.changes.iter().map(added_elements).sum();
        let elements_removed = plan.changes.iter().map(removed_elements).sum();
        Counts {
            rules_added: plan.added() - elements_added,
            rules_removed: plan.removed() - elements_removed,
            rules_unchanged: plan.unchanged - plan.unchanged_elements,
            elements_added,
            elements_removed,
            elements_unchanged: plan.unchanged_elements,
        }
    }

    /// `1 rule added, 2 removed, 40 unchanged`, and the set elements if any change; `add` and
    /// `remove` are the words for what is added and removed.
    pub fn changes(&self, add: &str, remove: &str) -> String {
        let rules = Count(self.rules_added, "rule");
        let [removed, unchanged] = [self.rules_removed, self.rules_unchanged].map(Thousands);
        let rules = format!("{rules} {add}, {removed} {remove}, {unchanged} unchanged");
        if self.elements_added == 0 && self.elements_removed == 0 {
            return rules;
        }
        let [added, removed, unchanged] =
            [self.elements_added, self.elements_removed, self.elements_unchanged].map(Thousands);
        format!("{rules}; set elements: {added} {add}, {removed} {remove}, {unchanged} unchanged")
    }

    /// What is unchanged: `40 rules`, `40 rules, 100,000 set elements`.
    pub fn unchanged(&self) -> String {
        let rules = Count(self.rules_unchanged, "rule");
        match self.elements_unchanged {
            0 => rules.to_string(),
            elements => format!("{rules}, {}", Count(elements, "set element")),
        }
    }
}

fn added_elements(change: &Change) -> usize {
    match change {
        Change::AddElements { elements, .. } => elements.len(),
        Change::AddTargets { elements, .. } => elements.len(),
        Change::ReplaceSet { elements, unchanged, .. } => elements.len() - unchanged,
        _ => 0,
    }
}

fn removed_elements(change: &Change) -> usize {
    match change {
        Change::DeleteElements { elements, .. } => elements.len(),
        Change::DeleteTargets { elements, .. } | Change::DeleteMap { elements, .. } => {
            elements.len()
        }
        Change::ReplaceSet { before, unchanged, .. } => before.len() - unchanged,
        Change::DeleteSet { elements, .. } => *elements,
        Change::DeleteTable { contents, .. } => contents.iter().map(removed_elements).sum(),
        _ => 0,
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
    fn thousands_are_separated() {
        let text = |number| Thousands(number).to_string();
        assert_eq!(text(0), "0");
        assert_eq!(text(999), "999");
        assert_eq!(text(99_990), "99,990");
        assert_eq!(text(1_000_007), "1,000,007");
        assert_eq!(Count(100_000, "rule").to_string(), "100,000 rules");
    }

    #[test]
    fn set_elements_are_counted_apart_from_rules() {
        let rules = Counts {
            rules_added: 1,
            rules_removed: 2,
            rules_unchanged: 40,
            elements_added: 0,
            elements_removed: 0,
            elements_unchanged: 99_990,
        };
        assert_eq!(rules.unchanged(), "40 rules, 99,990 set elements");
        assert_eq!(Counts { elements_unchanged: 0, ..rules }.unchanged(), "40 rules");
        assert_eq!(
            rules.changes("to add", "to remove"),
            "1 rule to add, 2 to remove, 40 unchanged"
        );
        assert_eq!(
            Counts { elements_added: 10, ..rules }.changes("added", "removed"),
            "1 rule added, 2 removed, 40 unchanged; set elements: 10 added, 0 removed, 99,990 \
             unchanged"
        );
    }
}
