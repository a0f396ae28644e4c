//! A plan in the making: step by step, each referring to what the steps before it have made.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::difference::Difference;
use super::elements::ElementDifference;
use super::obstacle::{check_base, check_owner};
use super::{Change, Obstacle, Plan, own};
use crate::ruleset::{InstalledTable, Ruleset, Snapshot, TablePath};

/// A plan in the making.
pub(super) struct Building<'a> {
    wanted: &'a Ruleset,
    snapshot: &'a Snapshot,
    /// The tables that can be built upon.
    fit: BTreeMap<&'a TablePath, &'a InstalledTable>,
    plan: Plan,
}

impl<'a> Building<'a> {
    /// The changes that turn the snapshot into the wanted ruleset.
    pub(super) fn plan(wanted: &'a Ruleset, snapshot: &'a Snapshot) -> Result<Plan, Obstacle> {
        let mut building = Building::new(wanted, snapshot);
        building.tables()?;
        building.sets();
        building.chains()?;
        building.unwanted();
        Ok(building.plan)
    }

    fn new(wanted: &'a Ruleset, snapshot: &'a Snapshot) -> Building<'a> {
        let is_fit = |(path, table): &(&TablePath, &InstalledTable)| {
            !wanted.own_tables.contains(path) || own::is_fit(path, table, wanted)
        };
        Building {
            wanted,
            snapshot,
            fit: snapshot.tables.iter().filter(is_fit).collect(),
            plan: Plan { generation: snapshot.generation, ..Plan::default() },
        }
    }

    /// Tables come first. One of ours that is of no use is deleted, to be made anew.
    fn tables(&mut self) -> Result<(), Obstacle> {
        for path in self.wanted.tables() {
            let Some(table) = self.snapshot.tables.get(path) else {
                self.plan.changes.push(Change::AddTable(path.clone()));
                continue;
            };
            check_owner(path, table.owner)?;
            if !self.fit.contains_key(path) {
                own::delete(path, table, &mut self.plan.changes);
                self.plan.changes.push(Change::AddTable(path.clone()));
            }
        }
        Ok(())
    }

    /// Sets come before the rules that look them up.
    fn sets(&mut self) {
        for set in &self.wanted.sets {
            let installed = self.fit.get(&set.path.table);
            let elements = match installed.and_then(|table| table.sets.get(&set.path.set)) {
                Some(installed) => &*installed.elements,
                None => {
                    self.plan.changes.push(Change::AddSet(Arc::clone(&set.path), set.kind));
                    &[]
                }
            };
            let difference = ElementDifference::new(&set.elements, elements);
            self.plan.unchanged += difference.unchanged();
            difference.push_onto(set, &mut self.plan.changes);
        }
    }

    fn chains(&mut self) -> Result<(), Obstacle> {
        for chain in &self.wanted.chains {
            let table = self.fit.get(&chain.path.table);
            let installed = match table.and_then(|table| table.chains.get(&chain.path.chain)) {
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
            let difference = Difference::new(chain, installed);
            self.plan.unchanged += difference.unchanged();
            difference.push_onto(&mut self.plan.changes);
        }
        Ok(())
    }

    /// Last goes what the tables of ours hold beside what is wanted.
    fn unwanted(&mut self) {
        let wanted = self.wanted.tables();
        for path in &self.wanted.own_tables {
            let Some(table) = self.fit.get(path) else { continue };
            if wanted.contains(&path) {
                own::delete_unwanted(path, table, self.wanted, &mut self.plan.changes);
            } else {
                own::delete(path, table, &mut self.plan.changes);
            }
        }
    }
}
