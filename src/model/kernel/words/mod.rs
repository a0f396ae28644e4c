//! A rule in the words of iptables or nft.

mod iptables;
mod names;
mod native;
mod nft;
mod selector;
mod split;
mod statement;
mod value;
mod xt_match;
mod xt_target;

use super::part::RulePart;
use crate::model::{Family, is_invisible};

/// The rule's expressions in words: those of `iptables -S` if iptables reads the table and the rule,
/// else those of `nft list ruleset`. Characters that cannot be seen are replaced.
pub(crate) fn words(family: Family, in_iptables_table: bool, parts: &[RulePart]) -> String {
    let parts = split::split(parts);
    let iptables = family.version().filter(|_| in_iptables_table || has_xt(&parts));
    let iptables = iptables.and_then(|version| iptables::words(version, &parts));
    visible(&iptables.unwrap_or_else(|| nft::words(family, &parts)))
}

/// A text that does nothing to a terminal.
pub(super) fn visible(text: &str) -> String {
    let replace = |c: char| if is_invisible(c) { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(replace).collect()
}

fn has_xt(parts: &[RulePart]) -> bool {
    parts.iter().any(|part| matches!(part, RulePart::Match(_) | RulePart::Target(_)))
}
