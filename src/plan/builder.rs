//! A plan in the making: step by step, each referring to what the steps before it have made.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::chain_diff::ChainDiff;
use super::error::{check_base, check_owner, check_services};
use super::set_diff::SetDiff;
use super::{Change, Plan, PlanError, owned_table};
use crate::compile::{foreign_translations, resolve};
use crate::model::{
    ChainPath, InstalledChain, InstalledTable, Rule, Ruleset, Set, SetPath, Snapshot, TablePath,
};

/// A plan in the making.
pub(super) struct PlanBuilder<'a> {
    desired: &'a Ruleset,
    snapshot: &'a Snapshot,
    /// The tables that can be built upon.
    fit: BTreeMap<&'a TablePath, &'a InstalledTable>,
    /// The chains whose rules have been taken out for a while.
    suspended: HashSet<&'a ChainPath>,
    plan: Plan,
}

impl<'a> PlanBuilder<'a> {
    /// The changes that turn the snapshot into the desired ruleset.
    pub(super) fn plan(desired: &Ruleset, snapshot: &Snapshot) -> Result<Plan, PlanError> {
        check_services(desired, snapshot)?;
        let foreign_translations = foreign_translations(desired, snapshot);
        let completed = resolve(desired, snapshot, &foreign_translations);
        let mut building = PlanBuilder::new(&completed, snapshot);
        building.tables()?;
        building.sets();
        building.chains()?;
        building.remove_unused()?;
        Ok(Plan { foreign_translations, ..building.plan })
    }

    fn new(desired: &'a Ruleset, snapshot: &'a Snapshot) -> PlanBuilder<'a> {
        let is_fit = |(path, table): &(&TablePath, &InstalledTable)| {
            !desired.owned_tables.contains(path) || owned_table::is_fit(path, table, desired)
        };
        PlanBuilder {
            desired,
            snapshot,
            fit: snapshot.tables.iter().filter(is_fit).collect(),
            suspended: HashSet::new(),
            plan: Plan { generation: snapshot.generation, ..Plan::default() },
        }
    }

    /// Tables come first. One of ours that cannot be built upon is deleted, to be made anew.
    fn tables(&mut self) -> Result<(), PlanError> {
        for path in self.desired.tables() {
            let Some(table) = self.snapshot.tables.get(path) else {
                self.plan.changes.push(Change::AddTable(path.clone()));
                continue;
            };
            check_owner(path, table.owner)?;
            if !self.fit.contains_key(path) {
                self.plan.changes.push(owned_table::delete(path, table));
                self.plan.changes.push(Change::AddTable(path.clone()));
            }
        }
        Ok(())
    }

    /// Sets come before the rules that look them up. Those rules are taken out for a while if
    /// their set is to be replaced.
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

    /// What is to be done with the set, if it exists.
    fn difference(&self, set: &'a Set) -> Option<SetDiff<'a>> {
        let installed = self.fit.get(&set.path.table)?.sets.get(&set.path.set)?;
        Some(SetDiff::new(set, &installed.elements))
    }

    /// Whether the set is to be replaced: because it has to be of another size, or because that is
    /// less work and it is certain which rules look it up.
    fn is_replaced(&self, set: &Set, difference: &SetDiff) -> bool {
        let Some(table) = self.fit.get(&set.path.table) else { return false };
        let kind = table.sets.get(&set.path.set).and_then(|installed| installed.kind);
        kind != Some(set.kind) || (difference.is_replacement() && owned_table::is_known(table))
    }

    /// Takes out, for a while, the rules of each chain that looks up one of these sets.
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
                ChainDiff::new(chain, &installed.rules).push_suspension(&mut self.plan.changes);
                self.suspended.insert(path);
            }
        }
    }

    fn installed(&self, path: &ChainPath) -> Option<&'a InstalledChain> {
        self.fit.get(&path.table)?.chains.get(&path.chain)
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
            if self.suspended.contains(&*chain.path) {
                difference.push_restoration(&mut self.plan.changes);
            } else {
                difference.push_onto(&mut self.plan.changes);
            }
        }
        Ok(())
    }

    /// Last go the tables of ours that are not desired, of the others the sets that are not, and our
    /// chains in others' tables that are not needed.
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
            } else if self.fit.contains_key(path) {
                self.plan.changes.extend(owned_table::unwanted_sets(path, table, self.desired));
            }
        }
        Ok(())
    }
}
