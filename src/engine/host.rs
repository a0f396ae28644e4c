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
    /// that identify the sockets' owners.
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
    /// listening sockets with their owners, and whether rules can match an owner.
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

    /// Adds the listening sockets of a second dump. A dump may lack sockets if other sockets are opened or
    /// closed meanwhile, which sock_diag does not report. Therefore two dumps have to agree before a port
    /// is dropped.
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

    /// Whether rules can match the cgroup of a listening socket. Only a probe can determine this, but
    /// an installed guard without such rules shows that an earlier probe failed.
    fn matches_sockets(&mut self, snapshot: &Snapshot) -> Result<bool, Error> {
        match self.socket_match {
            _ if holds_socket_match(snapshot) => Ok(true),
            Some(known) => Ok(known),
            None if holds_guard(snapshot) => Ok(false),
            None => probe::loads_cgroup(&mut self.connections[0], self.port),
        }
    }

    /// Probes once whether rules can match the cgroup of a listening socket, unless such rules are
    /// installed already. Returns whether it did: the probe changes the generation.
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
        let answer = probe.run(connection, self.port, &own)?;
        self.socket_match = Some(answer == CgroupProbe::Matches);
        self.probed = self.socket_match.filter(|_| answer != CgroupProbe::Unknown);
        Ok(true)
    }
}

/// The cgroups that identify the owners of sockets. Those of all listening sockets are looked up only if
/// the guard judges sockets outside Docker's known cgroups.
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

/// The cgroups that identify containers in the host's network: the parents that hold nothing but
/// containers, and single containers among the host's services.
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
    Ok(attach(&dumped_links(routes)?))
}

/// Reads the interfaces with their numbers.
pub(super) fn dumped_links(routes: &mut Connection) -> Result<Vec<DumpedLink>, Error> {
    retry_interrupted(|dumped: &mut Vec<DumpedLink>| {
        let request = |sequence| Request::routes(RouteDump::Links, sequence);
        let failure = |error| Err(Error::from_routing(error));
        routes.list(request, failure, |message| dumped.extend(decode_link(message)))
    })
}

/// The interfaces by name, each with the interfaces that are attached to it.
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

/// The listening sockets; `None` if the kernel cannot list those of TCP or UDP.
fn listeners(sockets: &mut Connection) -> Result<Option<Vec<Listener>>, Error> {
    let mut listeners = BTreeSet::new();
    for protocol in Protocol::ALL {
        for version in IpVersion::ALL {
            match listeners_of(sockets, version, protocol)? {
                Some(found) => listeners.extend(found),
                // Its diag module is missing wherever SCTP itself is not loaded.
                None if protocol == Protocol::Sctp => {}
                None => return Ok(None),
            }
        }
    }
    Ok(Some(listeners.into_iter().collect()))
}

/// The listening sockets of a protocol; `None` if the kernel has no diag module for it.
fn listeners_of(
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
