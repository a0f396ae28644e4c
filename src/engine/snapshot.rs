//! Takes a snapshot: dumps tables, chains, rules and sets, all at one generation.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::beside::beside;
use super::connection::{Connection, DumpStatus};
use super::docker::OtherChains;
use super::set_cache::SetCache;
use super::set_reader::{self, PendingSet};
use super::{ATTEMPTS_MAX, Error, docker};
use crate::compile::DWNL;
use crate::docker::{Discovery, is_docker_chain};
use crate::model::{
    ChainPath, Family, Hook, InstalledChain, InstalledSet, InstalledTable, SetPath, Snapshot,
    TablePath,
};
use crate::netlink::{
    Dump, DumpedRule, DumpedTargets, chain_uses, decode_chain, decode_map, decode_set,
    decode_table, is_anonymous,
};

/// The base chains of other programs that filter packets to published ports, each with whether it drops
/// what reaches its end.
pub(super) type Filters = BTreeMap<ChainPath, bool>;

/// Reads these tables, from the beginning again whenever another program changes the ruleset meanwhile.
/// Cached elements are not read.
pub(super) fn take(
    connections: &mut [Connection; 2],
    routes: &mut Connection,
    cache: &SetCache,
    tables: &[TablePath],
) -> Result<(Snapshot, Filters), Error> {
    for _ in 0..ATTEMPTS_MAX {
        let mut reader = SnapshotReader::new(connections, routes, cache, tables);
        if let Some(snapshot) = reader.attempt()? {
            return Ok((snapshot, reader.filters));
        }
    }
    Err(Error::Conflict { attempts: ATTEMPTS_MAX })
}

struct SnapshotReader<'a> {
    connections: &'a mut [Connection; 2],
    routes: &'a mut Connection,
    cache: &'a SetCache,
    tables: &'a [TablePath],
    /// The tables that are switched off.
    dormant: Vec<TablePath>,
    filters: Filters,
    /// Docker's chains in the tables that are read, and in others.
    docker: Vec<ChainPath>,
    others: OtherChains,
    /// What the rules in the tables that are read reveal of Docker.
    discovery: Discovery,
}

