//! Reads the tables of every program, with their rules and sets.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::connection::{Connection, DumpStatus};
use super::{ATTEMPTS_MAX, Engine, Error};
use crate::model::kernel::RulePart;
use crate::model::{Family, KernelRuleset, KernelSet, KernelTable, Name, TablePath};
use crate::netlink::{
    Dump, DumpedKernelElements, decode_kernel_chain, decode_kernel_rule, decode_kernel_set,
    decode_kernel_table,
};

impl Engine {
    /// Reads the whole ruleset of the families `ip`, `ip6` and `inet`, all of it at one generation:
    /// the tables of every program, with the elements of their sets.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn read_ruleset(&mut self) -> Result<KernelRuleset, Error> {
        let [connection, _] = &mut self.connections;
        for _ in 0..ATTEMPTS_MAX {
            let generation = connection.generation()?;
            let ruleset = KernelRuleset { generation, tables: BTreeMap::new() };
            if let Some(ruleset) = (Reader { connection, ruleset }).attempt()? {
                return Ok(ruleset);
            }
        }
        Err(Error::Conflict { attempts: ATTEMPTS_MAX })
    }
}

struct Reader<'a> {
    connection: &'a mut Connection,
    ruleset: KernelRuleset,
}

impl Reader<'_> {
    /// The ruleset; `None` if it changed while it was read.
    fn attempt(mut self) -> Result<Option<KernelRuleset>, Error> {
        for family in Family::ALL {
            for step in [Self::tables, Self::chains, Self::contents] {
                if step(&mut self, family)? == DumpStatus::Interrupted {
                    return Ok(None);
                }
            }
        }
        Ok(Some(self.ruleset))
    }

    fn tables(&mut self, family: Family) -> Result<DumpStatus, Error> {
        let Reader { connection, ruleset } = self;
        connection.dump(Dump::Tables, family, ruleset.generation, |message| {
            let Some((table, read)) = decode_kernel_table(message.attributes()) else {
                return false;
            };
            ruleset.tables.insert(TablePath { family, table }, read);
            true
        })
    }

    fn chains(&mut self, family: Family) -> Result<DumpStatus, Error> {
        let Reader { connection, ruleset } = self;
        connection.dump(Dump::Chains, family, ruleset.generation, |message| {
            let Some((table, name, chain)) = decode_kernel_chain(message.attributes()) else {
                return false;
            };
            if let Some(table) = ruleset.tables.get_mut(&TablePath { family, table }) {
                table.chains.insert(name, chain);
            }
            true
        })
    }

    /// The rules and sets of each table.
    fn contents(&mut self, family: Family) -> Result<DumpStatus, Error> {
        let Reader { connection, ruleset } = self;
        let generation = ruleset.generation;
        for (path, table) in &mut ruleset.tables {
            if path.family != family {
                continue;
            }
            let mut contents = Contents { connection, path, generation };
            let read = [contents.rules(table)?, contents.sets(table)?];
            if read.contains(&DumpStatus::Interrupted) {
                return Ok(DumpStatus::Interrupted);
            }
        }
        Ok(DumpStatus::Complete)
    }
}

/// Reads what is in one table.
struct Contents<'a> {
    connection: &'a mut Connection,
    path: &'a TablePath,
    generation: u32,
}

impl Contents<'_> {
    fn rules(&mut self, table: &mut KernelTable) -> Result<DumpStatus, Error> {
        let TablePath { family, table: name } = self.path;
        let what = Dump::Rules { table: name, chain: None };
        self.connection.dump(what, *family, self.generation, |message| {
            let Some((_, chain, rule)) = decode_kernel_rule(message.attributes(), *family) else {
                return false;
            };
            if let Some(chain) = table.chains.get_mut(&chain) {
                chain.rules.push(rule);
            }
            true
        })
    }

    fn sets(&mut self, table: &mut KernelTable) -> Result<DumpStatus, Error> {
        let TablePath { family, table: name } = self.path;
        let mut sets: Vec<(Name, KernelSet)> = Vec::new();
        let what = Dump::Sets { table: name };
        let dumped = self.connection.dump(what, *family, self.generation, |message| {
            decode_kernel_set(message.attributes()).map(|set| sets.push(set)).is_some()
        })?;
        if dumped == DumpStatus::Interrupted {
            return Ok(dumped);
        }
        for (set, mut read) in sets {
            if self.elements(&set, &mut read)? == DumpStatus::Interrupted {
                return Ok(DumpStatus::Interrupted);
            }
            table.sets.insert(set, Arc::new(read));
        }
        attach_anonymous_sets(table);
        Ok(DumpStatus::Complete)
    }

    fn elements(&mut self, name: &Name, set: &mut KernelSet) -> Result<DumpStatus, Error> {
        let TablePath { family, table } = self.path;
        let mut elements = DumpedKernelElements::default();
        let what = Dump::Elements { table, set: name };
        let dumped = self.connection.dump(what, *family, self.generation, |message| {
            elements.read(message.attributes()).is_some()
        })?;
        elements.fill(set);
        Ok(dumped)
    }
}

/// Gives each rule the sets that are part of it.
fn attach_anonymous_sets(table: &mut KernelTable) {
    let rules = table.chains.values_mut().flat_map(|chain| &mut chain.rules);
    for part in rules.flat_map(|rule| &mut rule.parts) {
        let RulePart::Lookup(lookup) = part else { continue };
        let set = table.sets.get(&lookup.set).filter(|set| set.anonymous);
        lookup.content = set.map(Arc::clone);
    }
}
