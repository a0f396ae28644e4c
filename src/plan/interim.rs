//! The ruleset that is in force between two policies while elements and rules change together.
//!
//! The kernel shows packets the changed elements of a set of intervals, or of a map of ports, only at the
//! end of a commit, up to milliseconds after the changed rules (measured with Linux 6.18.44). If the rules
//! of the new policy looked up the elements of the old one in that time, they could admit a source that
//! neither policy allows, or refuse one that both allow. So they look up other sets first, which are complete
//! before these rules are in force, and the changed sets again as soon as nothing looks them up any more.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Change, Plan};
use crate::model::{ChainPath, InstalledTable, Name, Rule, Ruleset, SetPath, Snapshot};

/// The end of the name of a set that stands for another one.
const INTERIM: &str = ".interim";

impl Plan {
    /// The ruleset that has to be in force for a moment before `desired`, which this plan was made for;
    /// `None` if there need not be one.
    pub(crate) fn interim(&self, desired: &Ruleset, snapshot: &Snapshot) -> Option<Ruleset> {
        let is_desired = |path: &&SetPath| {
            let sets = desired.sets.iter().map(|set| &set.path);
            sets.chain(desired.maps.iter().map(|map| &map.path)).any(|of| **of == **path)
        };
        let changed = self.changed_in_force(snapshot);
        let renamed: HashMap<Name, Name> = changed
            .into_iter()
            .filter(is_desired)
            .map(|path| (Arc::clone(&path.set), format!("{}{INTERIM}", path.set).into()))
            .collect();
        (!renamed.is_empty()).then(|| with_names(desired, &renamed))
    }

    /// The sets of intervals and the maps of which elements change while rules look them up, if rules change
    /// too.
    fn changed_in_force(&self, snapshot: &Snapshot) -> HashSet<&SetPath> {
        let mut looked_up = HashMap::new();
        let mut is_in_force = |path: &SetPath| {
            let names = looked_up.entry(path.table.clone()).or_insert_with(|| {
                let table = snapshot.tables.get(&path.table);
                table.map(InstalledTable::looked_up).unwrap_or_default()
            });
            names.contains(&path.set)
        };
        let (mut sets, mut maps) = (HashSet::new(), HashSet::new());
        for change in &self.changes {
            match change {
                Change::AddElements { set, kind, .. }
                | Change::DeleteElements { set, kind, .. }
                    if kind.is_intervals() && is_in_force(set) =>
                {
                    sets.insert(&**set);
                }
                Change::AddTargets { map, .. } | Change::DeleteTargets { map, .. }
                    if is_in_force(map) =>
                {
                    maps.insert(&**map);
                }
                _ => {}
            }
        }
        let is_mixed = match sets.is_empty() {
            true => self.changes_kept_chains(),
            false => self.changes.iter().any(|change| change.rules_of().is_some()),
        };
        sets.extend(maps);
        if is_mixed { sets } else { HashSet::new() }
    }

    /// Whether rules change in a chain that exists before and after.
    fn changes_kept_chains(&self) -> bool {
        let whole: HashSet<&ChainPath> = self
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::AddChain(chain, _) | Change::DeleteChain(chain) => Some(&**chain),
                _ => None,
            })
            .collect();
        self.changes.iter().filter_map(Change::rules_of).any(|chain| !whole.contains(chain))
    }
}

impl Change {
    /// The chain whose rules it changes, if it does.
    pub(super) fn rules_of(&self) -> Option<&ChainPath> {
        match self {
            Change::AddRule { chain, .. }
            | Change::RestoreRule { chain, .. }
            | Change::DeleteRule { chain, .. }
            | Change::FlushChain { chain, .. } => Some(chain),
            _ => None,
        }
    }
}

/// The ruleset with these sets and maps under other names.
fn with_names(desired: &Ruleset, renamed: &HashMap<Name, Name>) -> Ruleset {
    let mut interim = desired.clone();
    let rename = |path: &mut Arc<SetPath>| {
        if let Some(set) = renamed.get(&path.set) {
            *path = Arc::new(SetPath { table: path.table.clone(), set: Arc::clone(set) });
        }
    };
    interim.sets.iter_mut().for_each(|set| rename(&mut set.path));
    interim.maps.iter_mut().for_each(|map| rename(&mut map.path));
    for chain in &mut interim.chains {
        let looks_up = |rule: &Rule| rule.sets().any(|set| renamed.contains_key(set));
        if !chain.rules.iter().any(|desired| looks_up(&desired.rule)) {
            continue;
        }
        for desired in Arc::make_mut(&mut chain.rules) {
            if let Rule::Nft(rule) = &mut desired.rule {
                *rule = rule.with_names(renamed);
            }
        }
    }
    interim
}
