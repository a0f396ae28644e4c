//! Which changes of a plan are committed together: those that put rules in force at once, what they need
//! before them, and what protects packets that are under way behind them.
//!
//! The kernel shows packets the elements of a set of intervals, or of a map of ports, only at the end of the
//! commit that adds them: with 20,000 prefixes, 5 ms after the rules of the same commit (measured with Linux
//! 6.18.44). In that time these rules would find the set empty. So such sets are committed first, with
//! everything that belongs to them.
//!
//! A transaction is in force for each base chain that a packet meets, not for its whole path. A packet that
//! the rules in the nat tables have judged by the old policy meets the other chains of the new one. So a chain
//! in front of them comes before they rely on it, and the guard behind them goes after they do without it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Change, Plan};
use crate::model::{
    BaseChain, ChainPath, Hook, Name, PortTarget, Ruleset, SetPath, Snapshot, TablePath,
};

impl Plan {
    /// Moves the changes that are committed first to the front, those that are committed last to the end,
    /// and counts them.
    pub(super) fn divide(&mut self, desired: &Ruleset, snapshot: &Snapshot) {
        let changes_nat = self.changes.iter().any(|change| {
            change.rules_of().is_some_and(|chain| !desired.owned_tables.contains(&chain.table))
        });
        let needs_preparation =
            |it: &&Change| is_late(it) || (changes_nat && is_in_front_of_nat(it));
        let preparation = self
            .changes
            .iter()
            .any(|it| needs_preparation(&it))
            .then(|| Preparation::of(&self.changes, desired, snapshot));
        let preparation = preparation.filter(|preparation| {
            self.changes.iter().filter(needs_preparation).any(|it| preparation.contains(it))
        });
        let removal = changes_nat.then(|| Removal::of(&self.changes, desired, snapshot));
        let removal = removal.filter(|removal| removal.takes_base_chains);
        if preparation.is_none() && removal.is_none() {
            return;
        }
        let place = |change: &Change| match change {
            it if preparation.as_ref().is_some_and(|preparation| preparation.contains(it)) => 0,
            it if removal.as_ref().is_some_and(|removal| removal.contains(it)) => 2,
            _ => 1,
        };
        let places: Vec<usize> = self.changes.iter().map(place).collect();
        let mut parts: [Vec<Change>; 3] = Default::default();
        for (change, place) in self.changes.drain(..).zip(places) {
            parts[place].push(change);
        }
        if !parts[1].is_empty() {
            (self.prepared, self.deferred) = (parts[0].len(), parts[2].len());
        }
        self.changes = parts.into_iter().flatten().collect();
    }

    /// The changes of each transaction, in order: what is prepared, what puts the rules in force, and what
    /// is deferred. Those without changes are empty.
    pub(crate) fn transactions(&self) -> [&[Change]; 3] {
        let (first, rest) = self.changes.split_at(self.prepared.min(self.changes.len()));
        let (middle, last) = rest.split_at(rest.len().saturating_sub(self.deferred));
        [first, middle, last]
    }

    /// The changes that remove what the first transaction created.
    pub(crate) fn undo_preparation(&self) -> Vec<Change> {
        let mut undone = Vec::new();
        for change in self.transactions()[0].iter().rev() {
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

/// Whether a base chain is added that packets meet before the rules in the nat tables.
fn is_in_front_of_nat(change: &Change) -> bool {
    matches!(change, Change::AddChain(_, Some(base)) if is_before_nat(*base))
}

fn is_before_nat(base: BaseChain<'_>) -> bool {
    base.hook == Hook::Prerouting && base.priority < BaseChain::NAT_PREROUTING.priority
}

/// What no rule in force leads to, or relies on.
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
            tables: divisible_tables(changes, desired),
            sets: HashSet::new(),
            chains: HashSet::new(),
            unready: HashSet::new(),
        };
        let is_idle = is_idle(snapshot);
        for change in changes {
            match change {
                Change::AddSet(set, _) | Change::AddMap(set) => {
                    preparation.sets.insert(set);
                }
                Change::AddElements { set, .. } | Change::DeleteElements { set, .. }
                    if is_idle(set) =>
                {
                    preparation.sets.insert(set);
                }
                Change::AddChain(chain, base) if base.is_none_or(is_before_nat) => {
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

/// What is not desired any more in dwnl's tables.
struct Removal<'a> {
    /// The tables of dwnl's, except those that the plan creates again.
    tables: HashSet<&'a TablePath>,
    chains: HashSet<&'a ChainPath>,
    maps: HashSet<&'a SetPath>,
    /// Whether base chains are among it, as those of the guard.
    takes_base_chains: bool,
}

impl<'a> Removal<'a> {
    fn of(changes: &'a [Change], desired: &'a Ruleset, snapshot: &Snapshot) -> Removal<'a> {
        let is_base = |path: &ChainPath| {
            snapshot
                .chain(path)
                .is_some_and(|chain| chain.base().is_some_and(|base| !is_before_nat(base)))
        };
        let mut removal = Removal {
            tables: divisible_tables(changes, desired),
            chains: HashSet::new(),
            maps: HashSet::new(),
            takes_base_chains: false,
        };
        for change in changes.iter().filter(|change| removal.tables.contains(change.table())) {
            match change {
                Change::DeleteTable { contents, .. } => {
                    removal.takes_base_chains |= contents
                        .iter()
                        .any(|it| matches!(it, Change::DeleteChain(chain) if is_base(chain)));
                }
                Change::DeleteChain(chain) => {
                    removal.chains.insert(chain);
                    removal.takes_base_chains |= is_base(chain);
                }
                Change::DeleteMap { map, .. } => {
                    removal.maps.insert(map);
                }
                _ => {}
            }
        }
        removal
    }

    /// Whether the change removes something of it.
    fn contains(&self, change: &Change) -> bool {
        match change {
            Change::DeleteTable { table, .. } => self.tables.contains(table),
            Change::FlushChain { chain, .. } | Change::DeleteChain(chain) => {
                self.chains.contains(&**chain)
            }
            Change::DeleteTargets { map, .. } | Change::DeleteMap { map, .. } => {
                self.maps.contains(&**map)
            }
            // Their rules may still look it up.
            Change::DeleteSet { .. } => true,
            _ => false,
        }
    }
}

/// The tables of dwnl's, except those that the plan creates again: these are made in one transaction.
fn divisible_tables<'a>(changes: &[Change], desired: &'a Ruleset) -> HashSet<&'a TablePath> {
    let is_deleted = |table: &TablePath| {
        changes.iter().any(|it| matches!(it, Change::DeleteTable { table: it, .. } if it == table))
    };
    let is_created = |table: &TablePath| {
        changes.iter().any(|it| matches!(it, Change::AddTable(it) if it == table))
    };
    let own = desired.owned_tables.iter();
    own.filter(|table| !(is_deleted(table) && is_created(table))).collect()
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
