//! Reads what the guard refused from the sets in which the kernel records it.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::net::IpAddr;

use super::connection::{Connection, DumpStatus};
use super::{ATTEMPTS_MAX, Engine, Error};
use crate::compile::{BLOCK, DWNL, holds_guard, refusal_sets};
use crate::docker::NAT;
use crate::model::{
    Family, InstalledTable, Name, Protocol, Recording, RefusalFill, RefusalSet, RefusedReport,
    Snapshot, TablePath,
};
use crate::netlink::{Dump, Refused, decode_chain, decode_refused, decode_set, is_anonymous};

impl Engine {
    /// Reads which sources the guard refused, at which ports, how often and when last. The kernel
    /// records it as packets pass; no process has to run. An entry is forgotten a day after its last
    /// packet.
    ///
    /// What the guard drops is recorded if it is TCP, UDP or SCTP of a flow that conntrack knows. Packets
    /// of other protocols, and those that conntrack finds invalid or does not track, are only counted by
    /// the rule that drops them: see [`GuardDrops`](crate::GuardDrops).
    ///
    /// # Errors
    /// See [`Error`].
    pub fn refused(&mut self) -> Result<RefusedReport, Error> {
        let connection = &mut self.connections[0];
        for _ in 0..ATTEMPTS_MAX {
            if let Some(report) = read(connection)? {
                return Ok(report);
            }
        }
        Err(Error::Conflict { attempts: ATTEMPTS_MAX })
    }
}

/// The report; `None` if the ruleset changed while it was read.
fn read(connection: &mut Connection) -> Result<Option<RefusedReport>, Error> {
    let generation = connection.generation()?;
    let own = TablePath { family: Family::Inet, table: DWNL.into() };
    let Some(snapshot) = outline(connection, &own, generation)? else { return Ok(None) };
    let mut report = RefusedReport { recording: recording(&snapshot, &own), ..Default::default() };
    let sets: Vec<RefusalSet> =
        snapshot.tables.get(&own).into_iter().flat_map(refusal_sets).collect();
    for set in sets {
        let Some(elements) = elements(connection, set, generation)? else { return Ok(None) };
        report.fill.push(RefusalFill { set, entries: elements.len() });
        for element in elements {
            match element {
                Refused::Source(source) => report.sources.push(source),
                Refused::Port(port) => report.ports.push(port),
            }
        }
    }
    report.sources.sort_by_key(|it| (it.last, Reverse(it.packets), it.source, it.port));
    report.ports.sort_by_key(|it| (Reverse(it.packets), it.port, it.protocol, it.path));
    Ok(Some(report))
}

/// The names of dwnl's chains, and its sets; `None` if the ruleset changed meanwhile.
pub(super) fn outline(
    connection: &mut Connection,
    own: &TablePath,
    generation: u32,
) -> Result<Option<Snapshot>, Error> {
    let mut snapshot = Snapshot { generation, ..Snapshot::default() };
    for family in Family::ALL {
        let is_relevant = |table: &Name| match family {
            Family::Inet => table.as_ref() == DWNL,
            Family::Ip | Family::Ip6 => table.as_ref() == NAT,
        };
        let dumped = connection.dump(Dump::Chains, family, generation, |message| {
            let Some((table, chain, installed)) = decode_chain(message.attributes()) else {
                return false;
            };
            if is_relevant(&table) {
                let table = snapshot.tables.entry(TablePath { family, table }).or_default();
                table.chains.insert(chain, installed);
            }
            true
        })?;
        if dumped == DumpStatus::Interrupted {
            return Ok(None);
        }
    }
    let Some(InstalledTable { sets, .. }) = snapshot.tables.get_mut(own) else {
        return Ok(Some(snapshot));
    };
    let dumped =
        connection.dump(Dump::Sets { table: DWNL }, own.family, generation, |message| {
            let set = decode_set(message.attributes());
            is_anonymous(message.attributes())
                || set.map(|(name, set)| sets.insert(name, set)).is_some()
        })?;
    Ok((dumped == DumpStatus::Complete).then_some(snapshot))
}

fn recording(snapshot: &Snapshot, own: &TablePath) -> Recording {
    let mut sets = snapshot.tables.get(own).into_iter().flat_map(refusal_sets);
    state(snapshot, sets.next().is_some())
}

/// What a guard is installed, that has the sets in question or not.
pub(super) fn state(snapshot: &Snapshot, has_sets: bool) -> Recording {
    let holds_chain = |name: &str| snapshot.tables.values().any(|it| it.chains.contains_key(name));
    match holds_guard(snapshot) {
        true if has_sets => Recording::Active,
        true => Recording::Outdated,
        false if holds_chain(BLOCK) => Recording::GuardOff,
        false => Recording::NotInstalled,
    }
}

/// The elements of a set. One that is moved while the kernel's table grows may be dumped twice.
fn elements(
    connection: &mut Connection,
    set: RefusalSet,
    generation: u32,
) -> Result<Option<Vec<Refused>>, Error> {
    let mut elements = Vec::new();
    let name = set.to_string();
    let what = Dump::Elements { table: DWNL, set: &name };
    let dumped = connection.dump(what, Family::Inet, generation, |message| {
        decode_refused(message.attributes(), set, &mut elements);
        true
    })?;
    Ok((dumped == DumpStatus::Complete).then(|| {
        let mut seen = HashSet::with_capacity(elements.len());
        elements.retain(|element| seen.insert(key(element)));
        elements
    }))
}

fn key(element: &Refused) -> (Option<IpAddr>, Protocol, u16) {
    match element {
        Refused::Source(it) => (Some(it.source), it.protocol, it.port),
        Refused::Port(it) => (None, it.protocol, it.port),
    }
}
