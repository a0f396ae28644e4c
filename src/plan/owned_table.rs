//! Tables that belong to dwnl: what is in them and not in the desired ruleset is deleted.

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Change, chain_diff};
use crate::model::{
    Chain, ChainPath, InstalledChain, InstalledSet, InstalledTable, Name, PortTarget, Rule,
    Ruleset, Set, SetKind, SetPath, TablePath,
};

/// Whether a table of dwnl's can be changed rule by rule and element by element. If it holds objects
/// that dwnl never creates, or objects with dwnl's names but of other kinds, it has to be created
/// again: only the kernel knows in which order such objects can be deleted.
pub(super) fn is_compatible(path: &TablePath, table: &InstalledTable, desired: &Ruleset) -> bool {
    let chains: HashMap<&Name, &Chain> = desired
        .chains
        .iter()
        .filter(|chain| chain.path.table == *path)
        .map(|chain| (&chain.path.chain, chain))
        .collect();
    let sets = desired_sets(path, desired);
    let maps: HashSet<&Name> = desired_maps(path, desired).collect();
    let is_known = is_known(table);
    let is_compatible_chain = |(name, installed): (&Name, &InstalledChain)| {
        let base = installed.base();
        match chains.get(name) {
            Some(desired) => desired.base == base && !installed.drops,
            // It can be deleted if no foreign rule goes there.
            None => is_known,
        }
    };
    let is_compatible_kind = |kind: SetKind, desired: SetKind| {
        kind == desired || (kind.version() == desired.version() && is_known)
    };
    let by_unused = LazyCell::new(|| looked_up_by_unused(path, table, desired));
    let is_compatible_set = |(name, installed): (&Name, &InstalledSet)| {
        let desired = sets.get(name);
        installed.kind.is_some_and(|kind| {
            desired.is_none_or(|desired| {
                let is_changed = kind != desired.kind;
                is_compatible_kind(kind, desired.kind) && !(is_changed && by_unused.contains(name))
            })
        })
    };
    !table.dormant
        && !table.has_foreign_objects
        && table.chains.iter().all(is_compatible_chain)
        && table.sets.iter().all(is_compatible_set)
        && !table.maps.keys().any(|name| sets.contains_key(name))
        && !table.sets.keys().any(|name| maps.contains(name))
}

/// Whether all rules of the table are of forms that dwnl writes, so that it is certain which sets
/// they look up.
pub(super) fn is_known(table: &InstalledTable) -> bool {
    let mut rules = table.chains.values().flat_map(|chain| &chain.rules);
    rules.all(|rule| rule.content.known().is_some())
}

/// The sets that rules of chains look up which are not desired. These go last, so the sets cannot be
/// replaced.
pub(super) fn looked_up_by_unused<'t>(
    path: &TablePath,
    table: &'t InstalledTable,
    desired: &Ruleset,
) -> HashSet<&'t Name> {
    let rules = unused_chains(path, table, desired).flat_map(|(_, chain)| &chain.rules);
    rules.filter_map(|rule| rule.content.known()).flat_map(Rule::sets).collect()
}

/// The chains that are not desired.
fn unused_chains<'t>(
    path: &TablePath,
    table: &'t InstalledTable,
    desired: &Ruleset,
) -> impl Iterator<Item = (&'t Name, &'t InstalledChain)> {
    let chains = desired.chains.iter().filter(|chain| chain.path.table == *path);
    let kept: HashSet<&Name> = chains.map(|chain| &chain.path.chain).collect();
    table.chains.iter().filter(move |(name, _)| !kept.contains(name))
}

/// Deletes the chains of a compatible table that are not desired, and before them the elements of maps that
/// may go to them. No other rule jumps to them any more.
pub(super) fn delete_unused_chains(
    path: &TablePath,
    table: &InstalledTable,
    desired: &Ruleset,
    changes: &mut Vec<Change>,
) {
    let kept: HashSet<&Name> = desired_maps(path, desired).collect();
    let unused_maps: Vec<_> = table.maps.iter().filter(|(name, _)| !kept.contains(name)).collect();
    for (name, elements) in unused_maps.iter().filter(|(_, elements)| !elements.is_empty()) {
        let (map, elements) = (map_path(path, name), Arc::clone(elements));
        changes.push(Change::DeleteTargets { map, elements });
    }
    let unused: Vec<_> = unused_chains(path, table, desired).collect();
    let chain = |name| Arc::new(ChainPath { table: path.clone(), chain: Arc::clone(name) });
    // They may jump to each other.
    let filled = unused.iter().filter(|(_, chain)| !chain.rules.is_empty());
    changes.extend(filled.map(|(name, it)| chain_diff::flush(&chain(name), &it.rules)));
    changes.extend(unused.iter().map(|(name, _)| Change::DeleteChain(chain(name))));
    // Their rules may look up the maps.
    let emptied = unused_maps.into_iter().map(|(name, _)| map_path(path, name));
    changes.extend(emptied.map(|map| Change::DeleteMap { map, elements: Arc::default() }));
}

/// Deletes the sets of a compatible table that are not desired. No rule looks them up any more.
pub(super) fn unused_sets(
    path: &TablePath,
    table: &InstalledTable,
    desired: &Ruleset,
) -> impl Iterator<Item = Change> {
    let kept = desired_sets(path, desired);
    let unused = table.sets.iter().filter(move |(name, _)| !kept.contains_key(name));
    unused.map(|(name, set)| delete_set(path, name, set))
}

fn desired_sets<'w>(path: &TablePath, desired: &'w Ruleset) -> HashMap<&'w Name, &'w Set> {
    let sets = desired.sets.iter().filter(|set| set.path.table == *path);
    sets.map(|set| (&set.path.set, set)).collect()
}

fn desired_maps<'w>(path: &TablePath, desired: &'w Ruleset) -> impl Iterator<Item = &'w Name> {
    let maps = desired.maps.iter().filter(move |map| map.path.table == *path);
    maps.map(|map| &map.path.set)
}

/// Deletes one chain with its rules.
pub(super) fn delete_chain(
    path: &Arc<ChainPath>,
    chain: &InstalledChain,
    changes: &mut Vec<Change>,
) {
    if !chain.rules.is_empty() {
        changes.push(chain_diff::flush(path, &chain.rules));
    }
    changes.push(Change::DeleteChain(Arc::clone(path)));
}

/// Deletes the table with everything in it.
pub(super) fn delete(path: &TablePath, table: &InstalledTable) -> Change {
    let mut contents = Vec::new();
    for (name, chain) in &table.chains {
        let path = Arc::new(ChainPath { table: path.clone(), chain: Arc::clone(name) });
        delete_chain(&path, chain, &mut contents);
    }
    contents.extend(table.sets.iter().map(|(name, set)| delete_set(path, name, set)));
    contents.extend(table.maps.iter().map(|(name, elements)| delete_map(path, name, elements)));
    Change::DeleteTable { table: path.clone(), contents }
}

fn delete_map(table: &TablePath, name: &Name, elements: &Arc<[PortTarget]>) -> Change {
    Change::DeleteMap { map: map_path(table, name), elements: Arc::clone(elements) }
}

fn map_path(table: &TablePath, name: &Name) -> Arc<SetPath> {
    Arc::new(SetPath { table: table.clone(), set: Arc::clone(name) })
}

fn delete_set(table: &TablePath, name: &Name, installed: &InstalledSet) -> Change {
    let set = Arc::new(SetPath { table: table.clone(), set: Arc::clone(name) });
    Change::DeleteSet { set, elements: installed.elements.len() }
}
