//! A chain as it should be, compared with what the kernel holds of it.

use dwnl::model::{Chain, DesiredRule, InstalledRule, Ownership, RuleContent, Snapshot, Verdict};

use super::super::format::RuleText;
use super::{ChainReport, MissingRule, RuleReport};

impl<'a> ChainReport<'a> {
    /// What the snapshot holds of the chain, of whose head the second jump may be left out.
    pub fn new(
        chain: &'a Chain,
        snapshot: &'a Snapshot,
        second_is_left_out: bool,
    ) -> ChainReport<'a> {
        let installed = snapshot.chain(&chain.path);
        let rules = installed.map_or(&[][..], |installed| &installed.rules);
        let is_needed = |desired: &&DesiredRule| {
            let verdict = desired.rule.as_iptables().map(|rule| &rule.verdict);
            !(second_is_left_out && verdict == Some(&Verdict::Return))
        };
        let (rules, missing) = match chain.ownership {
            Ownership::Referenced => (Vec::new(), Vec::new()),
            Ownership::Leading => {
                (head_rules(chain, rules), missing_rules(chain, rules, is_needed))
            }
            Ownership::Exclusive => (all_rules(rules), Vec::new()),
        };
        ChainReport {
            chain: &chain.path.chain,
            extent: chain.ownership,
            exists: installed.is_some(),
            in_place: installed.is_some()
                && missing.is_empty()
                && !rules.iter().any(RuleReport::is_misplaced),
            rules,
            missing,
        }
    }

    /// Whether it holds anything of dwnl's. A chain that only has to exist is somebody else's.
    pub fn is_ours(&self) -> bool {
        !self.rules.is_empty() || (self.exists && self.extent == Ownership::Exclusive)
    }
}

/// Our rules of a chain that is somebody else's below them, wherever they are.
fn head_rules<'a>(chain: &Chain, installed: &'a [InstalledRule]) -> Vec<RuleReport<'a>> {
    let desired = |rule: &InstalledRule| {
        chain.rules.iter().position(|desired| is_same(desired, rule)).map(|index| index + 1)
    };
    all_rules(installed)
        .into_iter()
        .zip(installed)
        .filter_map(|(report, rule)| {
            Some(RuleReport { wanted_position: Some(desired(rule)?), ..report })
        })
        .collect()
}

fn missing_rules<'a>(
    chain: &'a Chain,
    installed: &[InstalledRule],
    is_needed: impl Fn(&&DesiredRule) -> bool,
) -> Vec<MissingRule<'a>> {
    let is_missing = |desired: &DesiredRule| !installed.iter().any(|rule| is_same(desired, rule));
    let places = (1..).zip(chain.rules.iter());
    let places = places.filter(|(_, desired)| is_needed(desired) && is_missing(desired));
    places
        .map(|(wanted_position, desired)| MissingRule {
            wanted_position,
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
            wanted_position: None,
            handle: rule.handle,
            packets: rule.packets,
            bytes: rule.bytes,
            rule: RuleText::from(&rule.content),
        }
    }

    /// Whether it has to have a place and is not there.
    pub fn is_misplaced(&self) -> bool {
        self.wanted_position.is_some_and(|desired| desired != self.position)
    }
}
