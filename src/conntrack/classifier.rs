//! Classifies flows from outside to ports that Docker publishes.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::AddressSet;
use crate::model::{Flow, IpVersion, Protocol, PublishedPort, Status, Tuple};

/// The published ports and addresses of the host.
pub(crate) struct FlowClassifier {
    ports: Ports,
    /// The ports that the guard did not know before.
    learned: Ports,
    /// The host's own addresses, loopback among them.
    local: AddressSet,
    /// The addresses in Docker's networks.
    containers: AddressSet,
}

/// Published ports with their addresses; `None`: all addresses.
type Ports = HashMap<(IpVersion, Protocol, u16), Vec<Option<IpNetwork>>>;

/// The state of a flow to a published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowState {
    /// It is neither translated nor answered.
    Rejected,
    /// It is translated, or docker-proxy has answered it.
    Admitted,
    /// docker-proxy has answered it before the guard knew the port.
    Unjudged,
}

impl FlowClassifier {
    /// A host with these published ports, some of which the guard did not know before, its own addresses,
    /// and the addresses of containers.
    pub fn new<'p>(
        published: impl IntoIterator<Item = &'p PublishedPort>,
        learned: &'p [PublishedPort],
        local: AddressSet,
        containers: AddressSet,
    ) -> FlowClassifier {
        FlowClassifier { ports: ports(published), learned: ports(learned), local, containers }
    }

    /// The published ports of both IP versions; one may occur twice.
    pub fn ports(&self) -> impl Iterator<Item = (Protocol, u16)> {
        self.ports.keys().map(|(_, protocol, port)| (*protocol, *port))
    }

    /// The state of a flow from outside to a published port. `None` for all other flows: those from the
    /// host and from containers, to the host's own services, forwarded to other hosts, and expected
    /// (related) flows.
    pub fn state(&self, flow: &Flow) -> Option<FlowState> {
        let status = flow.status;
        if !self.is_among(&self.ports, &flow.original)
            || !self.is_outside(flow.original.source)
            || status.has(Status::EXPECTED)
        {
            return None;
        }
        if status.has(Status::DESTINATION_NAT) {
            return Some(FlowState::Admitted);
        }
        let is_untranslated = flow.reply == flow.original.inverse();
        is_untranslated.then(|| match status.has(Status::SEEN_REPLY) {
            true if self.is_among(&self.learned, &flow.original) => FlowState::Unjudged,
            true => FlowState::Admitted,
            false => FlowState::Rejected,
        })
    }

    fn is_outside(&self, address: IpAddr) -> bool {
        !self.local.contains(address) && !self.containers.contains(address)
    }

    fn is_among(&self, ports: &Ports, original: &Tuple) -> bool {
        let Tuple { destination, protocol, destination_port, .. } = *original;
        let port = (IpVersion::of(destination), protocol, destination_port);
        let is_on = |addresses: &Option<IpNetwork>| {
            addresses.is_none_or(|network| network.contains(destination))
        };
        ports.get(&port).is_some_and(|published| published.iter().any(is_on))
            && self.local.contains(destination)
    }
}

fn ports<'p>(published: impl IntoIterator<Item = &'p PublishedPort>) -> Ports {
    let mut all = Ports::new();
    for published in published {
        let ports = published.ports;
        for version in IpVersion::ALL.into_iter().filter(|it| published.is_reachable_over(*it)) {
            for port in ports.first()..=ports.last() {
                let addresses = all.entry((version, ports.protocol(), port)).or_default();
                addresses.push(published.address);
            }
        }
    }
    all
}
