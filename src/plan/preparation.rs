//! What a plan creates before the rules that use it are in force.
//!
//! The kernel shows packets the elements of a set of intervals, or of a map of ports, only at the end of the
//! commit that adds them: with 20,000 prefixes, 5 ms after the rules of the same commit (measured with Linux
//! 6.18.44). In that time these rules would find the set empty. So such sets are committed first, with
//! everything that belongs to them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Change, Plan};
use crate::model::{ChainPath, Name, PortTarget, Ruleset, SetPath, Snapshot, TablePath};

impl Plan {
    /// Moves the changes that are committed first to the front, and counts them.
    pub(super) fn prepare(&mut self, desired: &Ruleset, snapshot: &Snapshot) {
        if !self.changes.iter().any(is_late) {
            return;
        }
        let preparation = Preparation::of(&self.changes, desired, snapshot);
        if !self.changes.iter().any(|change| is_late(change) && preparation.contains(change)) {
            return;
        }
        let is_first: Vec<bool> =
            self.changes.iter().map(|change| preparation.contains(change)).collect();
        let prepared = is_first.iter().filter(|is_first| **is_first).count();
        if prepared == self.changes.len() {
            return;
        }
        let mut rest = Vec::with_capacity(self.changes.len() - prepared);
        let mut first = Vec::with_capacity(self.changes.len());
        for (change, is_first) in self.changes.drain(..).zip(is_first) {
            if is_first { &mut first } else { &mut rest }.push(change);
        }
        first.append(&mut rest);
        (self.changes, self.prepared) = (first, prepared);
    }

    /// The changes of each transaction, in order.
    pub(crate) fn transactions(&self) -> impl Iterator<Item = &[Change]> {
        let (first, rest) = self.changes.split_at(self.prepared.min(self.changes.len()));
        [first, rest].into_iter().filter(|changes| !changes.is_empty())
    }

    /// The changes that remove what the first of two transactions created.
    pub(crate) fn undo_preparation(&self) -> Vec<Change> {
        let mut undone = Vec::new();
        for change in self.changes[..self.prepared.min(self.changes.len())].iter().rev() {
            match change {
                Change::AddTargets { map, elements } => undone.push(Change::DeleteTargets {
                    map: Arc::clone(map),
                    elements: Arc::clone(elements),
                }),
                Change::AddChain(chain, _) => {
                    let (chain, contents) = (Arc::clone(chain), Vec::new());
                    undone.push(Change::FlushChain { chain: Arc::clone(&chain), contents });
                    undone.push(Change::DeleteChain(chain));
                }
                Change::AddMap(map) => {
                    let (map, elements) = (Arc::clone(map), Arc::default());
                    undone.push(Change::DeleteMap { map, elements });
                }
                Change::AddSet(set, _) => {
                    undone.push(Change::DeleteSet { set: Arc::clone(set), elements: 0 });
                }
                Change::AddTable(table) => {
                    let (table, contents) = (table.clone(), Vec::new());
                    undone.push(Change::DeleteTable { table, contents });
                }
                _ => {}
            }
        }
        undone
    }
}

/// Whether it is a change of elements that the kernel shows to packets only at the end of the commit.
fn is_late(change: &Change) -> bool {
    match change {
        Change::AddElements { kind, .. } | Change::DeleteElements { kind, .. } => {
            kind.is_intervals()
        }
        Change::AddTargets { .. } => true,
        _ => false,
    }
}

/// What no rule in force leads to.
struct Preparation<'a> {
    /// The tables of dwnl's, except those that the plan creates again.
    tables: HashSet<&'a TablePath>,
    /// The new sets and maps, and the sets that exist and that no rule looks up.
    sets: HashSet<&'a SetPath>,
    /// The new chains that need nothing but what is there or is prepared.
    chains: HashSet<&'a ChainPath>,
    /// The other new chains.
    unready: HashSet<ChainPath>,
}

impl<'a> Preparation<'a> {
    fn of(changes: &'a [Change], desired: &'a Ruleset, snapshot: &Snapshot) -> Preparation<'a> {
        let mut preparation = Preparation {
            tables: desired.owned_tables.iter().collect(),
            sets: HashSet::new(),
            chains: HashSet::new(),
            unready: HashSet::new(),
        };
        let is_idle = is_idle(snapshot);
        for change in changes {
            match change {
                Change::DeleteTable { table, .. } => {
                    preparation.tables.remove(table);
                }
                Change::AddSet(set, _) | Change::AddMap(set) => {
                    preparation.sets.insert(set);
                }
                Change::AddElements { set, .. } | Change::DeleteElements { set, .. }
                    if is_idle(set) =>
                {
                    preparation.sets.insert(set);
                }
                Change::AddChain(chain, None) => {
                    preparation.chains.insert(chain);
                }
                _ => {}
            }
        }
        preparation.leave_out_unready(changes);
        preparation
    }

    /// The rules of a chain that look up a set which is replaced need the new one. A chain comes behind
    /// those that its rules lead to.
    fn leave_out_unready(&mut self, changes: &'a [Change]) {
        let replaced = changes.iter().filter_map(|change| match change {
            Change::ReplaceSet { set, .. } => Some(&**set),
            _ => None,
        });
        let replaced: HashSet<&SetPath> = replaced.collect();
        if replaced.is_empty() {
            return;
        }
        for change in changes {
            let Change::AddRule { chain, rule, .. } = change else { continue };
            let is_replaced = |set: &Name| replaced.contains(&set_path(&chain.table, set));
            let is_unready = |target| self.unready.contains(&chain_path(&chain.table, target));
            let waits = rule.sets().any(is_replaced) || rule.target().is_some_and(is_unready);
            if waits && self.chains.remove(&**chain) {
                self.unready.insert(chain.as_ref().clone());
            }
        }
    }

    /// Whether the change is committed first.
    fn contains(&self, change: &Change) -> bool {
        let is_first = match change {
            Change::AddTable(_) | Change::AddSet(..) | Change::AddMap(_) => true,
            Change::AddElements { set, .. } | Change::DeleteElements { set, .. } => {
                self.sets.contains(&**set)
            }
            Change::AddChain(chain, _) | Change::AddRule { chain, .. } => {
                self.chains.contains(&**chain)
            }
            Change::AddTargets { map, elements } => {
                let is_unready = |it: &PortTarget| {
                    let chain = it.chain.as_ref().map(|chain| chain_path(&map.table, chain));
                    chain.is_some_and(|chain| self.unready.contains(&chain))
                };
                self.sets.contains(&**map) && !elements.iter().any(is_unready)
            }
            _ => false,
        };
        is_first && self.tables.contains(change.table())
    }
}

/// Whether a set exists that no rule looks up.
fn is_idle(snapshot: &Snapshot) -> impl Fn(&SetPath) -> bool {
    let names = snapshot.tables.iter().map(|(path, table)| (path, (table, table.looked_up())));
    let names: HashMap<&TablePath, _> = names.collect();
    move |set| {
        names.get(&set.table).is_some_and(|(table, looked_up)| {
            table.sets.contains_key(&set.set) && !looked_up.contains(&set.set)
        })
    }
}

fn set_path(table: &TablePath, set: &Name) -> SetPath {
    SetPath { table: table.clone(), set: Arc::clone(set) }
}

fn chain_path(table: &TablePath, chain: &Name) -> ChainPath {
    ChainPath { table: table.clone(), chain: Arc::clone(chain) }
}
