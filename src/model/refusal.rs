//! What the guard remembers of the packets that it drops: by which path they came, from where, and to
//! which port.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{IpVersion, Protocol, SetKind};

/// A path into a container that the guard closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RefusalPath {
    /// The packet was translated by Docker or another program.
    PublishedPort,
    /// docker-proxy, or another socket of Docker, would have accepted the packet.
    DockerProxy,
    /// The packet was sent to a container's own address.
    ContainerAddress,
    /// The packet was sent to a port of the communication between the nodes of a Swarm.
    Swarm,
    /// The packet was sent to a socket of a container in the host's network.
    HostNetwork,
}

impl RefusalPath {
    /// All paths.
    pub const ALL: [RefusalPath; 5] = [
        RefusalPath::PublishedPort,
        RefusalPath::DockerProxy,
        RefusalPath::ContainerAddress,
        RefusalPath::Swarm,
        RefusalPath::HostNetwork,
    ];

    /// The part of the names of chains and sets that says which path it is.
    pub(crate) fn short(self) -> &'static str {
        match self {
            RefusalPath::PublishedPort => "published",
            RefusalPath::DockerProxy => "proxy",
            RefusalPath::ContainerAddress => "direct",
            RefusalPath::Swarm => "swarm",
            RefusalPath::HostNetwork => "host",
        }
    }
}

/// The path as the comments of the guard's rules name it: `published port`.
impl fmt::Display for RefusalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            RefusalPath::PublishedPort => "published port",
            RefusalPath::DockerProxy => "docker-proxy",
            RefusalPath::ContainerAddress => "container's own address",
            RefusalPath::Swarm => "Swarm",
            RefusalPath::HostNetwork => "host network",
        })
    }
}

/// A set in which the guard records what it drops on one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RefusalSet {
    /// The path.
    pub path: RefusalPath,
    /// The IP version of the sources that it holds; `None`: it holds ports alone, of both versions.
    pub version: Option<IpVersion>,
}

impl RefusalSet {
    /// Maximum number of entries in a set of sources.
    pub const SOURCES_MAX: u32 = SetKind::REFUSED_SOURCES;
    /// Maximum number of entries in a set of ports.
    pub const PORTS_MAX: u32 = SetKind::REFUSED_PORTS;

    /// How long an entry remains after the last packet that was dropped.
    pub const TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

    /// The sets of one path: of the sources of each IP version, and of ports.
    pub fn of(path: RefusalPath) -> [RefusalSet; 3] {
        let [v4, v6] = IpVersion::ALL;
        [Some(v4), Some(v6), None].map(|version| RefusalSet { path, version })
    }

    /// The kind of the set.
    pub fn kind(self) -> SetKind {
        match self.version {
            Some(version) => SetKind::RefusedSources { version },
            None => SetKind::RefusedPorts,
        }
    }

    /// Maximum number of entries.
    pub fn capacity(self) -> u32 {
        if self.version.is_some() { Self::SOURCES_MAX } else { Self::PORTS_MAX }
    }
}

/// `refused-published-ip`, `refused-published-ip6`, `refused-published-ports`. The set of a group has
/// another suffix, whatever the name of the group is.
impl fmt::Display for RefusalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = match self.version {
            Some(IpVersion::V4) => "ip",
            Some(IpVersion::V6) => "ip6",
            None => "ports",
        };
        write!(f, "refused-{}-{suffix}", self.path.short())
    }
}

/// What was refused to one source at one port, on one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedSource {
    /// The path.
    pub path: RefusalPath,
    /// The source, before any translation.
    pub source: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The port that the first packet of the flow was sent to, before any translation; on the path
    /// [`RefusalPath::ContainerAddress`] the container's own.
    pub port: u16,
    /// Packets, since the source was recorded.
    pub packets: u64,
    /// Bytes of these packets, IP headers included.
    pub bytes: u64,
    /// How long ago the last one was dropped.
    pub last: Duration,
}

/// What was refused at one port, on one path, to any source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedPort {
    /// The path.
    pub path: RefusalPath,
    /// The protocol.
    pub protocol: Protocol,
    /// The port, as in [`RefusedSource::port`].
    pub port: u16,
    /// Packets, of both IP versions, since the port was recorded.
    pub packets: u64,
    /// Bytes of these packets, IP headers included.
    pub bytes: u64,
    /// How long ago the last one was dropped.
    pub last: Duration,
}

/// How full one of the kernel's sets is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalFill {
    /// Which set.
    pub set: RefusalSet,
    /// The number of entries that it holds.
    pub entries: usize,
}

impl RefusalFill {
    /// Whether the set has no room for another entry: what is new is dropped as ever, but not recorded
    /// until an entry expires.
    pub fn is_full(&self) -> bool {
        self.entries >= self.set.capacity() as usize
    }
}

/// Whether refusals are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recording {
    /// No policy is installed.
    #[default]
    NotInstalled,
    /// A policy is installed, but its guard is off.
    GuardOff,
    /// A guard is installed that an older version of dwnl wrote: it drops, but does not record.
    Outdated,
    /// They are recorded.
    Active,
}

/// What the guard refused, as far as the kernel remembers it: for a day after the last packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedReport {
    /// Whether refusals are recorded.
    pub recording: Recording,
    /// Sources and ports, the most recent first.
    pub sources: Vec<RefusedSource>,
    /// Ports with the packets of all sources, also of those that did not fit into the set of sources;
    /// the most packets first.
    pub ports: Vec<RefusedPort>,
    /// How full each set is, in the order of the paths.
    pub fill: Vec<RefusalFill>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_full_when_it_holds_what_it_has_room_for() {
        let set = RefusalSet { path: RefusalPath::Swarm, version: None };
        assert_eq!(set.to_string(), "refused-swarm-ports");
        assert!(!RefusalFill { set, entries: 4095 }.is_full());
        assert!(RefusalFill { set, entries: 4096 }.is_full());
    }
}
