//! A table that is wholly dwnl's: whatever the kernel holds of it.

use dwnl::model::{
    InstalledChain, InstalledSet, Match, Name, Ownership, RuleContent, Snapshot, TablePath,
};

use super::chain::all_rules;
use super::{ChainReport, Elements, SetReport, TableReport};

impl<'a> TableReport<'a> {
    /// What the snapshot holds of the table; nothing if the table is neither there nor needed.
    pub fn own(
        path: &'a TablePath,
        snapshot: &'a Snapshot,
        verbose: bool,
    ) -> Option<TableReport<'a>> {
        let table = snapshot.tables.get(path);
        if table.is_none() && !is_needed(snapshot) {
            return None;
        }
        let chains = table.iter().flat_map(|table| &table.chains);
        let sets = table.iter().flat_map(|table| &table.sets);
        Some(TableReport {
            family: path.family,
            table: &path.table,
            installed: table.is_some(),
            chains: chains.map(|(name, chain)| ChainReport::own(name, chain)).collect(),
            sets: sets.map(|(name, set)| SetReport::new(name, set, verbose)).collect(),
        })
    }
}

/// Whether a rule goes by a mark that only a table of ours sets.
fn is_needed(snapshot: &Snapshot) -> bool {
    let chains = snapshot.tables.values().flat_map(|table| table.chains.values());
    let mut contents = chains.flat_map(|chain| &chain.rules).map(|rule| &rule.content);
    contents.any(|content| match content {
        RuleContent::Known(rule) => {
            let matches = rule.as_iptables().into_iter().flat_map(|rule| rule.matches.iter());
            matches.into_iter().any(|condition| matches!(condition, Match::Connmark(_)))
        }
        RuleContent::Foreign { .. } => false,
    })
}

impl<'a> ChainReport<'a> {
    fn own(name: &'a Name, installed: &'a InstalledChain) -> ChainReport<'a> {
        ChainReport {
            chain: name,
            extent: Ownership::Exclusive,
            exists: true,
            in_place: true,
            rules: all_rules(&installed.rules),
            missing: Vec::new(),
        }
    }
}

impl<'a> SetReport<'a> {
    fn new(name: &'a Name, installed: &'a InstalledSet, verbose: bool) -> SetReport<'a> {
        let kind = installed.kind;
        let elements = kind.and_then(|kind| Elements::all(&installed.elements, kind));
        let is_counted = kind.is_none_or(|kind| !kind.is_dynamic());
        SetReport {
            set: name,
            kind,
            count: is_counted.then_some(installed.elements.len()),
            elements: elements.filter(|_| verbose),
        }
    }
}
