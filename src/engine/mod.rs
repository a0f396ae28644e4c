//! Applies policies: dump → plan → commit, with retries. Every call is a few netlink messages on one
//! socket; nothing is printed, no process is spawned, no file is written.

mod apply;
mod beside;
mod commit;
mod connection;
mod conntrack;
mod counters;
mod docker;
mod error;
mod explain;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod grants;
mod host;
mod host_facts;
mod known_sets;
mod monitor;
mod outcome;
mod probe;
mod refused;
mod rejection;
mod repair;
mod restore;
mod ruleset;
mod set_cache;
mod set_reader;
mod snapshot;
mod stages;
#[cfg(test)]
mod tests;
mod tracer;

use std::path::Path;
use std::sync::{Arc, Weak};

use crate::cgroup::Hierarchy;
use crate::compile::managed_tables;
use crate::model::{IpVersion, Name, Ruleset, Snapshot};
use crate::netlink::{
    Socket, Transport, in_netns, legacy_nat_holds_rules, legacy_tables_with_rules,
};
use connection::{Connection, DumpStatus};
use grants::{Carried, GrantSets};
use known_sets::{Header, Identity};
use monitor::Subscription;
use probe::Probe;
use set_cache::SetCache;
use snapshot::Filters;

pub use apply::{Applied, Preview};
pub use conntrack::{FlowChanges, FlowPreview};
pub use counters::PolicyCounters;
pub use error::Error;
pub use explain::Explained;
pub use grants::{GrantReport, GrantTable};
pub use known_sets::KnownSets;
pub(crate) use monitor::wait_readable;
pub use monitor::{Commit, LinkMonitor, Monitor, MonitorEvent, Process};
pub use outcome::Outcome;
pub use probe::CgroupProbe;
pub use rejection::Rejection;
pub use restore::RestorePoint;
pub use tracer::{TraceEvent, Tracer};

/// Maximum number of times that [`Engine::apply`] starts again from the dump because another program
/// changed the ruleset meanwhile.
pub const ATTEMPTS_MAX: u32 = 100;

/// Netlink sockets in one network namespace: to nf_tables and conntrack, to routing for the host's
/// interfaces and addresses, and to sock_diag for its listening sockets. Needs CAP_NET_ADMIN in the user
/// namespace that owns the network namespace.
///
/// The engine caches the elements of dwnl's sets (shared with the [`Ruleset`] or [`Snapshot`] that they
/// came from). It reads them again only when another program has changed the ruleset. With
/// [`Engine::subscribe`] it reads only the sets again that the other program has touched. What it knows can
/// outlive it: see [`Engine::known_sets`].
pub struct Engine {
    /// The second one helps to read many sets.
    connections: [Connection; 2],
    /// The netlink port ID of the first one, which sends the commits.
    port: u32,
    /// The latest subscription, which pauses during large commits.
    subscription: Weak<Subscription>,
    routes: Connection,
    sockets: Connection,
    hierarchy: Option<Hierarchy>,
    probe: Option<Probe>,
    /// The result of the probe.
    socket_match: Option<bool>,
    /// The same, if it is certain for this kernel.
    probed: Option<bool>,
    set_cache: Arc<SetCache>,
    /// Which ruleset the kernel's is, if that can be told.
    identity: Option<Identity>,
    /// Of what [`Engine::assume_sets`] has taken over.
    assumed: Option<Header>,
    /// What [`Engine::prefetch`] has read.
    prefetched: Option<Snapshot>,
    /// Whether the sockets are in another network namespace than the threads that use them.
    is_elsewhere: bool,
    /// What the sets of grants and bans hold from the beginning.
    carried: Carried,
    /// The sets of grants and bans that the last snapshot showed.
    grant_sets: Option<GrantSets>,
    /// The filters of other programs, and at which generation.
    filters: (u32, Filters),
}

