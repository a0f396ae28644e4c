//! Reads the sets of grants and bans.

use std::collections::HashSet;

use super::GrantReport;
use crate::compile::{DWNL, grant_sets};
use crate::engine::Error;
use crate::engine::connection::{Connection, DumpStatus};
use crate::engine::refused::{outline, state};
use crate::model::{Family, Grant, GrantFill, GrantSet, Recording, Snapshot, TablePath};
use crate::netlink::{Dump, decode_grants};

/// How often a set is read again because the ruleset changed meanwhile. Then what was read is reported:
/// where a program bans all the time, the ruleset always changes.
const ATTEMPTS: u32 = 3;

/// Whether a guard was installed at one generation, and the sets that there were.
#[derive(Clone, Debug)]
pub(in crate::engine) struct GrantSets {
    generation: u32,
    state: Recording,
    sets: Vec<GrantSet>,
}

impl GrantSets {
    /// Those of a snapshot.
    pub fn of(snapshot: &Snapshot) -> GrantSets {
        let own = TablePath { family: Family::Inet, table: DWNL.into() };
        let sets: Vec<GrantSet> =
            snapshot.tables.get(&own).into_iter().flat_map(grant_sets).collect();
        let state = state(snapshot, !sets.is_empty());
        GrantSets { generation: snapshot.generation, state, sets }
    }
}

/// Reads the sets, of each at most about `limit` elements. If there are more, the connection cannot
/// dump anything any more. `known`: the sets that there were at some generation.
pub(super) fn read(
    connection: &mut Connection,
    limit: usize,
    known: Option<&GrantSets>,
) -> Result<GrantReport, Error> {
    let generation = connection.generation()?;
    let GrantSets { state, sets, .. } = match known.filter(|it| it.generation == generation) {
        Some(known) => known.clone(),
        None => present(connection)?,
    };
    let mut report = GrantReport { state, is_complete: true, ..GrantReport::default() };
    for set in sets {
        let Elements { grants, is_complete } = read_from(connection, set, limit, generation)?;
        report.fill.push(GrantFill { set, elements: grants.len() });
        report.grants.extend(grants);
        report.is_complete &= is_complete;
        if !is_complete {
            break;
        }
    }
    let end = |grant: &Grant| (grant.remaining.is_none(), grant.remaining);
    report.grants.sort_by_key(|it| (end(it), it.action, it.source, it.ports));
    Ok(report)
}

/// Whether a guard is installed, and the sets that there are.
pub(super) fn installed(connection: &mut Connection) -> Result<(Recording, Vec<GrantSet>), Error> {
    let GrantSets { state, sets, .. } = present(connection)?;
    Ok((state, sets))
}

fn present(connection: &mut Connection) -> Result<GrantSets, Error> {
    let own = TablePath { family: Family::Inet, table: DWNL.into() };
    for _ in 0..ATTEMPTS {
        let generation = connection.generation()?;
        if let Some(snapshot) = outline(connection, &own, generation)? {
            return Ok(GrantSets::of(&snapshot));
        }
    }
    Err(Error::Conflict { attempts: ATTEMPTS })
}

/// The elements of a set.
pub(super) struct Elements {
    pub grants: Vec<Grant>,
    /// Whether these are all.
    pub is_complete: bool,
}

/// The elements of a set. One that is moved while the kernel's table grows may be dumped twice.
pub(super) fn elements(
    connection: &mut Connection,
    set: GrantSet,
    limit: usize,
) -> Result<Elements, Error> {
    let generation = connection.generation()?;
    read_from(connection, set, limit, generation)
}

/// The same, with the generation that the ruleset is probably at.
fn read_from(
    connection: &mut Connection,
    set: GrantSet,
    limit: usize,
    mut generation: u32,
) -> Result<Elements, Error> {
    let mut read = Elements { grants: Vec::new(), is_complete: true };
    for attempt in 1..=ATTEMPTS {
        read.grants.clear();
        let status = at_generation(connection, set, generation, limit, &mut read)?;
        if status == DumpStatus::Complete || !read.is_complete || attempt == ATTEMPTS {
            break;
        }
        generation = connection.generation()?;
    }
    let mut seen = HashSet::with_capacity(read.grants.len());
    read.grants.retain(|it| seen.insert((it.source, it.ports)));
    Ok(read)
}

/// The same, all at one generation; `None` if the ruleset changed meanwhile.
pub(super) fn consistent(
    connection: &mut Connection,
    set: GrantSet,
    generation: u32,
) -> Result<Option<Vec<Grant>>, Error> {
    let mut read = Elements { grants: Vec::new(), is_complete: true };
    let status = at_generation(connection, set, generation, usize::MAX, &mut read)?;
    Ok((status == DumpStatus::Complete).then_some(read.grants))
}

fn at_generation(
    connection: &mut Connection,
    set: GrantSet,
    generation: u32,
    limit: usize,
    read: &mut Elements,
) -> Result<DumpStatus, Error> {
    let name = set.to_string();
    let what = Dump::Elements { table: DWNL, set: &name };
    let Elements { grants, is_complete } = read;
    connection.dump_some(what, Family::Inet, generation, |message| {
        decode_grants(message.attributes(), set, grants);
        *is_complete = grants.len() <= limit;
        *is_complete
    })
}
