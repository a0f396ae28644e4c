//! Builds a plan step by step. Each step may refer to what the steps before it created.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::chain_diff::ChainDiff;
use super::error::{check_base, check_owner};
use super::set_diff::SetDiff;
use super::{Change, Plan, PlanError, map_diff, owned_table};
use crate::model::{
    ChainPath, InstalledChain, InstalledTable, PortTarget, Rule, Ruleset, Set, SetPath, Snapshot,
    TablePath,
};

/// A plan under construction.
pub(super) struct PlanBuilder<'a> {
    desired: &'a Ruleset,
    snapshot: &'a Snapshot,
    /// The tables that can be changed step by step.
    compatible: BTreeMap<&'a TablePath, &'a InstalledTable>,
    /// The chains whose rules are detached for the moment.
    detached: HashSet<&'a ChainPath>,
    plan: Plan,
}

impl<'a> PlanBuilder<'a> {
    /// The changes that turn the snapshot into the desired ruleset.
    pub(super) fn plan(desired: &Ruleset, snapshot: &Snapshot) -> Result<Plan, PlanError> {
        let mut builder = PlanBuilder::new(desired, snapshot);
        builder.tables()?;
        builder.sets();
        builder.add_maps();
        builder.chains()?;
        builder.fill_maps();
        builder.remove_unused()?;
        let foreign_translations = desired.foreign_translations.clone();
        let mut plan = Plan { foreign_translations, ..builder.plan };
        plan.divide(desired, snapshot);
        Ok(plan)
    }

