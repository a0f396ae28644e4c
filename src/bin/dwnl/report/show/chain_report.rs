//! Compares a desired chain with the installed one.

use dwnl::model::{Chain, DesiredRule, InstalledRule, Ownership, RuleContent, Snapshot, Verdict};

use super::super::format::RuleText;
use super::{ChainReport, MissingRule, RuleReport};

impl<'a> ChainReport<'a> {
    /// What the snapshot contains of the chain. The RETURN rule at its start may be left out.
    pub fn new(
        chain: &'a Chain,
        snapshot: &'a Snapshot,
        is_return_rule_left_out: bool,
    ) -> ChainReport<'a> {
        let installed = snapshot.chain(&chain.path);
        let rules = installed.map_or(&[][..], |installed| &installed.rules);
        let is_needed = |desired: &&DesiredRule| {
            let verdict = desired.rule.as_iptables().map(|rule| &rule.verdict);
            !(is_return_rule_left_out && verdict == Some(&Verdict::Return))
        };
        let (rules, missing_rules) = match chain.ownership {
            Ownership::Referenced => (Vec::new(), Vec::new()),
            Ownership::Leading => {
                (leading_rules(chain, rules), find_missing(chain, rules, is_needed))
            }
            Ownership::Exclusive => (all_rules(rules), Vec::new()),
        };
        ChainReport {
            chain: &chain.path.chain,
            ownership: chain.ownership,
            is_present: installed.is_some(),
            is_in_place: installed.is_some()
                && missing_rules.is_empty()
                && !rules.iter().any(RuleReport::is_misplaced),
            rules,
            ports: Vec::new(),
            missing_rules,
        }
    }

    /// Whether it contains anything of dwnl's. A referenced chain belongs to another program.
    pub fn is_installed(&self) -> bool {
        !self.rules.is_empty() || (self.is_present && self.ownership == Ownership::Exclusive)
    }
}

/// dwnl's rules of a chain of another program, at any position.
fn leading_rules<'a>(chain: &Chain, installed: &'a [InstalledRule]) -> Vec<RuleReport<'a>> {
    let desired = |rule: &InstalledRule| {
        chain.rules.iter().position(|desired| is_same(desired, rule)).map(|index| index + 1)
    };
    all_rules(installed)
        .into_iter()
        .zip(installed)
        .filter_map(|(report, rule)| {
            Some(RuleReport { expected_position: Some(desired(rule)?), ..report })
        })
        .collect()
}

fn find_missing<'a>(
    chain: &'a Chain,
    installed: &[InstalledRule],
    is_needed: impl Fn(&&DesiredRule) -> bool,
) -> Vec<MissingRule<'a>> {
    let is_missing = |desired: &DesiredRule| !installed.iter().any(|rule| is_same(desired, rule));
    let positions = (1..).zip(chain.rules.iter());
    let missing = positions.filter(|(_, desired)| is_needed(desired) && is_missing(desired));
    missing
        .map(|(expected_position, desired)| MissingRule {
            expected_position,
            rule: RuleText::Rule(&desired.rule),
        })
        .collect()
}

/// All rules of a chain.
pub fn all_rules(installed: &[InstalledRule]) -> Vec<RuleReport<'_>> {
    (1..).zip(installed).map(|(position, rule)| RuleReport::new(position, rule)).collect()
}

fn is_same(desired: &DesiredRule, installed: &InstalledRule) -> bool {
    matches!(&installed.content, RuleContent::Known(rule) if *rule == desired.rule)
}

impl<'a> RuleReport<'a> {
    fn new(position: usize, rule: &'a InstalledRule) -> RuleReport<'a> {
        RuleReport {
            position,
            expected_position: None,
            handle: rule.handle,
            packets: rule.packets,
            bytes: rule.bytes,
            rule: RuleText::from(&rule.content),
        }
    }

    /// Whether it must have a position and is at another one.
    pub fn is_misplaced(&self) -> bool {
        self.expected_position.is_some_and(|desired| desired != self.position)
    }
}
