//! Dump → plan → commit, with retry: the public face of the library. Every call is a few netlink
//! messages on one socket; nothing is printed, no process is spawned, no file is written.

mod commit;
mod connection;
mod docker;
mod set_reader;

mod conntrack;
mod error;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod host;
mod monitor;
mod probe;
mod rejection;
mod set_cache;
mod snapshot;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::path::Path;
use std::sync::Weak;

use crate::cgroup::Hierarchy;
use crate::compile::{Limitation, limitations, managed_objects, resolve, unknown_ports};
use crate::model::{Docker, GuardScope, IpVersion, PublishedPort, Ruleset, Snapshot};
use crate::netlink::{Socket, Transport, in_netns, legacy_nat_holds_rules};
use crate::plan::Plan;
use connection::{Connection, DumpStatus};
use monitor::Subscription;
use probe::Probe;
use set_cache::SetCache;

pub use conntrack::FlowChanges;
pub use error::Error;
pub use monitor::{Commit, LinkMonitor, Monitor, MonitorEvent, Process};
pub use probe::CgroupProbe;

/// How often [`Engine::apply`] starts from the dump before it gives up, because others change the
/// ruleset meanwhile.
pub const ATTEMPTS_MAX: u32 = 100;

/// Netlink sockets in one network namespace: to nf_tables, for the host's interfaces and addresses to
/// routing, and for its listening sockets to sock_diag.
/// Needs CAP_NET_ADMIN in the user namespace that owns it.
///
/// It remembers the elements of the sets that it has read or written last (they are shared with
/// the [`Ruleset`] or [`Snapshot`] at hand), and reads them again only if anybody has changed the
/// kernel's ruleset since, and it was not told by [`Engine::observe`] that they were left alone.
pub struct Engine {
    /// The second helps to read many sets.
    connections: [Connection; 2],
    /// The number by which the kernel knows the socket of the first, which commits.
    port: u32,
    /// Whether the monitor that does not hear of what it commits is listening.
    excluded_by: Cell<Weak<Subscription>>,
    routes: Connection,
    sockets: Connection,
    hierarchy: Option<Hierarchy>,
    probe: Option<Probe>,
    /// What the probe came to.
    socket_match: Option<bool>,
    set_cache: SetCache,
    /// What [`Engine::prefetch`] has read.
    prefetched: Option<Snapshot>,
}

/// What [`Engine::apply`] and [`Engine::remove`] did.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The plan that was committed; empty if nothing had to be done and nothing was sent.
    pub plan: Plan,
    /// The generation of the ruleset afterwards.
    pub generation: u32,
    /// What Docker's rules told about it.
    pub docker: Docker,
    /// The published ports that the guard did not know before: whoever opened a flow to one of them
    /// in the meantime was not judged. Empty where there was no guard before.
    pub learned: Vec<PublishedPort>,
    /// The promises of the guard that do not hold on this host.
    pub limitations: Vec<Limitation>,
    /// How often the dump was taken: 1, and one more for each change by somebody else meanwhile.
    pub attempts: u32,
}

impl Outcome {
    fn new(
        plan: Plan,
        generation: u32,
        scope: Option<&GuardScope>,
        snapshot: Snapshot,
        attempts: u32,
    ) -> Outcome {
        let learned = unknown_ports(&snapshot);
        let Snapshot { docker, host, .. } = snapshot;
        let limitations = scope.map(|scope| limitations(scope, &docker, &host));
        let limitations = limitations.unwrap_or_default();
        Outcome { plan, generation, docker, learned, limitations, attempts }
    }
}

/// The one datagram that committing the plan sends; empty for an empty plan. To record what would
/// be sent, and to measure what the kernel takes for it.
pub fn datagram(plan: &Plan) -> Vec<u8> {
    if plan.is_empty() { Vec::new() } else { commit::encode(plan).bytes().to_vec() }
}

