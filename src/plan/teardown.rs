//! The changes that remove everything that dwnl installed, and nothing else.

use std::collections::HashSet;
use std::sync::Arc;

use super::chain_diff::{delete, flush, own_rules};
use super::{Change, PlanError, owned_table};
use crate::model::{
    Chain, ChainPath, InstalledChain, Name, Ownership, Ruleset, Snapshot, TablePath,
};

/// The removal of the chains and rules of `owned` from what the snapshot holds.
pub(super) struct Teardown<'a> {
    snapshot: &'a Snapshot,
    changes: Vec<Change>,
    deleted_rules: HashSet<(TablePath, u64)>,
    deleted_chains: HashSet<ChainPath>,
}

impl<'a> Teardown<'a> {
    /// The changes, in order.
    ///
    /// # Errors
    /// If a foreign rule still jumps to a chain of dwnl's.
    pub(super) fn changes(
        owned: &Ruleset,
        snapshot: &'a Snapshot,
    ) -> Result<Vec<Change>, PlanError> {
        let mut teardown = Teardown {
            snapshot,
            changes: Vec::new(),
            deleted_rules: HashSet::new(),
            deleted_chains: HashSet::new(),
        };
        // Chains are deleted after those whose rules jump to them.
        for chain in owned.chains.iter().rev() {
            if let Some(installed) = snapshot.chain(&chain.path) {
                teardown.remove_rules(chain, installed)?;
            }
        }
        teardown.delete_tables(owned);
        for path in &owned.owned_tables {
            if let Some(table) = snapshot.tables.get(path) {
                teardown.changes.push(owned_table::delete(path, table));
            }
        }
        Ok(teardown.changes)
    }

    fn remove_rules(&mut self, chain: &Chain, installed: &InstalledChain) -> Result<(), PlanError> {
        self.delete_rules(chain, installed);
        let table = &chain.path.table;
        let is_empty = installed.rules.iter().all(|rule| self.is_deleted(table, rule.handle));
        match self.reference_to(&chain.path) {
            Some((referrer, position)) if chain.ownership == Ownership::Exclusive => {
                return Err(PlanError::ChainInUse {
                    chain: chain.path.as_ref().clone(),
                    referrer,
                    position,
                });
            }
            None if is_empty
                && (installed.created_by_dwnl || chain.ownership == Ownership::Exclusive) =>
            {
                self.changes.push(Change::DeleteChain(Arc::clone(&chain.path)));
                self.deleted_chains.insert(chain.path.as_ref().clone());
            }
            _ => {}
        }
        Ok(())
    }

    fn delete_rules(&mut self, chain: &Chain, installed: &InstalledChain) {
        let table = &chain.path.table;
        let mut mark = |handle| self.deleted_rules.insert((table.clone(), handle));
        match chain.ownership {
            Ownership::Referenced => {}
            Ownership::Leading => {
                for rule in own_rules(chain, &installed.rules) {
                    mark(rule.handle);
                    self.changes.push(delete(chain, rule));
                }
            }
            Ownership::Exclusive if installed.rules.is_empty() => {}
            Ownership::Exclusive => {
                installed.rules.iter().for_each(|rule| {
                    mark(rule.handle);
                });
                self.changes.push(flush(&chain.path, &installed.rules));
            }
        }
    }

    fn is_deleted(&self, table: &TablePath, handle: u64) -> bool {
        self.deleted_rules.contains(&(table.clone(), handle))
    }

    /// The first rule left, with its chain and position, that sends packets to the chain.
    fn reference_to(&self, path: &ChainPath) -> Option<(Name, usize)> {
        let chains = &self.snapshot.tables.get(&path.table)?.chains;
        chains.iter().find_map(|(name, chain)| {
            let refers = chain.rules.iter().position(|rule| {
                rule.content.target() == Some(&path.chain)
                    && !self.is_deleted(&path.table, rule.handle)
            });
            refers.map(|position| (Arc::clone(name), position + 1))
        })
    }

    /// Deletes the tables that dwnl created and in which nothing is left.
    fn delete_tables(&mut self, owned: &Ruleset) {
        let tables: Vec<&TablePath> = owned.tables();
        for path in tables {
            let Some(table) = self.snapshot.tables.get(path) else { continue };
            let is_empty = table.chains.keys().all(|chain| {
                let path = ChainPath { table: path.clone(), chain: Arc::clone(chain) };
                self.deleted_chains.contains(&path)
            });
            if table.created_by_dwnl && is_empty {
                let contents = Vec::new();
                self.changes.push(Change::DeleteTable { table: path.clone(), contents });
            }
        }
    }
}
