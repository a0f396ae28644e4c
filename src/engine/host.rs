//! Reads the state of the host outside nf_tables: its interfaces and its listening sockets.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::connection::{Connection, DumpStatus};
use super::probe::{self, CgroupProbe};
use super::{Engine, Error, retry_interrupted};
use crate::cgroup::Hierarchy;
use crate::compile::{
    forgets_ports, holds_guard, holds_socket_match, judges_all_others, publish_listeners,
};
use crate::docker::{CGROUPFS_PARENT, DAEMONS, is_container};
use crate::model::{
    Cgroup, Cgroups, GuardScope, HostState, IpVersion, Link, Listener, Name, Protocol, Snapshot,
};
use crate::netlink::{DumpedLink, KernelError, Request, RouteDump, decode_link, decode_listener};

impl Engine {
    /// Reads the interfaces and the listening sockets of the network namespace, and finds the cgroups
    /// that tell whose they are.
    ///
    /// # Errors
    /// [`Error::Socket`] if the kernel does not answer.
    pub fn host_state(&mut self) -> Result<HostState, Error> {
        self.host_within(&GuardScope::default())
    }

    fn host_within(&mut self, scope: &GuardScope) -> Result<HostState, Error> {
        let links = links(&mut self.routes)?;
        let listeners = listeners(&mut self.sockets)?;
        let cgroups = self.hierarchy.as_ref().map(|it| cgroups(it, scope, listeners.as_deref()));
        Ok(HostState { links, listeners, cgroups, matches_sockets: false })
    }

    /// Adds to a snapshot what a ruleset with this guard depends on: the host's interfaces, its
    /// listening sockets and whose they are, and whether the kernel knows that by itself.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) fn read_host(
        &mut self,
        scope: &GuardScope,
        snapshot: &mut Snapshot,
    ) -> Result<(), Error> {
        snapshot.host = self.host_within(scope)?;
        let has_cgroups = snapshot.host.cgroups.is_some();
        snapshot.host.matches_sockets = has_cgroups && self.matches_sockets(snapshot)?;
        publish_listeners(&mut snapshot.docker, scope, &snapshot.host);
        if forgets_ports(snapshot) {
            self.reread_listeners(scope, snapshot)?;
        }
        Ok(())
    }

    /// Adds the listening sockets that a second dump has. sock_diag does not report that others opened
    /// or closed sockets during a dump, which may then lack some, so that a port is not given up by
    /// one dump alone.
    fn reread_listeners(
        &mut self,
        scope: &GuardScope,
        snapshot: &mut Snapshot,
    ) -> Result<(), Error> {
        let Snapshot { docker, host, .. } = snapshot;
        if let (Some(first), Some(second)) = (&host.listeners, listeners(&mut self.sockets)?) {
            let all: BTreeSet<Listener> = first.iter().cloned().chain(second).collect();
            let all: Vec<Listener> = all.into_iter().collect();
            host.cgroups = self.hierarchy.as_ref().map(|it| cgroups(it, scope, Some(&all)));
            host.listeners = Some(all);
            publish_listeners(docker, scope, host);
        }
        Ok(())
    }

    /// Whether rules can match the cgroup of a listening socket. Without a probe it is not certain, but a
    /// guard that is installed without such rules was probed for.
    fn matches_sockets(&mut self, snapshot: &Snapshot) -> Result<bool, Error> {
        match self.socket_match {
            _ if holds_socket_match(snapshot) => Ok(true),
            Some(known) => Ok(known),
            None if holds_guard(snapshot) => Ok(false),
            None => probe::loads_cgroup(&mut self.connections[0], self.port),
        }
    }

    /// Finds out whether rules can match the cgroup of a listening socket, once, unless such rules are
    /// installed already. Returns whether it had to, because the generation is another one then.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) fn probe_once(&mut self, snapshot: &Snapshot) -> Result<bool, Error> {
        if self.socket_match.is_some() || holds_socket_match(snapshot) {
            return Ok(false);
        }
        let own = self.hierarchy.as_ref().and_then(Hierarchy::own);
        let (Some(own), Some(probe)) = (own, self.probe.take()) else { return Ok(false) };
        let [connection, _] = &mut self.connections;
        let answer = probe.ask(connection, self.port, &own)?;
        self.socket_match = Some(answer == CgroupProbe::Matches);
        Ok(true)
    }
}

