//! A table that dwnl owns: everything that it contains.

use std::collections::HashMap;

use dwnl::group_of_set;
use dwnl::model::{
    InstalledChain, InstalledSet, InstalledTable, Match, Name, Ownership, PortTarget, Ports,
    Protocol, RuleContent, SetKind, Snapshot, TablePath,
};

use super::chain_report::all_rules;
use super::{ChainReport, Definition, Elements, SetReport, TableReport};

impl<'a> TableReport<'a> {
    /// What the snapshot contains of the table; `None` if the table is neither present nor needed.
    pub fn owned(
        path: &'a TablePath,
        snapshot: &'a Snapshot,
        verbose: bool,
    ) -> Option<TableReport<'a>> {
        let table = snapshot.tables.get(path);
        if table.is_none() && !is_needed(snapshot) {
            return None;
        }
        let mut ports = table.map(ports_of_chains).unwrap_or_default();
        let chains = table.iter().flat_map(|table| &table.chains);
        let sets = table.iter().flat_map(|table| &table.sets);
        let maps = table.iter().flat_map(|table| &table.maps);
        let maps = maps.map(|(name, elements)| SetReport::of_map(name, elements, verbose));
        Some(TableReport {
            name: path.into(),
            is_installed: table.is_some(),
            chains: chains
                .map(|(name, chain)| ChainReport {
                    ports: ports.remove(name).unwrap_or_default(),
                    ..ChainReport::owned(name, chain)
                })
                .collect(),
            sets: sets.map(|(name, set)| SetReport::new(name, set, verbose)).chain(maps).collect(),
        })
    }
}

/// The ports for which maps lead to each chain. The name of a map ends with the protocol.
fn ports_of_chains(table: &InstalledTable) -> HashMap<&Name, Vec<Ports>> {
    let mut found: HashMap<&Name, Vec<Ports>> = HashMap::new();
    for (map, elements) in &table.maps {
        let is_of = |protocol: &Protocol| map.ends_with(&format!("-{protocol}"));
        let Some(protocol) = Protocol::ALL.into_iter().find(is_of) else { continue };
        for element in elements.iter() {
            if let Some(chain) = &element.chain {
                found.entry(chain).or_default().extend(element.ports(protocol));
            }
        }
    }
    found
}

/// Whether a rule matches a mark that only this table sets.
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
    fn owned(name: &'a Name, installed: &'a InstalledChain) -> ChainReport<'a> {
        ChainReport {
            chain: name,
            ownership: Ownership::Exclusive,
            is_present: true,
            is_in_place: true,
            rules: all_rules(&installed.rules),
            ports: Vec::new(),
            missing_rules: Vec::new(),
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
            group: kind.and_then(SetKind::version).and_then(|_| group_of_set(name)).map(|it| it.0),
            definition: kind.map(Definition::Set),
            element_count: is_counted.then_some(installed.elements.len()),
            elements: elements.filter(|_| verbose),
        }
    }

    fn of_map(name: &'a Name, elements: &'a [PortTarget], verbose: bool) -> SetReport<'a> {
        SetReport {
            set: name,
            group: None,
            definition: Some(Definition::Map),
            element_count: Some(elements.len()),
            elements: verbose.then_some(Elements::Map(elements)),
        }
    }
}
