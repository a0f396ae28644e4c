//! The tables that are wholly ours: what is in them and not wanted goes.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Change, difference};
use crate::ruleset::{
    Chain, ChainPath, InstalledChain, InstalledTable, Name, Ruleset, SetPath, TablePath,
};

/// Whether a table of ours can become what is wanted. Somebody may have put things of our names
/// but of other kinds there, and then it is made anew.
pub(super) fn is_fit(path: &TablePath, table: &InstalledTable, wanted: &Ruleset) -> bool {
    let chains = wanted.chains.iter().filter(|chain| chain.path.table == *path);
    let sets = wanted.sets.iter().filter(|set| set.path.table == *path);
    let is_fit_chain = |chain: &Chain| {
        let installed = table.chains.get(&chain.path.chain);
        installed.is_none_or(|installed| installed.base() == chain.base)
    };
    chains.into_iter().all(is_fit_chain)
        && sets.into_iter().all(|set| {
            let installed = table.sets.get(&set.path.set);
            installed.is_none_or(|installed| installed.kind == Some(set.kind))
        })
}

/// Deletes what stands in the table and is not wanted. Rules go before the sets that they look
/// up.
pub(super) fn delete_unwanted(
    path: &TablePath,
    table: &InstalledTable,
    wanted: &Ruleset,
    changes: &mut Vec<Change>,
) {
    let kept: HashSet<&ChainPath> = wanted.chains.iter().map(|chain| &*chain.path).collect();
    let chains: Vec<(Arc<ChainPath>, &InstalledChain)> = table
        .chains
        .iter()
        .map(|(name, chain)| (chain_path(path, name), chain))
        .filter(|(path, _)| !kept.contains(&**path))
        .collect();
    for (path, chain) in chains.iter().filter(|(_, chain)| !chain.rules.is_empty()) {
        changes.push(difference::flush(path, &chain.rules));
    }
    changes.extend(chains.into_iter().map(|(path, _)| Change::DeleteChain(path)));

    let kept: HashSet<&SetPath> = wanted.sets.iter().map(|set| &*set.path).collect();
    for (name, set) in &table.sets {
        let path = Arc::new(SetPath { table: path.clone(), set: Arc::clone(name) });
        if !kept.contains(&*path) {
            changes.push(Change::DeleteSet { set: path, elements: set.elements.len() });
        }
    }
}

fn chain_path(table: &TablePath, chain: &Name) -> Arc<ChainPath> {
    Arc::new(ChainPath { table: table.clone(), chain: Arc::clone(chain) })
}

/// Deletes the table with all that is in it.
pub(super) fn delete(path: &TablePath, table: &InstalledTable, changes: &mut Vec<Change>) {
    delete_unwanted(path, table, &Ruleset::default(), changes);
    changes.push(Change::DeleteTable(path.clone()));
}
