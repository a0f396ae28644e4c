//! The sets that are part of a single rule: `tcp dport { 80, 443 }`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::connection::Connection;
use super::Error;
use crate::model::kernel::RulePart;
use crate::model::{KernelRule, KernelSet, Name, TablePath};
use crate::netlink::{Dump, DumpedKernelElements, decode_kernel_set};

/// What the kernel's names of such sets begin with.
const ANONYMOUS: &str = "__";

/// Gives a rule the sets that are part of it. A set is left out if the ruleset has changed since this
/// generation.
pub fn attach(
    connection: &mut Connection,
    table: &TablePath,
    rule: &mut KernelRule,
    generation: u32,
) -> Result<(), Error> {
    let lookups = rule.parts.iter_mut().filter_map(|part| match part {
        RulePart::Lookup(lookup) if lookup.set.starts_with(ANONYMOUS) => Some(lookup),
        _ => None,
    });
    let lookups: Vec<_> = lookups.collect();
    if lookups.is_empty() {
        return Ok(());
    }
    let sets = read_sets(connection, table, generation)?;
    for lookup in lookups {
        let Some(set) = sets.get(&lookup.set) else { continue };
        let mut set = set.clone();
        read_elements(connection, table, &lookup.set, &mut set, generation)?;
        lookup.content = Some(Arc::new(set));
    }
    Ok(())
}

/// The sets of a table that are part of rules, without their elements.
fn read_sets(
    connection: &mut Connection,
    table: &TablePath,
    generation: u32,
) -> Result<BTreeMap<Name, KernelSet>, Error> {
    let mut sets = BTreeMap::new();
    let what = Dump::Sets { table: &table.table };
    connection.dump(what, table.family, generation, |message| {
        let set = decode_kernel_set(message.attributes());
        sets.extend(set.clone().filter(|(_, set)| set.anonymous));
        set.is_some()
    })?;
    Ok(sets)
}

fn read_elements(
    connection: &mut Connection,
    table: &TablePath,
    name: &Name,
    set: &mut KernelSet,
    generation: u32,
) -> Result<(), Error> {
    let mut elements = DumpedKernelElements::default();
    let what = Dump::Elements { table: &table.table, set: name };
    connection.dump(what, table.family, generation, |message| {
        elements.read(message.attributes()).is_some()
    })?;
    elements.fill(set);
    Ok(())
}
