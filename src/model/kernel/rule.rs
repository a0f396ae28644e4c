//! A rule as the kernel holds it.

use std::fmt;

use super::part::RulePart;
use super::verdict::RuleVerdict;
use super::words::{visible, words};
use crate::model::{Family, Name};

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelRule {
    /// The kernel's number for it, unique in its table and never reused.
    pub handle: u64,
    /// Its comment, as nft keeps it.
    pub comment: Option<Name>,
    /// The family of its table.
    pub(crate) family: Family,
    /// Whether iptables reads its table: `filter`, `nat`, `mangle`, `raw` or `security` of `ip` or
    /// `ip6`.
    pub(crate) in_iptables_table: bool,
    /// Its expressions.
    pub(crate) parts: Vec<RulePart>,
}

impl KernelRule {
    /// The chain that the rule jumps or goes to, if any. Those of a verdict map are not among them.
    pub fn target(&self) -> Option<&Name> {
        self.parts.iter().find_map(|part| match part {
            RulePart::Verdict(RuleVerdict::Jump(chain) | RuleVerdict::Goto(chain)) => Some(chain),
            _ => None,
        })
    }
}

/// What `iptables -S` prints behind `-A CHAIN `, if the rule is one that iptables reads; else a line
/// of `nft list ruleset`. What dwnl does not understand is shown as `[name]`. Counters are left out.
impl fmt::Display for KernelRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(self.family, self.in_iptables_table, &self.parts))?;
        match &self.comment {
            Some(comment) if !self.in_iptables_table => {
                write!(f, " comment \"{}\"", visible(comment))
            }
            _ => Ok(()),
        }
    }
}
