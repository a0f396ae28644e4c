//! Taking a snapshot: dumps of tables, chains and rules, all of one generation.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::connection::{Connection, Dumped};
use super::memory::Memory;
use super::{ATTEMPTS_MAX, Error};
use crate::netlink::{
    Dump, decode_chain, decode_elements, decode_rule, decode_set, decode_table, intervals,
};
use crate::ruleset::{Family, InstalledSet, Name, Ruleset, SetPath, Snapshot, TablePath};

/// Reads the tables of `ruleset`, from the beginning again whenever somebody changes something
/// meanwhile. Elements that are remembered are not read.
pub(super) fn take(
    connection: &mut Connection,
    memory: &Memory,
    ruleset: &Ruleset,
) -> Result<Snapshot, Error> {
    let tables: BTreeSet<&TablePath> =
        ruleset.tables().into_iter().chain(&ruleset.own_tables).collect();
    for _ in 0..ATTEMPTS_MAX {
        if let Some(snapshot) = (Taking { connection, memory, tables: &tables }).attempt()? {
            return Ok(snapshot);
        }
    }
    Err(Error::Conflict { attempts: ATTEMPTS_MAX })
}

struct Taking<'a> {
    connection: &'a mut Connection,
    memory: &'a Memory,
    tables: &'a BTreeSet<&'a TablePath>,
}

impl Taking<'_> {
    /// The snapshot, or `None` if it would be of more than one generation.
    fn attempt(&mut self) -> Result<Option<Snapshot>, Error> {
        let generation = self.connection.generation()?;
        let mut snapshot = Snapshot { generation, ..Snapshot::default() };
        for family in Family::ALL {
            for step in [Self::tables, Self::chains, Self::rules, Self::sets] {
                if step(self, family, &mut snapshot)? == Dumped::Interrupted {
                    return Ok(None);
                }
            }
        }
        Ok(Some(snapshot))
    }

    fn tables(&mut self, family: Family, snapshot: &mut Snapshot) -> Result<Dumped, Error> {
        let wanted = self.tables;
        self.connection.dump(Dump::Tables, family, snapshot.generation, |message| {
            let Some((table, installed)) = decode_table(message.attributes()) else { return false };
            let path = TablePath { family, table };
            if wanted.contains(&path) {
                snapshot.tables.insert(path, installed);
            }
            true
        })
    }

    fn chains(&mut self, family: Family, snapshot: &mut Snapshot) -> Result<Dumped, Error> {
        self.connection.dump(Dump::Chains, family, snapshot.generation, |message| {
            let Some((table, chain, installed)) = decode_chain(message.attributes()) else {
                return false;
            };
            if let Some(table) = snapshot.tables.get_mut(&TablePath { family, table }) {
                table.chains.insert(chain, installed);
            }
            true
        })
    }

    fn rules(&mut self, family: Family, snapshot: &mut Snapshot) -> Result<Dumped, Error> {
        let of_family = |path: &&TablePath| path.family == family;
        let paths: Vec<TablePath> = snapshot.tables.keys().filter(of_family).cloned().collect();
        for path in paths {
            let Some(table) = snapshot.tables.get_mut(&path) else { continue };
            let what = Dump::Rules { table: &path.table };
            let dumped = self.connection.dump(what, family, snapshot.generation, |message| {
                let Some((_, chain, rule)) = decode_rule(message.attributes(), family) else {
                    return false;
                };
                if let Some(chain) = table.chains.get_mut(&chain) {
                    chain.rules.push(rule);
                }
                true
            })?;
            if dumped == Dumped::Interrupted {
                return Ok(dumped);
            }
        }
        Ok(Dumped::Whole)
    }

    /// Only a table of ours has sets that matter.
    fn sets(&mut self, family: Family, snapshot: &mut Snapshot) -> Result<Dumped, Error> {
        if family != Family::Inet {
            return Ok(Dumped::Whole);
        }
        let generation = snapshot.generation;
        let own = snapshot.tables.iter_mut().filter(|(path, _)| path.family == family);
        for (path, installed) in own {
            let what = Dump::Sets { table: &path.table };
            let sets = &mut installed.sets;
            let dumped = self.connection.dump(what, family, generation, |message| {
                let set = decode_set(message.attributes());
                set.map(|(name, set)| sets.insert(name, set)).is_some()
            })?;
            if dumped == Dumped::Interrupted {
                return Ok(dumped);
            }
            for (name, set) in sets {
                if self.elements(path, name, set, generation)? == Dumped::Interrupted {
                    return Ok(Dumped::Interrupted);
                }
            }
        }
        Ok(Dumped::Whole)
    }

    fn elements(
        &mut self,
        path: &TablePath,
        name: &Name,
        set: &mut InstalledSet,
        generation: u32,
    ) -> Result<Dumped, Error> {
        let Some(kind) = set.kind else { return Ok(Dumped::Whole) };
        let set_path = SetPath { table: path.clone(), set: Arc::clone(name) };
        if let Some(elements) = self.memory.recall(generation, &set_path) {
            set.elements = elements;
            return Ok(Dumped::Whole);
        }
        let mut keys = Vec::new();
        let what = Dump::Elements { table: &path.table, set: name };
        let dumped = self.connection.dump(what, path.family, generation, |message| {
            decode_elements(message.attributes(), &mut keys).is_some()
        })?;
        set.elements = intervals(keys, kind).into();
        Ok(dumped)
    }
}