impl Engine {
    /// Opens the sockets in the network namespace of the calling thread.
    ///
    /// # Errors
    /// [`Error::LegacyNat`] where iptables-legacy holds nat rules, so that the host cannot be protected;
    /// [`Error::NoNfTables`] and [`Error::Socket`] where a socket cannot be opened.
    pub fn open() -> Result<Engine, Error> {
        let socket = Socket::open().map_err(error::open_error)?;
        let second = Socket::open().map_err(error::open_error)?;
        let routes = Socket::open_routes().map_err(error::io_error("opening a socket"))?;
        let sockets = Socket::open_sock_diag().map_err(error::io_error("opening a socket"))?;
        for version in IpVersion::ALL {
            let holds_rules = legacy_nat_holds_rules(version)
                .map_err(|source| Error::Socket { action: "asking iptables-legacy", source })?;
            if holds_rules {
                return Err(Error::LegacyNat(version.into()));
            }
        }
        let (port, identity) = (socket.port(), Identity::of(&socket));
        let (hierarchy, probe) = (Hierarchy::open(), Some(Probe::open()));
        let nf_tables: [Box<dyn Transport>; 2] = [Box::new(socket), Box::new(second)];
        let engine = Engine::over(nf_tables, Box::new(routes), Box::new(sockets));
        Ok(Engine { port, identity, hierarchy, probe, ..engine })
    }

    fn over(
        nf_tables: [Box<dyn Transport>; 2],
        routes: Box<dyn Transport>,
        sockets: Box<dyn Transport>,
    ) -> Engine {
        Engine {
            connections: nf_tables.map(Connection::new),
            port: 0,
            subscription: Weak::new(),
            routes: Connection::new(routes),
            sockets: Connection::new(sockets),
            hierarchy: None,
            probe: None,
            socket_match: None,
            probed: None,
            set_cache: Arc::default(),
            identity: None,
            assumed: None,
            prefetched: None,
            is_elsewhere: false,
            carried: Carried::default(),
            grant_sets: None,
            filters: Default::default(),
        }
    }

    /// Opens the sockets in the network namespace that `path` (such as `/run/netns/NAME` or
    /// `/proc/PID/ns/net`) refers to. The calling thread stays in its own. Entering a namespace needs
    /// CAP_SYS_ADMIN, during this call only.
    ///
    /// # Errors
    /// As [`Engine::open`], and [`Error::Namespace`].
    pub fn open_in(path: &Path) -> Result<Engine, Error> {
        let engine = opened_in(path, Engine::open)?;
        Ok(Engine { is_elsewhere: true, ..engine })
    }

    /// Finds out whether `socket cgroupv2` works on this kernel, with real packets on the loopback
    /// interface of the calling thread's network namespace. A table exists for a moment while this is
    /// tested: two commits.
    ///
    /// # Errors
    /// See [`Error`]. It is no error if the kernel does not know the match.
    pub fn probe_cgroup() -> Result<CgroupProbe, Error> {
        let Some(own) = Hierarchy::open().and_then(|hierarchy| hierarchy.own()) else {
            return Ok(CgroupProbe::Unknown);
        };
        let socket = Socket::open().map_err(error::open_error)?;
        let port = socket.port();
        Probe::open().run(&mut Connection::new(Box::new(socket)), port, &own)
    }

    /// As [`Engine::probe_cgroup`], in the network namespace that `path` refers to; see
    /// [`Engine::open_in`].
    ///
    /// # Errors
    /// As [`Engine::probe_cgroup`], and [`Error::Namespace`].
    pub fn probe_cgroup_in(path: &Path) -> Result<CgroupProbe, Error> {
        opened_in(path, Engine::probe_cgroup)
    }

