//! What Docker's rules tell about it: they are read chain by chain, because the tables that they
//! stand in may hold many others.

use super::Error;
use super::connection::{Connection, Dumped};
use crate::compile::{learn_chain, learn_rule, tells_of_docker};
use crate::netlink::{Dump, decode_traits};
use crate::ruleset::{ChainPath, Family, Name, Snapshot, TablePath};

/// Notes a chain that exists, if its rules have to be read.
pub(super) fn note(chains: &mut Vec<ChainPath>, family: Family, table: &Name, chain: &Name) {
    let table = TablePath { family, table: table.clone() };
    let path = ChainPath { table, chain: chain.clone() };
    if tells_of_docker(&path) {
        chains.push(path);
    }
}

/// Reads the rules of the chains.
pub(super) fn learn(
    connection: &mut Connection,
    chains: Vec<ChainPath>,
    snapshot: &mut Snapshot,
) -> Result<Dumped, Error> {
    let Snapshot { generation, docker, .. } = snapshot;
    for path in chains {
        learn_chain(docker, &path);
        let family = path.table.family;
        let what = Dump::Rules { table: &path.table.table, chain: Some(&path.chain) };
        let dumped = connection.dump(what, family, *generation, |message| {
            learn_rule(docker, &path, &decode_traits(message.attributes(), family));
            true
        })?;
        if dumped == Dumped::Interrupted {
            return Ok(dumped);
        }
    }
    Ok(Dumped::Whole)
}
