//! Reads Docker's rules. They are read chain by chain, because their tables may hold many other rules.

use std::collections::BTreeMap;

use super::connection::{Connection, DumpStatus};
use super::{Error, host};
use crate::docker::{Discovery, is_docker_chain};
use crate::model::{ChainPath, Family, Name, Snapshot, TablePath};
use crate::netlink::{Dump, decode_facts};

/// Adds a chain to the list if its rules have to be read.
pub(super) fn collect(chains: &mut Vec<ChainPath>, family: Family, table: &Name, chain: &Name) {
    let table = TablePath { family, table: table.clone() };
    let path = ChainPath { table, chain: chain.clone() };
    if is_docker_chain(&path) {
        chains.push(path);
    }
}

/// Reads the rules of the chains, and then the host's interfaces if the rules refer to them: a bridge
/// exists before Docker writes a rule for it.
pub(super) fn discover(
    connection: &mut Connection,
    routes: &mut Connection,
    chains: Vec<ChainPath>,
    snapshot: &mut Snapshot,
) -> Result<DumpStatus, Error> {
    let mut discovery = Discovery::default();
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