impl Engine {
    /// Opens the sockets in the network namespace of the calling thread.
    ///
    /// # Errors
    /// [`Error::LegacyNat`] where the host cannot be protected this way; [`Error::NoNfTables`] and
    /// [`Error::Socket`] where the sockets cannot be had.
    pub fn open() -> Result<Engine, Error> {
        let socket = Socket::open().map_err(error::open_error)?;
        let second = Socket::open().map_err(error::open_error)?;
        let routes = Socket::open_routes().map_err(error::io_error("opening the socket"))?;
        let sockets = Socket::open_sock_diag().map_err(error::io_error("opening the socket"))?;
        for version in IpVersion::ALL {
            let holds_rules = legacy_nat_holds_rules(version)
                .map_err(|source| Error::Socket { action: "asking iptables-legacy", source })?;
            if holds_rules {
                return Err(Error::LegacyNat(version.into()));
            }
        }
        let port = socket.port();
        let (hierarchy, probe) = (Hierarchy::open(), Some(Probe::open()));
        let nf_tables: [Box<dyn Transport>; 2] = [Box::new(socket), Box::new(second)];
        let engine = Engine::over(nf_tables, Box::new(routes), Box::new(sockets));
        Ok(Engine { port, hierarchy, probe, ..engine })
    }

    fn over(
        nf_tables: [Box<dyn Transport>; 2],
        routes: Box<dyn Transport>,
        sockets: Box<dyn Transport>,
    ) -> Engine {
        Engine {
            connections: nf_tables.map(Connection::new),
            port: 0,
            excluded_by: Cell::default(),
            routes: Connection::new(routes),
            sockets: Connection::new(sockets),
            hierarchy: None,
            probe: None,
            socket_match: None,
            set_cache: SetCache::default(),
            prefetched: None,
        }
    }

    /// Opens the sockets in the network namespace that `path` (such as `/run/netns/NAME` or
    /// `/proc/PID/ns/net`) refers to. The calling thread stays where it is. Entering a namespace
    /// needs CAP_SYS_ADMIN, this once.
    ///
    /// # Errors
    /// As [`Engine::open`], and [`Error::Namespace`].
    pub fn open_in(path: &Path) -> Result<Engine, Error> {
        opened_in(path, Engine::open)
    }

    /// Finds out whether `socket cgroupv2` works on this kernel, with real packets on the loopback
    /// interface of the calling thread's network namespace. For that a table of its own exists for
    /// a moment, which is two commits.
    ///
    /// # Errors
    /// See [`Error`]. That the kernel has no such match is none.
    pub fn probe_cgroup() -> Result<CgroupProbe, Error> {
        let Some(own) = Hierarchy::open().and_then(|hierarchy| hierarchy.own()) else {
            return Ok(CgroupProbe::Unknown);
        };
        let socket = Socket::open().map_err(error::open_error)?;
        let port = socket.port();
        Probe::open().ask(&mut Connection::new(Box::new(socket)), port, &own)
    }

    /// The same in the network namespace that `path` refers to, as [`Engine::open_in`].
    ///
    /// # Errors
    /// As [`Engine::probe_cgroup`], and [`Error::Namespace`].
    pub fn probe_cgroup_in(path: &Path) -> Result<CgroupProbe, Error> {
        opened_in(path, Engine::probe_cgroup)
    }