    /// Whether the kernel accepts a rule with `socket cgroupv2`. Changes nothing, and does not find out
    /// whether the rule would ever match.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn loads_cgroup(&mut self) -> Result<bool, Error> {
        probe::loads_cgroup(&mut self.connections[0], self.port)
    }

    /// Whether the kernel accepts a table that belongs to one socket and goes with it
    /// (`NFT_TABLE_F_OWNER`, Linux 5.12). Changes nothing.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn loads_owner(&mut self) -> Result<bool, Error> {
        probe::loads_owner(&mut self.connections[0], self.port)
    }

    /// The tables of iptables-legacy in the calling thread's network namespace that hold rules, which
    /// neither nft nor dwnl sees. Needs no engine, because with rules in its nat table none can be opened.
    /// Empty for a user who may not read the list of tables.
    ///
    /// # Errors
    /// [`Error::Socket`] if the kernel cannot be asked.
    pub fn legacy_tables() -> Result<Vec<(IpVersion, Name)>, Error> {
        let mut found = Vec::new();
        for version in IpVersion::ALL {
            let tables = legacy_tables_with_rules(version)
                .map_err(|source| Error::Socket { action: "asking iptables-legacy", source })?;
            found.extend(tables.into_iter().map(|table| (version, table)));
        }
        Ok(found)
    }

    /// As [`Engine::legacy_tables`], in the network namespace that `path` refers to; see
    /// [`Engine::open_in`].
    ///
    /// # Errors
    /// As [`Engine::legacy_tables`], and [`Error::Namespace`].
    pub fn legacy_tables_in(path: &Path) -> Result<Vec<(IpVersion, Name)>, Error> {
        opened_in(path, Engine::legacy_tables)
    }

    /// Reads the tables that dwnl works in, all at one generation.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn snapshot(&mut self) -> Result<Snapshot, Error> {
        let epoch = self.set_cache.epoch();
        let (snapshot, filters) = snapshot::take(
            &mut self.connections,
            &mut self.routes,
            &self.set_cache,
            &managed_tables(),
        )?;
        self.set_cache.store_snapshot(epoch, &snapshot);
        self.grant_sets = Some(GrantSets::of(&snapshot));
        self.filters = (snapshot.generation, filters);
        Ok(snapshot)
    }

    /// Takes the snapshot that the next plan or commit begins with, while the caller still prepares the
    /// policy. It is taken again if the ruleset changes before it is used.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn prefetch(&mut self) -> Result<(), Error> {
        self.prefetched = Some(self.snapshot()?);
        Ok(())
    }

    /// The prefetched snapshot if it is still current, else a new one.
    fn current(&mut self) -> Result<Snapshot, Error> {
        match self.prefetched.take() {
            Some(ahead) if self.connections[0].generation()? == ahead.generation => Ok(ahead),
            _ => self.snapshot(),
        }
    }

    /// The current snapshot, with the state of the host if `desired` depends on it. `may_probe`: whether
    /// a table may exist for a moment to probe the kernel.
    fn current_for(&mut self, desired: &Ruleset, may_probe: bool) -> Result<Snapshot, Error> {
        let mut snapshot = self.current()?;
        if let Some(scope) = &desired.guard {
            if may_probe && self.probe_once(&snapshot)? {
                snapshot = self.snapshot()?;
            }
            self.read_host(scope, &mut snapshot)?;
        }
        Ok(snapshot)
    }
}

/// What `open` opens, in the network namespace that `path` refers to.
pub(crate) fn opened_in<T: Send>(
    path: &Path,
    open: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    in_netns(path, open).map_err(|source| Error::Namespace { path: path.to_owned(), source })?
}

/// What `attempt` collects, from the beginning again when it was interrupted; after [`ATTEMPTS_MAX`]
/// times what the last attempt has collected.
fn retry_interrupted<T: Default>(
    mut attempt: impl FnMut(&mut T) -> Result<DumpStatus, Error>,
) -> Result<T, Error> {
    let mut collected = T::default();
    for _ in 0..ATTEMPTS_MAX {
        collected = T::default();
        if attempt(&mut collected)? == DumpStatus::Complete {
            break;
        }
    }
    Ok(collected)
}
