//! The running containers and the ports that they publish, as Docker's API tells them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Name, Protocol};

/// The containers that are known, and whether they are those of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Containers {
    /// The running containers.
    pub list: Vec<Container>,
    /// Whether Docker has just said so. If not, this is what was known last, perhaps nothing.
    pub is_current: bool,
}

/// A running container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name, without the `/` that Docker's API puts in front.
    pub name: Name,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The ports that it publishes.
    pub ports: Vec<Binding>,
}

/// One published port: `203.0.113.5:8080->80/tcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binding {
    /// The transport protocol.
    pub protocol: Protocol,
    /// The published port, on the host; not 0.
    pub host_port: u16,
    /// The port of the container.
    pub container_port: u16,
    /// The host's address; `0.0.0.0`: any of IPv4, `::`: any of IPv6.
    pub address: IpAddr,
}

impl Containers {
    /// The same containers as what was known last, when Docker does not answer.
    #[must_use]
    pub fn outdated(self) -> Containers {
        Containers { is_current: false, ..self }
    }
}
