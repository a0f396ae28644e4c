//! Reads Docker's rules. They are read chain by chain, because their tables may hold many other rules.

use std::collections::BTreeMap;

use super::connection::{Connection, DumpStatus};
use super::{Error, host};
use crate::docker::Discovery;
use crate::model::{ChainPath, Docker, TablePath};
use crate::netlink::{Dump, DumpedRule, decode_facts};

/// Minimum number of rules and jumps for a second thread.
const MANY: u32 = 256;

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
    pub fn read(&mut self, chain: &str, rule: &DumpedRule) -> bool {
        let path = self.chains.iter().copied().find(|it| &*it.chain == chain);
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

/// Chains with rules of Docker in tables of which nothing else is read.
#[derive(Default)]
pub(super) struct OtherChains {
    chains: Vec<ChainPath>,
    /// The number of their rules and of the jumps to them.
    uses: u32,
}

impl OtherChains {
    /// Adds a chain.
    pub fn push(&mut self, path: ChainPath, uses: u32) {
        self.chains.push(path);
        self.uses = self.uses.saturating_add(uses);
    }

    /// Whether reading them takes longer than starting a thread.
    pub fn are_many(&self) -> bool {
        self.uses >= MANY
    }

    /// What their rules reveal; `None` if the ruleset changed while they were read.
    pub fn read(
        &self,
        connection: &mut Connection,
        generation: u32,
    ) -> Result<Option<Discovery>, Error> {
        let mut discovery = Discovery::default();
        for path in &self.chains {
            discovery.begin_chain(path);
            let Some(version) = path.table.family.version() else { continue };
            let what = Dump::Rules { table: &path.table.table, chain: Some(&path.chain) };
            let dumped = connection.dump(what, path.table.family, generation, |message| {
                discovery.read_rule(path, &decode_facts(message.attributes(), version));
                true
            })?;
            if dumped == DumpStatus::Interrupted {
                return Ok(None);
            }
        }
        Ok(Some(discovery))
    }
}

/// What the rules reveal, on a host with the interfaces that it has now. They are read after the rules: a
/// bridge exists before Docker writes a rule for it.
pub(super) fn conclude(discovery: Discovery, routes: &mut Connection) -> Result<Docker, Error> {
    let links = if discovery.needs_links() { host::links(routes)? } else { BTreeMap::new() };
    Ok(discovery.conclude(&links))
}