/// The cgroups that tell whose the sockets are. Those of all listening sockets are looked up only
/// where sockets are judged that are not in a known cgroup of Docker's.
fn cgroups(hierarchy: &Hierarchy, scope: &GuardScope, listeners: Option<&[Listener]>) -> Cgroups {
    let daemons = match &scope.docker_cgroup {
        Some(path) => hierarchy.find(path).into_iter().collect(),
        None => hierarchy.services(&DAEMONS),
    };
    let host = scope.host_cgroups.iter().filter_map(|name| hierarchy.find(name)).collect();
    let mut cgroups = Cgroups { daemons, host, ..Cgroups::default() };
    if scope.host_network || scope.docker_cgroup.is_some() || judges_all_others(scope, &cgroups) {
        let ids = listeners.into_iter().flatten().filter_map(|listener| listener.cgroup);
        cgroups.of_listeners = hierarchy.paths(&ids.collect());
    }
    if scope.host_network {
        cgroups.containers = containers(hierarchy, &cgroups);
    }
    cgroups
}

/// Where containers in the host's network are known by their cgroups: the cgroups in which nothing but
/// containers are, and those of the single ones among services of the host's own.
fn containers(hierarchy: &Hierarchy, cgroups: &Cgroups) -> Vec<Cgroup> {
    let is_host = |path: &str| path.is_empty() || cgroups.host.iter().any(|it| it.path == path);
    let known = cgroups.of_listeners.values().filter(|it| is_container(&it.path));
    let parents = known.chain(&cgroups.daemons).map(Cgroup::parent).chain([CGROUPFS_PARENT]);
    let parents: BTreeSet<&str> = parents.filter(|path| !is_host(path)).collect();
    let parents = parents.into_iter().filter_map(|path| hierarchy.find(path));
    let among_services = cgroups.host.iter().flat_map(|host| hierarchy.children(&host.path));
    parents.chain(among_services.filter(|it| is_container(&it.path))).collect()
}

/// Reads the interfaces.
pub(super) fn links(routes: &mut Connection) -> Result<BTreeMap<Name, Link>, Error> {
    let dumped = retry_interrupted(|dumped: &mut Vec<DumpedLink>| {
        let request = |sequence| Request::routes(RouteDump::Links, sequence);
        let failure = |error| Err(Error::from_routing(error));
        routes.list(request, failure, |message| dumped.extend(decode_link(message)))
    })?;
    Ok(attach(&dumped))
}

/// The interfaces by name, each with those that are attached to it.
fn attach(dumped: &[DumpedLink]) -> BTreeMap<Name, Link> {
    let mut ports = HashMap::<u32, BTreeSet<(Name, Option<Name>)>>::new();
    for link in dumped {
        if let Some(master) = link.master {
            ports.entry(master).or_default().insert((link.name.clone(), link.kind.clone()));
        }
    }
    let links = dumped.iter().map(|link| {
        let ports = ports.remove(&link.index).unwrap_or_default().into_iter().collect();
        (link.name.clone(), Link { kind: link.kind.clone(), ports })
    });
    links.collect()
}

/// `None` if the kernel cannot list the sockets of TCP or UDP.
fn listeners(sockets: &mut Connection) -> Result<Option<Vec<Listener>>, Error> {
    let mut listeners = BTreeSet::new();
    for protocol in Protocol::ALL {
        for version in IpVersion::ALL {
            match waiting(sockets, version, protocol)? {
                Some(waiting) => listeners.extend(waiting),
                // Its diag module is missing wherever SCTP itself is not loaded.
                None if protocol == Protocol::Sctp => {}
                None => return Ok(None),
            }
        }
    }
    Ok(Some(listeners.into_iter().collect()))
}

/// The sockets that wait. `None` if the kernel has no diag module for the protocol.
fn waiting(
    sockets: &mut Connection,
    version: IpVersion,
    protocol: Protocol,
) -> Result<Option<Vec<Listener>>, Error> {
    let mut is_supported = true;
    let found = retry_interrupted(|found: &mut Vec<Listener>| {
        let request = |sequence| Request::listeners(version, protocol, sequence);
        let failure = |error: KernelError| match error.errno {
            libc::ENOENT => {
                is_supported = false;
                Ok(DumpStatus::Complete)
            }
            _ => Err(Error::from_sock_diag(error)),
        };
        let read = |message: crate::netlink::Message| {
            found.extend(decode_listener(message, protocol));
        };
        sockets.list(request, failure, read)
    })?;
    Ok(is_supported.then_some(found))
}
