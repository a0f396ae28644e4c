//! Reads Docker's rules. They are read chain by chain, because their tables may hold many other rules.

use std::collections::BTreeMap;

use super::connection::{Connection, DumpStatus};
use super::{Error, host};
use crate::docker::{Discovery, is_docker_chain};
use crate::model::{ChainPath, Family, Name, Snapshot, TablePath};
use crate::netlink::{Dump, DumpedRule, decode_facts};

/// Adds a chain to the list if its rules have to be read.
pub(super) fn collect(chains: &mut Vec<ChainPath>, family: Family, table: &Name, chain: &Name) {
    let table = TablePath { family, table: table.clone() };
    let path = ChainPath { table, chain: chain.clone() };
    if is_docker_chain(&path) {
        chains.push(path);
    }
}

/// Reads what the rules of one table reveal, as they are dumped chain by chain.
pub(super) struct Reader<'a> {
    /// The chains of the table that have to be read.
    chains: Vec<&'a ChainPath>,
    /// The chain of the rule before.
    last: Option<&'a ChainPath>,
    discovery: &'a mut Discovery,
}

impl<'a> Reader<'a> {
    /// Those of these chains that are in the table are read.
    pub fn new(
        table: &TablePath,
        chains: &'a [ChainPath],
        discovery: &'a mut Discovery,
    ) -> Reader<'a> {
        let chains: Vec<&ChainPath> = chains.iter().filter(|it| it.table == *table).collect();
        // A chain without rules reveals something too.
        chains.iter().for_each(|chain| discovery.begin_chain(chain));
        Reader { chains, last: None, discovery }
    }

    /// Reads the next rule, and returns whether it is in one of these chains.
    pub fn read(&mut self, chain: &Name, rule: &DumpedRule) -> bool {
        let path = self.chains.iter().copied().find(|it| it.chain == *chain);
        let version = path.and_then(|path| path.table.family.version());
        if let Some((path, version)) = path.zip(version) {
            if self.last != Some(path) {
                self.discovery.begin_chain(path);
            }
            self.discovery.read_rule(path, &rule.facts(version));
        }
        self.last = path;
        path.is_some()
    }
}

/// Reads the rules of further chains, and then the host's interfaces if the rules refer to them: a bridge
/// exists before Docker writes a rule for it.
pub(super) fn discover(
    connection: &mut Connection,
    routes: &mut Connection,
    (mut discovery, chains): (Discovery, Vec<ChainPath>),
    snapshot: &mut Snapshot,
) -> Result<DumpStatus, Error> {
    for path in chains {
        discovery.begin_chain(&path);
        let Some(version) = path.table.family.version() else { continue };
        let what = Dump::Rules { table: &path.table.table, chain: Some(&path.chain) };
        let dumped = connection.dump(what, path.table.family, snapshot.generation, |message| {
            discovery.read_rule(&path, &decode_facts(message.attributes(), version));
            true
        })?;
        if dumped == DumpStatus::Interrupted {
            return Ok(dumped);
        }
    }
    let links = if discovery.needs_links() { host::links(routes)? } else { BTreeMap::new() };
    snapshot.docker = discovery.conclude(&links);
    Ok(DumpStatus::Complete)
}
