//! Reads the state of the host outside nf_tables: its interfaces and its listening sockets.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::connection::{Connection, Dumped};
use super::{Engine, Error, unbroken};
use crate::netlink::{DumpedLink, KernelError, Request, RouteDump, decode_link, decode_listener};
use crate::ruleset::{Family, HostState, Link, Listener, Name, Protocol};

impl Engine {
    /// Reads the interfaces and the listening sockets of the network namespace.
    ///
    /// # Errors
    /// [`Error::Socket`] if the kernel does not answer.
    pub fn host_state(&mut self) -> Result<HostState, Error> {
        read(&mut self.routes, &mut self.sockets)
    }
}

/// Reads the interfaces and the listening sockets.
pub(super) fn read(routes: &mut Connection, sockets: &mut Connection) -> Result<HostState, Error> {
    Ok(HostState { links: links(routes)?, listeners: listeners(sockets)? })
}

/// Reads the interfaces.
pub(super) fn links(routes: &mut Connection) -> Result<BTreeMap<Name, Link>, Error> {
    let dumped = unbroken(|dumped: &mut Vec<DumpedLink>| {
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
        for family in Family::NAT {
            match waiting(sockets, family, protocol)? {
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
    family: Family,
    protocol: Protocol,
) -> Result<Option<Vec<Listener>>, Error> {
    let mut is_supported = true;
    let found = unbroken(|found: &mut Vec<Listener>| {
        let request = |sequence| Request::listeners(family, protocol, sequence);
        let failure = |error: KernelError| match error.errno {
            libc::ENOENT => {
                is_supported = false;
                Ok(Dumped::Whole)
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