impl<'a> SnapshotReader<'a> {
    fn new(
        connections: &'a mut [Connection; 2],
        routes: &'a mut Connection,
        cache: &'a SetCache,
        tables: &'a [TablePath],
    ) -> SnapshotReader<'a> {
        SnapshotReader {
            connections,
            routes,
            cache,
            tables,
            dormant: Vec::new(),
            filters: Filters::new(),
            docker: Vec::new(),
            others: OtherChains::default(),
            discovery: Discovery::default(),
        }
    }

    /// The snapshot; `None` if the ruleset changed while it was read.
    fn attempt(&mut self) -> Result<Option<Snapshot>, Error> {
        let generation = self.connections[0].generation()?;
        let mut snapshot = Snapshot { generation, ..Snapshot::default() };
        for family in Family::ALL {
            for step in [Self::tables, Self::chains, Self::rules, Self::sets, Self::objects] {
                if step(self, family, &mut snapshot)? == DumpStatus::Interrupted {
                    return Ok(None);
                }
            }
        }
        let Some(others) = self.others.read(&mut self.connections[0], generation)? else {
            return Ok(None);
        };
        let mut discovery = std::mem::take(&mut self.discovery);
        discovery.merge(others);
        snapshot.docker = docker::conclude(discovery, self.routes)?;
        Ok(Some(snapshot))
    }

    fn tables(&mut self, family: Family, snapshot: &mut Snapshot) -> Result<DumpStatus, Error> {
        let (desired, dormant) = (self.tables, &mut self.dormant);
        self.connections[0].dump(Dump::Tables, family, snapshot.generation, |message| {
            let Some((table, installed)) = decode_table(message.attributes()) else { return false };
            let path = TablePath { family, table };
            if installed.dormant {
                dormant.push(path.clone());
            }
            if desired.contains(&path) {
                snapshot.tables.insert(path, installed);
            }
            true
        })
    }

    fn chains(&mut self, family: Family, snapshot: &mut Snapshot) -> Result<DumpStatus, Error> {
        let SnapshotReader { connections, docker, others, dormant, filters, .. } = self;
        connections[0].dump(Dump::Chains, family, snapshot.generation, |message| {
            let Some((table, chain, installed)) = decode_chain(message.attributes()) else {
                return false;
            };
            let path = ChainPath { table: TablePath { family, table }, chain };
            if is_docker_chain(&path) {
                match snapshot.tables.contains_key(&path.table) {
                    true => docker.push(path.clone()),
                    false => others.push(path.clone(), chain_uses(message.attributes())),
                }
            }
            let is_active = !is_own(&path.table) && !dormant.contains(&path.table);
            if is_active && is_filter(&installed) {
                filters.insert(path.clone(), installed.drops);
            }
            if let Some(table) = snapshot.tables.get_mut(&path.table) {
                table.chains.insert(path.chain, installed);
            }
            true
        })
    }

    /// Reads the rules of the tables, and Docker's rules in other tables if they are many. Few are read last.
    fn rules(&mut self, family: Family, snapshot: &mut Snapshot) -> Result<DumpStatus, Error> {
        let SnapshotReader { connections, docker, others, discovery, .. } = self;
        let generation = snapshot.generation;
        let [first, second] = &mut **connections;
        let (status, read) = beside(
            others.are_many(),
            || others.read(second, generation),
            || read_tables(first, family, (docker, discovery), snapshot),
        );
        if let Some(read) = read {
            let Some(found) = read? else { return Ok(DumpStatus::Interrupted) };
            discovery.merge(found);
            *others = OtherChains::default();
        }
        status
    }

    fn sets(&mut self, family: Family, snapshot: &mut Snapshot) -> Result<DumpStatus, Error> {
        let generation = snapshot.generation;
        for (path, installed) in own_tables(family, snapshot) {
            let what = Dump::Sets { table: &path.table };
            let InstalledTable { sets, maps, .. } = installed;
            let dumped = self.connections[0].dump(what, family, generation, |message| {
                if is_anonymous(message.attributes()) {
                    return true;
                }
                if let Some(name) = decode_map(message.attributes()) {
                    maps.insert(name, Arc::default());
                    return true;
                }
                let set = decode_set(message.attributes());
                set.map(|(name, set)| sets.insert(name, set)).is_some()
            })?;
            if dumped == DumpStatus::Interrupted {
                return Ok(dumped);
            }
        }
        if self.targets(family, snapshot)? == DumpStatus::Interrupted {
            return Ok(DumpStatus::Interrupted);
        }
        self.elements(family, snapshot)
    }

    /// Reads the elements of the maps. A map that dwnl cannot change becomes a set of an unknown kind.
    fn targets(&mut self, family: Family, snapshot: &mut Snapshot) -> Result<DumpStatus, Error> {
        let generation = snapshot.generation;
        for (path, installed) in own_tables(family, snapshot) {
            let mut unknown = Vec::new();
            for (map, elements) in &mut installed.maps {
                let mut dumped = DumpedTargets::default();
                let what = Dump::Elements { table: &path.table, set: map };
                let status = self.connections[0].dump(what, family, generation, |message| {
                    dumped.read(message.attributes()).is_some()
                })?;
                if status == DumpStatus::Interrupted {
                    return Ok(status);
                }
                match dumped.into_targets() {
                    Some(targets) => *elements = targets.into(),
                    None => unknown.push(Arc::clone(map)),
                }
            }
            for map in unknown {
                installed.maps.remove(&map);
                installed.sets.insert(map, InstalledSet::default());
            }
        }
        Ok(DumpStatus::Complete)
    }

    /// Reads the elements of sets that are not cached. Those of dynamic sets belong to the kernel.
    fn elements(&mut self, family: Family, snapshot: &mut Snapshot) -> Result<DumpStatus, Error> {
        let generation = snapshot.generation;
        let mut unread = Vec::new();
        for (path, installed) in own_tables(family, snapshot) {
            for (name, set) in &mut installed.sets {
                let Some(kind) = set.kind.filter(|kind| !kind.is_dynamic()) else { continue };
                let path = SetPath { table: path.clone(), set: Arc::clone(name) };
                match self.cache.get(generation, &path) {
                    Some(elements) => set.elements = elements,
                    None => unread.push(PendingSet { path, kind }),
                }
            }
        }
        let Some(read) = set_reader::read(self.connections, &unread, generation)? else {
            return Ok(DumpStatus::Interrupted);
        };
        for (PendingSet { path, .. }, elements) in unread.iter().zip(read) {
            let table = snapshot.tables.get_mut(&path.table);
            let Some(set) = table.and_then(|table| table.sets.get_mut(&path.set)) else { continue };
            match elements {
                Some(elements) => set.elements = elements.into(),
                None => set.kind = None,
            }
        }
        Ok(DumpStatus::Complete)
    }

    /// Whether there are objects of a kind that dwnl does not use.
    fn objects(&mut self, family: Family, snapshot: &mut Snapshot) -> Result<DumpStatus, Error> {
        let generation = snapshot.generation;
        for (path, installed) in own_tables(family, snapshot) {
            let table = &path.table;
            for what in [Dump::Objects { table }, Dump::Flowtables { table }] {
                let others = &mut installed.has_foreign_objects;
                let dumped = self.connections[0].dump(what, family, generation, |_| {
                    *others = true;
                    true
                })?;
                if dumped == DumpStatus::Interrupted {
                    return Ok(dumped);
                }
            }
        }
        Ok(DumpStatus::Complete)
    }
}