    fn new(desired: &'a Ruleset, snapshot: &'a Snapshot) -> PlanBuilder<'a> {
        let is_compatible = |(path, table): &(&TablePath, &InstalledTable)| {
            !desired.owned_tables.contains(path) || owned_table::is_compatible(path, table, desired)
        };
        PlanBuilder {
            desired,
            snapshot,
            compatible: snapshot.tables.iter().filter(is_compatible).collect(),
            detached: HashSet::new(),
            plan: Plan { generation: snapshot.generation, ..Plan::default() },
        }
    }

    /// Tables come first. A table of dwnl's that cannot be changed step by step is deleted and
    /// created again.
    fn tables(&mut self) -> Result<(), PlanError> {
        for path in self.desired.tables() {
            let Some(table) = self.snapshot.tables.get(path) else {
                self.plan.changes.push(Change::AddTable(path.clone()));
                continue;
            };
            check_owner(path, table.owner)?;
            if !self.compatible.contains_key(path) {
                self.plan.changes.push(owned_table::delete(path, table));
                self.plan.changes.push(Change::AddTable(path.clone()));
            }
        }
        Ok(())
    }

    /// Sets come before the rules that look them up. If a set is replaced, those rules are detached
    /// first.
    fn sets(&mut self) {
        let differences: Vec<_> =
            self.desired.sets.iter().map(|set| (set, self.difference(set))).collect();
        let replaced = differences.iter().filter(|(set, difference)| {
            difference.as_ref().is_some_and(|difference| self.is_replaced(set, difference))
        });
        let replaced: HashSet<&SetPath> = replaced.map(|(set, _)| &*set.path).collect();
        self.detach(&replaced);
        let changes = &mut self.plan.changes;
        for (set, difference) in differences {
            let Some(difference) = difference else {
                let (path, kind) = (Arc::clone(&set.path), set.kind);
                changes.push(Change::AddSet(Arc::clone(&path), kind));
                if kind.is_dynamic() {
                    continue;
                }
                let (elements, origin) = (Arc::clone(&set.elements), Arc::clone(&set.origin));
                changes.push(Change::AddElements { set: path, kind, elements, origin });
                continue;
            };
            self.plan.unchanged += difference.unchanged;
            self.plan.unchanged_elements += difference.unchanged;
            if replaced.contains(&*set.path) {
                difference.push_replacement(changes);
            } else {
                difference.push_onto(changes);
            }
        }
    }

    /// Maps come before the rules that look them up.
    fn add_maps(&mut self) {
        for map in &self.desired.maps {
            if self.installed_map(&map.path).is_none() {
                self.plan.changes.push(Change::AddMap(Arc::clone(&map.path)));
            }
        }
    }

    /// The elements of maps come after the chains that they go to.
    fn fill_maps(&mut self) {
        for map in &self.desired.maps {
            let installed = self.installed_map(&map.path).unwrap_or_default();
            let unchanged = map_diff::push(map, installed, &mut self.plan.changes);
            self.plan.unchanged += unchanged;
            self.plan.unchanged_elements += unchanged;
        }
    }

    fn installed_map(&self, map: &SetPath) -> Option<&'a [PortTarget]> {
        Some(self.compatible.get(&map.table)?.maps.get(&map.set)?)
    }

    /// The difference for the set, if it exists.
    fn difference(&self, set: &'a Set) -> Option<SetDiff<'a>> {
        let installed = self.compatible.get(&set.path.table)?.sets.get(&set.path.set)?;
        Some(SetDiff::new(set, &installed.elements))
    }

    /// Whether the set is replaced: because its capacity changes, or because replacing it is less
    /// work and it is certain which rules look it up, all of them in chains that stay. A set of intervals would
    /// be empty for packets until the end of the commit.
    fn is_replaced(&self, set: &Set, difference: &SetDiff) -> bool {
        let Some(table) = self.compatible.get(&set.path.table) else { return false };
        let kind = table.sets.get(&set.path.set).and_then(|installed| installed.kind);
        let is_less_work = || {
            difference.is_replacement()
                && owned_table::is_known(table)
                && !owned_table::looked_up_by_unused(&set.path.table, table, self.desired)
                    .contains(&set.path.set)
        };
        kind != Some(set.kind) || (!set.kind.is_intervals() && is_less_work())
    }

    /// Detaches the rules of each chain that looks up one of these sets.
    fn detach(&mut self, sets: &HashSet<&SetPath>) {
        for chain in &self.desired.chains {
            let path = &chain.path;
            let Some(installed) = self.installed(path) else { continue };
            let table = &path.table;
            let rules = installed.rules.iter().filter_map(|rule| rule.content.known());
            let mut looked_up = rules
                .flat_map(Rule::sets)
                .map(|set| SetPath { table: table.clone(), set: Arc::clone(set) });
            if looked_up.any(|set| sets.contains(&set)) {
                ChainDiff::new(chain, &installed.rules).detach_rules(&mut self.plan.changes);
                self.detached.insert(path);
            }
        }
    }

    fn installed(&self, path: &ChainPath) -> Option<&'a InstalledChain> {
        self.compatible.get(&path.table)?.chains.get(&path.chain)
    }

    fn chains(&mut self) -> Result<(), PlanError> {
        for chain in &self.desired.chains {
            let installed = match self.installed(&chain.path) {
                Some(installed) => {
                    check_base(chain, installed)?;
                    installed.rules.as_slice()
                }
                None => {
                    let path = Arc::clone(&chain.path);
                    self.plan.changes.push(Change::AddChain(path, chain.base));
                    &[]
                }
            };
            let difference = ChainDiff::new(chain, installed);
            self.plan.unchanged += difference.unchanged();
            if self.detached.contains(&*chain.path) {
                difference.reattach_rules(&mut self.plan.changes);
            } else {
                difference.push_onto(&mut self.plan.changes);
            }
        }
        Ok(())
    }

    /// Deletes dwnl's tables that are not desired, in its other tables the chains, sets and maps that are
    /// not, and its chains in foreign tables that are not needed.
    fn remove_unused(&mut self) -> Result<(), PlanError> {
        for path in &self.desired.unused {
            if let Some(installed) = self.snapshot.chain(path) {
                owned_table::delete_chain(path, installed, &mut self.plan.changes);
            }
        }
        let desired = self.desired.tables();
        for path in &self.desired.owned_tables {
            let Some(table) = self.snapshot.tables.get(path) else { continue };
            if !desired.contains(&path) {
                check_owner(path, table.owner)?;
                self.plan.changes.push(owned_table::delete(path, table));
            } else if self.compatible.contains_key(path) {
                let changes = &mut self.plan.changes;
                owned_table::delete_unused_chains(path, table, self.desired, changes);
                changes.extend(owned_table::unused_sets(path, table, self.desired));
            }
        }
        Ok(())
    }
}
