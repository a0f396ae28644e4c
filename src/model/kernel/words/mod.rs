//! A rule in the words of iptables or nft.

use super::part::{RulePart, RuleVerdict};
use crate::model::Family;

/// The rule's expressions in words.
pub(crate) fn words(_family: Family, _in_iptables_table: bool, parts: &[RulePart]) -> String {
    let words = parts.iter().map(part).filter(|word| !word.is_empty());
    words.collect::<Vec<String>>().join(" ")
}

fn part(part: &RulePart) -> String {
    match part {
        RulePart::Verdict(RuleVerdict::Accept) => "accept".to_owned(),
        RulePart::Verdict(RuleVerdict::Drop) => "drop".to_owned(),
        RulePart::Verdict(RuleVerdict::Jump(chain)) => format!("jump {chain}"),
        RulePart::Verdict(RuleVerdict::Goto(chain)) => format!("goto {chain}"),
        RulePart::Other(name) => format!("[{name}]"),
        other => format!("{other:?}"),
    }
}