/// Reads the rules of the snapshot's tables of one family, and learns from those in Docker's chains.
fn read_tables(
    connection: &mut Connection,
    family: Family,
    (docker, discovery): (&[ChainPath], &mut Discovery),
    snapshot: &mut Snapshot,
) -> Result<DumpStatus, Error> {
    let of_family = |(path, _): &(&TablePath, &mut InstalledTable)| path.family == family;
    for (path, table) in snapshot.tables.iter_mut().filter(of_family) {
        let what = Dump::Rules { table: &path.table, chain: None };
        let mut docker = docker::Reader::new(path, docker, discovery);
        let dumped = connection.dump(what, path.family, snapshot.generation, |message| {
            let dumped = DumpedRule::new(message.attributes());
            let Some(chain) = dumped.chain() else { return false };
            let is_dockers = docker.read(&chain, &dumped);
            let rule = dumped.installed(path.family, !is_dockers);
            let Some(rule) = rule else { return false };
            if let Some(chain) = table.chains.get_mut(&*chain) {
                chain.rules.push(rule);
            }
            true
        })?;
        if dumped == DumpStatus::Interrupted {
            return Ok(dumped);
        }
    }
    Ok(DumpStatus::Complete)
}

/// Whether packets to published ports pass the chain, and it filters.
fn is_filter(chain: &InstalledChain) -> bool {
    chain.base().is_some_and(|base| {
        base.chain_type == "filter" && matches!(base.hook, Hook::Prerouting | Hook::Forward)
    })
}

/// dwnl's own tables, of which sets and other objects matter too.
fn own_tables(
    family: Family,
    snapshot: &mut Snapshot,
) -> impl Iterator<Item = (&TablePath, &mut InstalledTable)> {
    snapshot.tables.iter_mut().filter(move |(path, _)| path.family == family && is_own(path))
}

fn is_own(path: &TablePath) -> bool {
    path.family == Family::Inet && path.table.as_ref() == DWNL
}
