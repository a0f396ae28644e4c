//! The state of the host outside nf_tables that the guard depends on: its network interfaces, the
//! sockets that wait for connections or datagrams, and the cgroups that show which program has them.

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
    /// The cgroups that show which program has a socket. `None` if there is no hierarchy of cgroup v2, or if
    /// the process is in a cgroup namespace of its own.
    pub cgroups: Option<Cgroups>,
    /// Whether rules can match the cgroup of a listening socket on this kernel.
    pub matches_sockets: bool,
}

/// The cgroups that show which program has a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cgroups {
    /// Those of dockerd and docker-proxy.
    pub daemons: Vec<Cgroup>,
    /// Those at the top of the hierarchy whose services are the host's own.
    pub host: Vec<Cgroup>,
    /// Those of containers in the host's network, or those that hold only containers, if containers
    /// have to be distinguished.
    pub containers: Vec<Cgroup>,
    /// Those of listening sockets, by their IDs, as far as they had to be looked up.
    pub of_listeners: BTreeMap<u64, Cgroup>,
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

/// A cgroup v2.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cgroup {
    /// Its path below the mount, without a leading slash: `system.slice/docker.service`. That of the
    /// root is empty.
    pub path: String,
    /// Its ID.
    pub id: u64,
}

impl Cgroup {
    /// Whether another cgroup is below it.
    pub fn contains(&self, other: &Cgroup) -> bool {
        if self.path.is_empty() {
            return !other.path.is_empty();
        }
        let below = other.path.strip_prefix(&self.path);
        below.is_some_and(|rest| rest.starts_with('/'))
    }

    /// The path of its parent; that of the root is empty.
    pub fn parent(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(parent, _)| parent)
    }

    /// The name of its ancestor, or itself, at the top of the hierarchy. That of the root is empty.
    pub fn top(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// How many levels it is below the root.
    pub fn level(&self) -> u32 {
        let components = self.path.split('/').filter(|component| !component.is_empty());
        components.count().try_into().unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cgroup(path: &str) -> Cgroup {
        Cgroup { path: path.to_owned(), id: 7 }
    }

    #[test]
    fn a_path_tells_where_a_cgroup_lies() {
        for (path, parent, top, level) in [
            ("", "", "", 0),
            ("init.scope", "", "init.scope", 1),
            ("system.slice/docker.service", "system.slice", "system.slice", 2),
            ("a/b/c", "a/b", "a", 3),
        ] {
            let cgroup = cgroup(path);
            assert_eq!((cgroup.parent(), cgroup.top(), cgroup.level()), (parent, top, level));
        }
    }

    #[test]
    fn a_cgroup_contains_those_below_it_alone() {
        for (path, other, expected) in [
            ("", "a", true),
            ("", "a/b", true),
            ("", "", false),
            ("a", "a", false),
            ("a", "", false),
            ("a", "a/b", true),
            ("a", "a/b/c", true),
            ("a/b", "a", false),
            ("a", "ab", false),
            ("a", "ab/c", false),
            ("a/b", "c/a/b", false),
        ] {
            assert_eq!(cgroup(path).contains(&cgroup(other)), expected, "{path:?}, {other:?}");
        }
    }
}