    /// Whether the kernel takes a rule with `socket cgroupv2` at all. Changes nothing, and does not
    /// find out whether the rule would ever match.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn loads_cgroup(&mut self) -> Result<bool, Error> {
        probe::loads_cgroup(&mut self.connections[0], self.port)
    }

    /// Takes notice of what a [`Monitor`] of the same namespace has heard, so that what is remembered
    /// of sets that others did not touch stays valid. Each notice has to be heeded, in order.
    pub fn observe(&mut self, notice: &MonitorEvent) {
        match notice {
            MonitorEvent::Commit(commit) => {
                self.set_cache.advance(commit.generation, |set| commit.touches(set));
            }
            // What follows it may look like a whole commit and be a part of one.
            MonitorEvent::Overrun => self.set_cache.clear(),
        }
    }

    /// Reads the tables that dwnl works in, all at one generation.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn snapshot(&mut self) -> Result<Snapshot, Error> {
        let snapshot = snapshot::take(
            &mut self.connections,
            &mut self.routes,
            &self.set_cache,
            &managed_objects(),
        )?;
        self.set_cache.store_snapshot(&snapshot);
        Ok(snapshot)
    }

    /// Takes the snapshot that the next plan or commit begins with, while the caller still prepares
    /// what is desired. If anybody changes the ruleset before, it is taken again.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn prefetch(&mut self) -> Result<(), Error> {
        self.prefetched = Some(self.snapshot()?);
        Ok(())
    }

    /// What was read ahead, if it is still so, else a new snapshot.
    fn current(&mut self) -> Result<Snapshot, Error> {
        match self.prefetched.take() {
            Some(ahead) if self.connections[0].generation()? == ahead.generation => Ok(ahead),
            _ => self.snapshot(),
        }
    }

    /// The same with what `desired` depends on beside it. `may_probe`: whether a table of its own may
    /// exist for a moment.
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

    /// What would have to change for the kernel to hold `desired`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn plan(&mut self, desired: &Ruleset) -> Result<Plan, Error> {
        Ok(self.preview(desired)?.plan)
    }

    /// The same, with what Docker's rules tell about it: what [`Engine::apply`] would come to, with
    /// the generation as it is.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn preview(&mut self, desired: &Ruleset) -> Result<Outcome, Error> {
        let snapshot = self.current_for(desired, false)?;
        let plan = Plan::diff(&resolve(desired, &snapshot)?, &snapshot)?;
        let generation = snapshot.generation;
        Ok(Outcome::new(plan, generation, desired.guard.as_ref(), snapshot, 1))
    }

    /// Carries out a plan in one transaction and returns the generation afterwards. An empty plan
    /// sends nothing.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the ruleset was changed since the plan was made: make a new one.
    /// [`Error::Rejected`] if the kernel refuses a change. In either case nothing was changed.
    pub fn commit(&mut self, plan: &Plan) -> Result<u32, Error> {
        if plan.is_empty() {
            return Ok(plan.generation);
        }
        let [connection, _] = &mut self.connections;
        let batch = commit::encode(plan);
        let commit = |connection: &mut Connection| commit::send(connection, plan, &batch);
        let monitor = self.excluded_by.get_mut().upgrade();
        match monitor.filter(|_| batch.bytes().len() >= monitor::PAUSE_THRESHOLD) {
            Some(monitor) => monitor.paused(connection, plan.generation, commit),
            None => commit(connection),
        }
    }

    /// Makes the kernel hold `desired`: plans and commits, and starts again from the dump, at most
    /// [`ATTEMPTS_MAX`] times, when others change the ruleset in between.
    ///
    /// # Errors
    /// See [`Error`]. Nothing was changed.
    pub fn apply(&mut self, desired: &Ruleset) -> Result<Outcome, Error> {
        let current = |engine: &mut Engine| engine.current_for(desired, true);
        let plan = |snapshot: &Snapshot| Ok(Plan::diff(&resolve(desired, snapshot)?, snapshot)?);
        let outcome = self.converge(desired.guard.as_ref(), current, plan)?;
        self.set_cache.store_ruleset(outcome.generation, desired);
        Ok(outcome)
    }

    /// Takes out all that dwnl put in, and nothing else, with the same retries as
    /// [`Engine::apply`].
    ///
    /// # Errors
    /// See [`Error`]. Nothing was changed.
    pub fn remove(&mut self) -> Result<Outcome, Error> {
        let owned = managed_objects();
        self.converge(None, Engine::current, |snapshot| Ok(Plan::teardown(&owned, snapshot)?))
    }

    fn converge(
        &mut self,
        scope: Option<&GuardScope>,
        current: impl Fn(&mut Engine) -> Result<Snapshot, Error>,
        plan: impl Fn(&Snapshot) -> Result<Plan, Error>,
    ) -> Result<Outcome, Error> {
        for attempts in 1..=ATTEMPTS_MAX {
            let snapshot = current(self)?;
            let plan = plan(&snapshot)?;
            match self.commit(&plan) {
                Ok(generation) => {
                    return Ok(Outcome::new(plan, generation, scope, snapshot, attempts));
                }
                Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict { attempts: ATTEMPTS_MAX })
    }
}

/// What `open` opens, in the network namespace that `path` refers to.
fn opened_in<T: Send>(
    path: &Path,
    open: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    in_netns(path, open).map_err(|source| Error::Namespace { path: path.to_owned(), source })?
}

/// What `attempt` gathers, from the beginning again when it was interrupted; after [`ATTEMPTS_MAX`]
/// times what the last has gathered.
fn retry_interrupted<T: Default>(
    mut attempt: impl FnMut(&mut T) -> Result<DumpStatus, Error>,
) -> Result<T, Error> {
    let mut gathered = T::default();
    for _ in 0..ATTEMPTS_MAX {
        gathered = T::default();
        if attempt(&mut gathered)? == DumpStatus::Complete {
            break;
        }
    }
    Ok(gathered)
}
