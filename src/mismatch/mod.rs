//! What a policy allows although it has no effect on this host: ports that Docker does not publish,
//! interfaces and addresses that do not exist, and packets that the filters of other programs drop.
//!
//! Only what is certain is reported. A filter that holds a rule of an unknown form is followed up to
//! that rule.

mod facts;
mod filter;

pub use facts::{HostFacts, PacketFilter};
pub use filter::DropCause;

use crate::model::{AddressSpec, ChainPath, Docker, Interface, Ports};
use crate::policy::{Entry, EntryLabel, Policy};

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
    let published = || docker.published.iter().chain(&docker.routed_ports).map(|it| it.ports);
    let may_listen = policy.guard().is_enabled() && policy.guard().host_network();
    let mut ports: Vec<Ports> = Vec::new();
    for listed in policy.allow().iter().flat_map(|it| it.ports()) {
        let is_new = !ports.contains(listed);
        if is_new && !published().any(|published| overlap(&published, listed)) {
            ports.push(*listed);
        }
    }
    let mismatch =
        |ports| Mismatch::NotPublished { ports, published_as: published_as(&ports, docker) };
    let found = ports.into_iter().map(mismatch);
    let is_certain = |it: &Mismatch| match it {
        Mismatch::NotPublished { published_as, .. } => !may_listen || !published_as.is_empty(),
        _ => true,
    };
    found.filter(is_certain).collect()
}

/// The published ports whose container port is this one.
fn published_as(ports: &Ports, docker: &Docker) -> Vec<Ports> {
    let containers = docker.container_ports.iter();
    let meant = containers.filter(|(published, port)| {
        ports.first() == ports.last() && ports.has(published.ports.protocol(), **port)
    });
    let mut found: Vec<Ports> = meant.map(|(published, _)| published.ports).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn overlap(a: &Ports, b: &Ports) -> bool {
    a.protocol() == b.protocol() && a.first() <= b.last() && b.first() <= a.last()
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
