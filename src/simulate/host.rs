//! What a simulation has to know of the host outside nf_tables.

use std::net::IpAddr;
use std::time::SystemTime;

use ipnetwork::IpNetwork;

use crate::model::{Family, IpVersion, Listener, Name, Protocol};

/// The host outside nf_tables.
#[derive(Clone, Copy)]
pub struct HostView<'a> {
    /// The network interfaces.
    pub links: &'a [HostLink],
    /// The destinations of local routes that are not addresses of an interface, such as
    /// `127.0.0.0/8`.
    pub local: &'a [IpNetwork],
    /// Where the host sends a packet.
    pub route: &'a dyn Fn(&RouteQuery) -> Route,
    /// The listening sockets; `None` if they are not known.
    pub sockets: Option<HostSockets<'a>>,
    /// The present; `None` if conditions on it are left open.
    pub now: Option<SystemTime>,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostLink {
    /// Its name.
    pub name: Name,
    /// Its number.
    pub index: u32,
    /// `IFLA_INFO_KIND`: `bridge`, `veth` and so on. `None` for hardware and loopback.
    pub kind: Option<Name>,
    /// Its addresses with their prefix lengths; of each IP version the primary one first.
    pub addresses: Vec<IpNetwork>,
}

/// The listening sockets of the host, and their cgroups.
#[derive(Clone, Copy)]
pub struct HostSockets<'a> {
    /// The sockets.
    pub listeners: &'a [Listener],
    /// The ID of a cgroup's ancestor, or of itself, at a level below the root.
    pub ancestor: &'a dyn Fn(u64, u32) -> Option<u64>,
}

/// A packet to be routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteQuery {
    /// Its source; `None` if the route is looked up without one.
    pub source: Option<IpAddr>,
    /// Its destination.
    pub destination: IpAddr,
    /// Its mark.
    pub mark: u32,
    /// The interface by which it came in; `None` for a packet of the host's own.
    pub in_interface: Option<Name>,
}

/// Where a packet goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the host itself.
    Local,
    /// Out by this interface.
    Via(Name),
    /// Nowhere.
    Unreachable,
    /// This is not known.
    Unknown,
}

/// `RTN_*`: the types of addresses.
pub const UNSPECIFIED: u8 = 0;
pub const UNICAST: u8 = 1;
pub const LOCAL: u8 = 2;
pub const BROADCAST: u8 = 3;
pub const ANYCAST: u8 = 4;
pub const MULTICAST: u8 = 5;
pub const UNREACHABLE: u8 = 7;

impl HostView<'_> {
    /// The interface with this name.
    pub(super) fn link(&self, name: &str) -> Option<&HostLink> {
        self.links.iter().find(|link| *link.name == *name)
    }

    /// `RTN_*` of an address, on one interface if one is given.
    pub(super) fn address_type(&self, address: IpAddr, interface: Option<&str>) -> u8 {
        let mut links =
            self.links.iter().filter(|link| interface.is_none_or(|name| *link.name == *name));
        let mut networks = links.clone().flat_map(|link| &link.addresses);
        let is_elsewhere = || interface.is_none_or(|name| name == "lo");
        if links.any(|link| link.addresses.iter().any(|it| it.ip() == address))
            || is_elsewhere() && self.local.iter().any(|it| it.contains(address))
        {
            LOCAL
        } else if address.is_multicast() {
            MULTICAST
        } else if is_limited_broadcast(address) || networks.any(|it| is_broadcast(it, address)) {
            BROADCAST
        } else if address.is_ipv6() && self.is_unreachable(address) {
            UNREACHABLE
        } else {
            UNICAST
        }
    }

    /// Whether there is no route. Of an IPv4 address, the kernel looks for local routes alone.
    fn is_unreachable(&self, destination: IpAddr) -> bool {
        let query = RouteQuery { source: None, destination, mark: 0, in_interface: None };
        (self.route)(&query) == Route::Unreachable
    }

    /// The address of an interface that `redirect` translates to.
    pub(super) fn redirect_address(&self, interface: &str, version: IpVersion) -> Option<IpAddr> {
        let addresses = self.link(interface)?.addresses.iter().map(IpNetwork::ip);
        let mut addresses = addresses.filter(|address| IpVersion::of(*address) == version);
        let is_global = |address: &IpAddr| match address {
            IpAddr::V4(_) => true,
            IpAddr::V6(address) => !address.is_unicast_link_local(),
        };
        addresses.find(is_global)
    }

    /// The listening socket that a packet is for. `None` if the sockets are not known.
    pub(super) fn socket(&self, to: IpAddr, port: u16, protocol: Protocol) -> Option<Found<'_>> {
        let listeners = self.sockets?.listeners.iter();
        let accepts = |it: &&Listener| {
            it.protocol == protocol
                && it.port == port
                && it.address.is_none_or(|address| address == to)
                && (it.family == Family::Inet || it.family == IpVersion::of(to).into())
        };
        let rank = |it: &Listener| (it.address.is_some(), it.family != Family::Inet);
        let found: Vec<&Listener> = listeners.filter(accepts).collect();
        let Some(best) = found.iter().map(|it| rank(it)).max() else { return Some(Found::None) };
        let mut best = found.into_iter().filter(|it| rank(it) == best);
        let first = best.next()?;
        // Several processes share the port: the kernel chooses one.
        let is_clear = best.all(|other| other.cgroup == first.cgroup);
        Some(if is_clear { Found::One(first) } else { Found::Several })
    }
}

/// The listening socket that a packet is for.
pub enum Found<'a> {
    None,
    One(&'a Listener),
    Several,
}

fn is_limited_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_broadcast())
}

fn is_broadcast(network: &IpNetwork, address: IpAddr) -> bool {
    matches!(network, IpNetwork::V4(network) if network.prefix() < 31 && address == network.broadcast())
}
