//! The host's interfaces with their addresses, and the routes of single packets.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::engine::connection::{Connection, DumpStatus};
use crate::engine::conntrack::{list_both, local_networks};
use crate::engine::{Error, host, retry_interrupted};
use crate::model::{IpVersion, Name};
use crate::netlink::{
    DumpedLink, FoundRoute, KernelError, Request, RouteDump, RouteQuery as Query, decode_address,
    decode_route,
};
use crate::simulate::{HostLink, Route, RouteQuery};

/// The host's interfaces and addresses, and a connection that asks for routes.
pub(super) struct Routes<'c> {
    connection: RefCell<&'c mut Connection>,
    /// The interfaces.
    pub links: Vec<HostLink>,
    /// The numbers of the interfaces that are attached to another one, each with that one's.
    masters: HashMap<u32, u32>,
    /// The networks whose addresses are the host's own.
    pub local: Vec<IpNetwork>,
    /// Why a route could not be asked for.
    failure: RefCell<Option<Error>>,
    /// Whether the kernel did not accept a source from an interface.
    is_martian: Cell<bool>,
}

/// The way to a source of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Back {
    /// Whether the source is the host itself.
    pub is_local: bool,
    /// The interface that leads there.
    pub interface: Name,
    /// The host's own address by which it is reached from there, if the route has one.
    pub own_address: Option<IpAddr>,
}

impl<'c> Routes<'c> {
    pub fn new(connection: &'c mut Connection) -> Result<Routes<'c>, Error> {
        let dumped = host::dumped_links(connection)?;
        let addresses = addresses(connection)?;
        let of = |number: u32| addresses.iter().filter(move |(index, _)| *index == number);
        let masters = dumped.iter().filter_map(|link| Some((link.index, link.master?))).collect();
        let link = |DumpedLink { index, name, kind, .. }| HostLink {
            name,
            index,
            kind,
            addresses: of(index).map(|(_, address)| *address).collect(),
        };
        Ok(Routes {
            links: dumped.into_iter().map(link).collect(),
            masters,
            local: local_networks(connection)?,
            connection: RefCell::new(connection),
            failure: RefCell::new(None),
            is_martian: Cell::new(false),
        })
    }

    /// The interface of this name.
    pub fn link(&self, name: &str) -> Option<&HostLink> {
        self.links.iter().find(|link| &*link.name == name)
    }

    /// The interface by which packets that come in by this one reach the chains: the bridge that it is a
    /// port of, or itself.
    pub fn entrance(&self, name: &str) -> Option<&HostLink> {
        let link = self.link(name)?;
        let is_bridge = |link: &&HostLink| link.kind.as_deref() == Some("bridge");
        let master = self.masters.get(&link.index);
        let bridge = self.links.iter().find(|it| Some(&it.index) == master).filter(is_bridge);
        Some(bridge.unwrap_or(link))
    }

    /// The way back to a source; `None` if there is no route.
    pub fn back(&self, source: IpAddr) -> Result<Option<Back>, Error> {
        let query = Query { destination: source, source: None, in_interface: None, mark: 0 };
        let Ok(found) = self.ask(&query)? else { return Ok(None) };
        let FoundRoute { is_local, is_rejecting, out_interface, own_address } = found;
        let link = self.links.iter().find(|link| Some(link.index) == out_interface);
        let back = link.map(|link| Back { is_local, interface: link.name.clone(), own_address });
        Ok(back.filter(|_| !is_rejecting))
    }

    /// Where the kernel sends a packet. A failure is remembered for [`Routes::finish`].
    pub fn route(&self, query: &RouteQuery) -> Route {
        self.try_route(query).unwrap_or_else(|error| {
            self.failure.replace(Some(error));
            Route::Unknown
        })
    }

    fn try_route(&self, query: &RouteQuery) -> Result<Route, Error> {
        let RouteQuery { source, destination, mark, in_interface } = query;
        let number = match in_interface {
            None => None,
            Some(name) => match self.link(name) {
                Some(link) => Some(link.index),
                None => return Ok(Route::Unknown),
            },
        };
        let query =
            Query { destination: *destination, source: *source, in_interface: number, mark: *mark };
        Ok(match self.ask(&query)? {
            Ok(FoundRoute { is_rejecting: true, .. }) => Route::Unreachable,
            Ok(FoundRoute { is_local: true, .. }) => Route::Local,
            Ok(FoundRoute { out_interface, .. }) => {
                let link = self.links.iter().find(|link| Some(link.index) == out_interface);
                link.map_or(Route::Unknown, |link| Route::Via(link.name.clone()))
            }
            Err(KernelError { errno: libc::EXDEV | libc::EINVAL, .. }) => {
                self.is_martian.set(true);
                Route::Unreachable
            }
            Err(_) => Route::Unreachable,
        })
    }

    /// Whether the kernel did not accept the source of a packet from its interface: there is no route
    /// back by it (`rp_filter`), or the source is an address of the host.
    ///
    /// # Errors
    /// The failure to ask for a route.
    pub fn finish(self) -> Result<bool, Error> {
        self.failure.into_inner().map_or(Ok(self.is_martian.get()), Err)
    }

    fn ask(&self, query: &Query) -> Result<Result<FoundRoute, KernelError>, Error> {
        let request = |sequence| Request::route(query, sequence);
        self.connection.borrow_mut().ask(request, decode_route)
    }
}

/// The first address of an interface for an IP version.
pub(super) fn first_address(link: &HostLink, version: IpVersion) -> Option<IpAddr> {
    let mut addresses = link.addresses.iter().map(IpNetwork::ip);
    addresses.find(|address| IpVersion::of(*address) == version)
}

/// The addresses of all interfaces, each with the number of its interface.
fn addresses(routes: &mut Connection) -> Result<Vec<(u32, IpNetwork)>, Error> {
    retry_interrupted(|found: &mut Vec<(u32, IpNetwork)>| -> Result<DumpStatus, Error> {
        list_both(routes, RouteDump::Addresses, |message| found.extend(decode_address(message)))
    })
}
