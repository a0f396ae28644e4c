//! The address that a source calls.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::model::{Docker, IpVersion, Protocol, PublishedPort};

/// How Docker publishes a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Publication {
    /// Its addresses, if it is not published on all of them: those that are no loopback addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether it is published on all addresses.
    pub is_on_all: bool,
}

impl Publication {
    /// How Docker publishes this port for an IP version.
    pub fn of(docker: &Docker, version: IpVersion, protocol: Protocol, port: u16) -> Publication {
        let published = docker.published.iter().chain(&docker.routed_ports);
        let is_it = |it: &&PublishedPort| {
            it.ports.has(protocol, port) && it.is_reachable_over(version) && !it.is_loopback()
        };
        let mut found = Publication::default();
        for published in published.filter(is_it) {
            match published.address.map(|address| address.ip()) {
                Some(address) => found.addresses.push(address),
                None => found.is_on_all = true,
            }
        }
        found.addresses.retain(|address| IpVersion::of(*address) == version);
        found
    }

    /// The address that is meant where none is named: the one by which the host answers the source,
    /// unless the port is published on others alone.
    pub fn meant(&self, own_address: Option<IpAddr>) -> Option<IpAddr> {
        match own_address.filter(|own| self.is_on_all || self.addresses.contains(own)) {
            Some(own) => Some(own),
            None => self.addresses.first().copied().or(own_address),
        }
    }

    /// The other addresses, if it is not published on all.
    pub fn others(&self, destination: IpAddr) -> Vec<IpAddr> {
        let others = self.addresses.iter().copied().filter(|address| *address != destination);
        if self.is_on_all { Vec::new() } else { others.collect() }
    }
}

/// The published port that a packet to this address is for.
pub(super) fn published(
    docker: &Docker,
    destination: IpAddr,
    protocol: Protocol,
    port: u16,
) -> Option<&PublishedPort> {
    let is_at = |network: &IpNetwork| network.contains(destination);
    docker.published.iter().chain(&docker.routed_ports).find(|it| {
        it.ports.has(protocol, port)
            && it.is_reachable_over(IpVersion::of(destination))
            && it.address.as_ref().is_none_or(is_at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Family, Ports};

    fn docker(addresses: &[Option<&str>]) -> Docker {
        let published = addresses.iter().map(|address| PublishedPort {
            address: address.map(|it| it.parse().expect("an address")),
            family: Family::Ip,
            ports: Ports::single(Protocol::Tcp, 8080).expect("a port"),
        });
        Docker { published: published.collect(), ..Docker::default() }
    }

    #[test]
    fn the_address_is_one_at_which_the_port_is_published() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let own = Some(address("192.0.2.1"));
        for (published, meant, others) in [
            (&[None][..], "192.0.2.1", &[][..]),
            (&[], "192.0.2.1", &[]),
            (&[Some("127.0.0.1")], "192.0.2.1", &[]),
            (&[Some("203.0.113.5")], "203.0.113.5", &[]),
            (&[Some("192.0.2.1"), Some("203.0.113.5")], "192.0.2.1", &["203.0.113.5"]),
        ] {
            let docker = docker(published);
            let publication = Publication::of(&docker, IpVersion::V4, Protocol::Tcp, 8080);
            assert_eq!(publication.meant(own), Some(address(meant)), "{published:?}");
            let others: Vec<IpAddr> = others.iter().map(|it| address(it)).collect();
            assert_eq!(publication.others(address(meant)), others);
        }
        let docker = docker(&[Some("203.0.113.5")]);
        let found = |destination| published(&docker, address(destination), Protocol::Tcp, 8080);
        assert!(found("203.0.113.5").is_some());
        assert!(found("192.0.2.1").is_none() && found("2001:db8::1").is_none());
    }
}
