//! What Docker's rules reveal about Docker.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ipnetwork::IpNetwork;

use super::{Family, IpVersion, Name, Ports};

/// What is known of the Docker on this host, read from the rules that it has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Docker {
    /// Its bridges, as far as its rules reveal them: the guard judges what goes to their containers.
    pub bridges: BTreeSet<Name>,
    /// Those among them that are certain: what comes from them comes from a container.
    pub inside: BTreeSet<Name>,
    /// Docker's bridges that also have ports which Docker did not create, with those ports. What
    /// comes from them may come from outside.
    pub shared_bridges: BTreeMap<Name, Vec<Name>>,
    /// Those bridges whose containers are meant to be reached by their own addresses of the
    /// family (gateway mode `routed`).
    pub routed: BTreeSet<(IpVersion, Name)>,
    /// The containers' addresses and ports that it publishes in such networks.
    pub routed_ports: BTreeSet<PublishedPort>,
    /// Whether its chains of published ports hold any rule. They do as long as Docker runs with
    /// docker-proxy, even if no port is published.
    pub has_rules: bool,
    /// The ports that it publishes.
    pub published: BTreeSet<PublishedPort>,
    /// Those among them that its nftables backend publishes; `DOCKER-BLOCK` does not block them.
    pub native: BTreeSet<PublishedPort>,
    /// The ports of containers, each by the port as its rule publishes it, as far as they can be read.
    pub container_ports: BTreeMap<PublishedPort, u16>,
    /// The IP versions in whose nat table Swarm has a chain.
    pub ingress: BTreeSet<IpVersion>,
    /// Translations in its chains whose ports cannot be read: the chain, and the rule's
    /// expressions.
    pub unreadable: BTreeSet<String>,
}

/// A port, or consecutive ones, that Docker publishes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublishedPort {
    /// The host's address on which it is published; `None`: on all.
    pub address: Option<IpNetwork>,
    /// `Inet` if it can be reached over both IP versions: docker-proxy listens on IPv6 for a
    /// container that has IPv4 only.
    pub family: Family,
    /// The published ports.
    pub ports: Ports,
}

impl PublishedPort {
    /// Whether it can be reached over this IP version.
    pub fn is_reachable_over(&self, version: IpVersion) -> bool {
        self.family.version().is_none_or(|one| one == version)
    }

    /// Whether it includes the other one.
    pub fn covers(&self, other: &PublishedPort) -> bool {
        let is_family = self.family == Family::Inet || self.family == other.family;
        let is_address = self.address.is_none() || self.address == other.address;
        is_family && is_address && self.ports.includes(&other.ports)
    }

    /// Whether only the host itself can reach it.
    pub fn is_loopback(&self) -> bool {
        self.address.is_some_and(|address| address.ip().is_loopback())
    }
}

/// `8080/tcp`, `8080/tcp on 203.0.113.5`.
impl fmt::Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{} on {}", self.ports, address.ip()),
            None => write!(f, "{}", self.ports),
        }
    }
}
