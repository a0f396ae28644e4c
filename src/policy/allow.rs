//! The `[[allow]]` entries: which sources may reach which published ports.

use std::collections::HashSet;
use std::hash::Hash;

use super::{Group, PolicyError, Source, name};
use crate::model::{AddressSpec, Interface, IpVersion, Location, Name, Ports};

/// One `[[allow]]` entry. [`Allow::builder`] makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    name: Option<Name>,
    ports: Vec<Ports>,
    from: Option<Vec<Group>>,
    in_interface: Option<Interface>,
    to: Vec<AddressSpec>,
    at: Option<Location>,
}

impl Allow {
    /// A builder of an entry that lets anyone reach `ports`. What may not reach them is said by the
    /// builder's methods.
    pub fn builder(ports: impl IntoIterator<Item = Ports>) -> AllowBuilder {
        AllowBuilder { ports: ports.into_iter().collect(), ..AllowBuilder::default() }
    }

    /// The entry for the ports of Swarm, of which `[guard] swarm-peers` lists the sources.
    pub(crate) fn swarm_peers(ports: Vec<Ports>, peers: &[Group]) -> Allow {
        Allow {
            name: Some("swarm-peers".into()),
            ports,
            from: Some(peers.to_vec()),
            in_interface: None,
            to: Vec::new(),
            at: None,
        }
    }

    /// The name, which is the comment of the entry's rules.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// The published ports; at least one, each once.
    pub fn ports(&self) -> &[Ports] {
        &self.ports
    }

    /// The sources that may reach them, at least one; `None`: anyone.
    pub fn from(&self) -> Option<&[Group]> {
        self.from.as_deref()
    }

    /// The interface by which a packet has to come in; `None`: any.
    pub fn in_interface(&self) -> Option<&Interface> {
        self.in_interface.as_ref()
    }

    /// The destination addresses on the host, each once; empty: any.
    pub fn to(&self) -> &[AddressSpec] {
        &self.to
    }

    /// Where the entry begins; `None` if it was not read from a file.
    pub fn at(&self) -> Option<&Location> {
        self.at.as_ref()
    }
}

/// Builds an [`Allow`] entry. What is wrong is reported by [`AllowBuilder::build`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct AllowBuilder {
    name: Option<String>,
    ports: Vec<Ports>,
    from: Option<Vec<Group>>,
    sources: Option<Vec<Source>>,
    in_interface: Option<Interface>,
    to: Option<Vec<AddressSpec>>,
    at: Option<Location>,
}

impl AllowBuilder {
    /// The comment of the entry's rules: 1 to [`NAME_MAX`](super::NAME_MAX) bytes of visible
    /// characters, unique in the policy.
    pub fn name(self, name: impl Into<String>) -> AllowBuilder {
        AllowBuilder { name: Some(name.into()), ..self }
    }

    /// Restricts the entry to the sources of these groups, in addition to those given before.
    pub fn from(self, groups: impl IntoIterator<Item = Group>) -> AllowBuilder {
        let mut from = self.from.unwrap_or_default();
        from.extend(groups);
        AllowBuilder { from: Some(from), ..self }
    }

    /// Restricts the entry to these sources, in addition to those given before.
    pub fn sources(self, sources: impl IntoIterator<Item = impl Into<Source>>) -> AllowBuilder {
        let mut all = self.sources.unwrap_or_default();
        all.extend(sources.into_iter().map(Into::into));
        AllowBuilder { sources: Some(all), ..self }
    }

    /// Restricts the entry to packets that come in by this interface.
    pub fn in_interface(self, interface: Interface) -> AllowBuilder {
        AllowBuilder { in_interface: Some(interface), ..self }
    }

    /// Restricts the entry to these destination addresses on the host, in addition to those given
    /// before.
    pub fn to(self, addresses: impl IntoIterator<Item = AddressSpec>) -> AllowBuilder {
        let mut to = self.to.unwrap_or_default();
        to.extend(addresses);
        AllowBuilder { to: Some(to), ..self }
    }

    /// Where the entry was read. Errors and reports about its rules refer to it.
    pub fn at(self, at: Location) -> AllowBuilder {
        AllowBuilder { at: Some(at), ..self }
    }

    /// The entry.
    ///
    /// # Errors
    /// A [`PolicyError`] if the name is invalid, if there are no ports, if the entry is restricted
    /// to no source or no destination, or if no source has the IP version of a destination.
    pub fn build(self) -> Result<Allow, PolicyError> {
        let name = self.name.map(|name| name::entry_name(&name)).transpose()?;
        if self.ports.is_empty() {
            return Err(PolicyError::EmptyPorts);
        }
        let from = groups(self.from, self.sources)?;
        if self.to.as_ref().is_some_and(Vec::is_empty) {
            return Err(PolicyError::EmptyTo);
        }
        let to = distinct(self.to.unwrap_or_default());
        if let Some(from) = &from {
            check_versions(from, &to)?;
        }
        let ports = distinct(self.ports);
        Ok(Allow { name, ports, from, in_interface: self.in_interface, to, at: self.at })
    }
}

/// The groups, each once, and the entry's own sources as one more.
fn groups(
    groups: Option<Vec<Group>>,
    sources: Option<Vec<Source>>,
) -> Result<Option<Vec<Group>>, PolicyError> {
    let is_restricted = groups.is_some() || sources.is_some();
    let mut from = distinct_groups(groups.unwrap_or_default());
    if let Some(sources) = sources.filter(|sources| !sources.is_empty()) {
        from.push(Group::unnamed(sources)?);
    }
    if is_restricted && from.is_empty() {
        return Err(PolicyError::EmptyFrom);
    }
    Ok(is_restricted.then_some(from))
}

/// The groups without those whose name and sources are those of an earlier one.
pub(super) fn distinct_groups(groups: Vec<Group>) -> Vec<Group> {
    let mut seen = HashSet::new();
    let mut is_new = |group: &Group| seen.insert((group.name().cloned(), group.sources().as_ptr()));
    groups.into_iter().filter(|group| is_new(group)).collect()
}

/// No packet has a source of one IP version and a destination of the other.
fn check_versions(from: &[Group], to: &[AddressSpec]) -> Result<(), PolicyError> {
    let Some(destinations) = only_version(to.iter()) else { return Ok(()) };
    let sources = from.iter().flat_map(Group::sources).map(Source::addresses);
    match only_version(sources) {
        Some(sources) if sources != destinations => {
            Err(PolicyError::MixedVersions { from: sources, to: destinations })
        }
        _ => Ok(()),
    }
}

/// The IP version of all these addresses, if it is the same for all.
fn only_version<'a>(addresses: impl Iterator<Item = &'a AddressSpec>) -> Option<IpVersion> {
    let mut versions = addresses.map(AddressSpec::version);
    let first = versions.next()?;
    versions.all(|version| version == first).then_some(first)
}

/// The values without repetitions, in their order.
pub(super) fn distinct<T: Clone + Eq + Hash>(values: Vec<T>) -> Vec<T> {
    let mut seen = HashSet::with_capacity(values.len());
    values.into_iter().filter(|value| seen.insert(value.clone())).collect()
}
