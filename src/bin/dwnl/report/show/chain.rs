//! A chain as it should be, compared with what the kernel holds of it.

use dwnl::model::{Chain, Extent, InstalledRule, RuleContent, Snapshot, Verdict, WantedRule};

use super::super::format::Words;
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
        let is_needed =
            |wanted: &&WantedRule| !(second_is_left_out && wanted.rule.verdict == Verdict::Return);
        let (rules, missing) = match chain.extent {
            Extent::Exists => (Vec::new(), Vec::new()),
            Extent::Head => (head_rules(chain, rules), missing_rules(chain, rules, is_needed)),
            Extent::Whole => (all_rules(rules), Vec::new()),
        };
        ChainReport {
            chain: &chain.path.chain,
            extent: chain.extent,
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
        !self.rules.is_empty() || (self.exists && self.extent == Extent::Whole)
    }
}

/// Our rules of a chain that is somebody else's below them, wherever they are.
fn head_rules<'a>(chain: &Chain, installed: &'a [InstalledRule]) -> Vec<RuleReport<'a>> {
    let wanted = |rule: &InstalledRule| {
        chain.rules.iter().position(|wanted| is_same(wanted, rule)).map(|index| index + 1)
    };
    all_rules(installed)
        .into_iter()
        .zip(installed)
        .filter_map(|(report, rule)| {
            Some(RuleReport { wanted_position: Some(wanted(rule)?), ..report })
        })
        .collect()
}

fn missing_rules<'a>(
    chain: &'a Chain,
    installed: &[InstalledRule],
    is_needed: impl Fn(&&WantedRule) -> bool,
) -> Vec<MissingRule<'a>> {
    let is_missing = |wanted: &WantedRule| !installed.iter().any(|rule| is_same(wanted, rule));
    let places = (1..).zip(chain.rules.iter());
    let places = places.filter(|(_, wanted)| is_needed(wanted) && is_missing(wanted));
    places
        .map(|(wanted_position, wanted)| MissingRule {
            wanted_position,
            rule: Words::Rule(&wanted.rule),
        })
        .collect()
}

/// All rules of a chain.
pub fn all_rules(installed: &[InstalledRule]) -> Vec<RuleReport<'_>> {
    (1..).zip(installed).map(|(position, rule)| RuleReport::new(position, rule)).collect()
}

fn is_same(wanted: &WantedRule, installed: &InstalledRule) -> bool {
    matches!(&installed.content, RuleContent::Known(rule) if *rule == wanted.rule)
}

impl<'a> RuleReport<'a> {
    fn new(position: usize, rule: &'a InstalledRule) -> RuleReport<'a> {
        RuleReport {
            position,
            wanted_position: None,
            handle: rule.handle,
            packets: rule.packets,
            bytes: rule.bytes,
            rule: Words::from(&rule.content),
        }
    }

    /// Whether it has to have a place and is not there.
    pub fn is_misplaced(&self) -> bool {
        self.wanted_position.is_some_and(|wanted| wanted != self.position)
    }
}
