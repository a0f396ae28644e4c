//! What a policy allows although it has no effect on this host: ports that Docker does not publish,
//! interfaces and addresses that do not exist, and packets that the filters of other programs drop.
//!
//! Only what is certain is reported. A filter that holds a rule of an unknown form is followed up to
//! that rule.

mod facts;
mod filter;
mod port_ranges;

pub use facts::{HostFacts, PacketFilter};
pub use filter::DropCause;

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::model::{AddressSpec, ChainPath, Docker, Interface, Ports, Protocol};
use crate::policy::{Entry, EntryLabel, Policy};
use port_ranges::PortRanges;

/// Something that a policy allows without effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// Docker publishes none of these ports.
    NotPublished {
        /// The ports, as the policy lists them.
        ports: Ports,
        /// If it is one port and that of containers, the ports as which Docker publishes it.
        published_as: Vec<Ports>,
    },
    /// No interface of the host has this name, or a name that begins so.
    NoInterface {
        /// The entry that names it.
        entry: EntryLabel,
        /// The condition.
        interface: Interface,
    },
    /// The host has none of these addresses.
    NoAddress {
        /// The entry that lists them in `to`.
        entry: EntryLabel,
        /// The addresses.
        addresses: AddressSpec,
    },
    /// A chain of another program drops what entries allow.
    Dropped {
        /// The chain that drops.
        chain: ChainPath,
        /// What it drops.
        cause: DropCause,
        /// The entries, at least one.
        entries: Vec<EntryLabel>,
    },
}

/// What the policy allows or denies without effect on this host, beside this Docker. The order is that of the
/// variants of [`Mismatch`], and within these that of the policy.
pub fn mismatches(policy: &Policy, docker: &Docker, host: &HostFacts) -> Vec<Mismatch> {
    let mut found = not_published(policy, docker);
    found.extend(policy.entries().filter_map(|entry| no_interface(entry, host)));
    found.extend(policy.entries().flat_map(|entry| no_addresses(entry, host)));
    for filter in &host.filters {
        found.extend(filter::dropped(filter, policy, docker));
    }
    found
}

/// Where Docker has no rules yet, or some that cannot be read, nothing is certain. Nor is it with
/// `host-network`: the entry may be for a container in the host's network.
fn not_published(policy: &Policy, docker: &Docker) -> Vec<Mismatch> {
    if !docker.has_rules || !docker.unreadable.is_empty() {
        return Vec::new();
    }
    let published = docker.published.iter().chain(&docker.routed_ports).map(|it| it.ports);
    let published = PortRanges::of(published);
    let containers = container_ports(docker);
    let may_listen = policy.guard().is_enabled() && policy.guard().host_network();
    let mut known = HashSet::new();
    let listed = policy.allow().iter().flat_map(|it| it.ports());
    let ports = listed.filter(|listed| !published.overlap(listed) && known.insert(**listed));
    let mismatch = |ports: &Ports| Mismatch::NotPublished {
        ports: *ports,
        published_as: published_as(ports, &containers),
    };
    let found = ports.map(mismatch);
    let is_certain = |it: &Mismatch| match it {
        Mismatch::NotPublished { published_as, .. } => !may_listen || !published_as.is_empty(),
        _ => true,
    };
    found.filter(is_certain).collect()
}

/// The ports of containers, each with those as which Docker publishes it, sorted.
fn container_ports(docker: &Docker) -> HashMap<(Protocol, u16), BTreeSet<Ports>> {
    let mut found: HashMap<_, BTreeSet<Ports>> = HashMap::new();
    for (published, port) in &docker.container_ports {
        let container = (published.ports.protocol(), *port);
        found.entry(container).or_default().insert(published.ports);
    }
    found
}

/// The published ports whose container port is this one.
fn published_as(
    ports: &Ports,
    containers: &HashMap<(Protocol, u16), BTreeSet<Ports>>,
) -> Vec<Ports> {
    let is_single = ports.first() == ports.last();
    let port = (ports.protocol(), ports.first());
    let meant = containers.get(&port).filter(|_| is_single);
    meant.into_iter().flatten().copied().collect()
}

fn no_interface(entry: &Entry, host: &HostFacts) -> Option<Mismatch> {
    let interface = entry.in_interface()?;
    let name: &str = interface.name();
    let exists = host.interfaces.iter().any(|existing| match interface.is_wildcard() {
        true => existing.starts_with(name),
        false => &**existing == name,
    });
    (!exists && !host.interfaces.is_empty())
        .then(|| Mismatch::NoInterface { entry: entry.label(), interface: interface.clone() })
}

fn no_addresses<'a>(entry: &'a Entry, host: &'a HostFacts) -> impl Iterator<Item = Mismatch> + 'a {
    let is_missing = |addresses: &&AddressSpec| {
        let is_local = |local: &AddressSpec| {
            local.version() == addresses.version()
                && local.first() <= addresses.last()
                && addresses.first() <= local.last()
        };
        host.addresses.as_ref().is_some_and(|local| !local.iter().any(is_local))
    };
    entry
        .to()
        .iter()
        .filter(is_missing)
        .map(|addresses| Mismatch::NoAddress { entry: entry.label(), addresses: *addresses })
}

#[cfg(test)]
mod tests;
