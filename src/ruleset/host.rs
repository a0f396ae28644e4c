//! The state of the host outside nf_tables that the guard depends on: its network interfaces and the
//! sockets that wait for connections or datagrams.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Family, Name, Protocol};

/// What the kernel reports of the host apart from its ruleset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostState {
    /// The network interfaces by name.
    pub links: BTreeMap<Name, Link>,
    /// The listening sockets, sorted and without duplicates. `None` if the kernel cannot list them.
    pub listeners: Option<Vec<Listener>>,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// `IFLA_INFO_KIND`: `bridge`, `veth` and so on. `None` for hardware and loopback.
    pub kind: Option<Name>,
    /// The interfaces whose master (`IFLA_MASTER`) it is, with their kinds, sorted: the ports of a
    /// bridge, the interfaces in a VRF or bond.
    pub ports: Vec<(Name, Option<Name>)>,
}

/// A socket that waits for connections or datagrams.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Listener {
    /// `Inet` for an IPv6 socket that takes IPv4 too: bound to `::` without `IPV6_V6ONLY`.
    pub family: Family,
    /// The local address; `None`: any.
    pub address: Option<IpAddr>,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The local port.
    pub port: u16,
    /// The ID of the cgroup v2 in which the socket was made. `None` if the kernel does not report it
    /// (before Linux 5.9, or without `CONFIG_SOCK_CGROUP_DATA`).
    pub cgroup: Option<u64>,
}
