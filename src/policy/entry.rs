//! What an `[[allow]]` or a `[[deny]]` entry applies to: sources, published ports, and where the packets
//! come in.

use std::collections::HashSet;
use std::hash::Hash;
use std::marker::PhantomData;

use super::by_container::{ByContainer, Part};
use super::{ContainerSelector, Group, Moment, PolicyError, Schedule, Source, name, subtract};
use crate::model::{AddressSpec, Interface, IpVersion, Location, Name, Ports};

/// The flows that an entry applies to. [`Allow`](super::Allow) and [`Deny`](super::Deny) entries contain
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    name: Option<Name>,
    ports: Vec<Ports>,
    from: Option<Vec<Group>>,
    except: Vec<Group>,
    /// The sources of `from` without those of `except`, if there are any of the latter.
    remaining: Option<Vec<Group>>,
    in_interface: Option<Interface>,
    to: Vec<AddressSpec>,
    schedule: Option<Schedule>,
    at: Option<Location>,
    containers: Option<ByContainer>,
}

impl Entry {
    /// The entry for the ports of Swarm, of which `[guard] swarm-peers` lists the sources.
    pub(crate) fn swarm_peers(ports: Vec<Ports>, peers: &[Group]) -> Entry {
        Entry {
            name: Some("swarm-peers".into()),
            ports,
            from: Some(peers.to_vec()),
            except: Vec::new(),
            remaining: None,
            in_interface: None,
            to: Vec::new(),
            schedule: None,
            at: None,
            containers: None,
        }
    }

    /// The entry for the ports that containers publish, with these.
    pub(super) fn with_part(&self, part: Part) -> Entry {
        let Part { ports, to, by } = part;
        Entry { ports, to, containers: Some(by), ..self.clone() }
    }

    /// The entry without ports if it is for containers, whose ports are not known before they are looked
    /// up.
    pub(super) fn until_known(mut self) -> Entry {
        if self.containers.is_some() {
            self.ports.clear();
        }
        self
    }

    /// The name, which is the comment of the entry's rules.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// The published ports, each once; at least one, unless they are those of containers. All ports of
    /// every protocol for a `[[deny]]` entry that lists none.
    pub fn ports(&self) -> &[Ports] {
        &self.ports
    }

    /// Whether the entry applies to every port of every protocol.
    pub fn is_for_every_port(&self) -> bool {
        Ports::every().all(|all| self.ports.contains(&all))
    }

    /// The sources that the entry lists, at least one; `None`: anyone.
    pub fn from(&self) -> Option<&[Group]> {
        self.from.as_deref()
    }

    /// The sources that the entry does not apply to although [`Entry::from`] has them; may be empty.
    pub fn except(&self) -> &[Group] {
        &self.except
    }

    /// The sources that the entry applies to: those of [`Entry::from`] without those of
    /// [`Entry::except`]. `None`: anyone. With exceptions it is one group without a name, which may be
    /// empty.
    pub fn sources(&self) -> Option<&[Group]> {
        self.remaining.as_deref().or(self.from())
    }

    /// The interface by which a packet has to come in; `None`: any.
    pub fn in_interface(&self) -> Option<&Interface> {
        self.in_interface.as_ref()
    }

    /// The destination addresses on the host, each once; empty: any.
    pub fn to(&self) -> &[AddressSpec] {
        &self.to
    }

    /// When the entry applies; `None`: always.
    pub fn schedule(&self) -> Option<&Schedule> {
        self.schedule.as_ref()
    }

    /// Whether the entry applies at a moment.
    pub fn applies_at(&self, now: Moment) -> bool {
        self.schedule.as_ref().is_none_or(|schedule| schedule.is_open(now))
    }

    /// Where the entry begins; `None` if it was not read from a file.
    pub fn at(&self) -> Option<&Location> {
        self.at.as_ref()
    }

    /// Replaces the groups of [`Entry::from`] and [`Entry::except`].
    pub(super) fn replace_groups(&mut self, replace: impl FnMut(&mut Group)) {
        self.from.iter_mut().flatten().chain(&mut self.except).for_each(replace);
        self.remaining = remaining(self.from.as_deref(), &self.except);
    }

    /// Checks that no name is among groups that take access away: those of the key `key`.
    pub(super) fn check_no_names(&self, key: &'static str) -> Result<(), PolicyError> {
        let groups = match key {
            "except" => &self.except[..],
            _ => self.from().unwrap_or_default(),
        };
        match groups.iter().flat_map(Group::names).next() {
            Some(name) => Err(PolicyError::NameTakesAccess { key, host: name.host().clone() }),
            None => Ok(()),
        }
    }

    /// The containers that publish the entry's ports; `None` if the entry lists its ports itself.
    pub fn by_container(&self) -> Option<&ByContainer> {
        self.containers.as_ref()
    }

    /// What the rules of the entry have as their comment: its name or, if it is for containers, which they
    /// are.
    pub(crate) fn comment(&self) -> Option<Name> {
        let selector = || self.by_container().and_then(ByContainer::selector);
        self.name.clone().or_else(|| Some(selector()?.comment()))
    }

    /// All groups that the entry names, and those of its own sources.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.from.iter().flatten().chain(&self.except)
    }
}

/// Builds an [`Allow`](super::Allow) or a [`Deny`](super::Deny) entry. What is wrong is reported by
/// `build`.
#[derive(Clone, Debug)]
#[must_use]
pub struct EntryBuilder<E> {
    name: Option<String>,
    ports: Option<Vec<Ports>>,
    from: Option<Vec<Group>>,
    sources: Option<Vec<Source>>,
    except: Option<Vec<Group>>,
    in_interface: Option<Interface>,
    to: Option<Vec<AddressSpec>>,
    schedule: Option<Schedule>,
    at: Option<Location>,
    containers: Option<ContainerSelector>,
    entry: PhantomData<E>,
}

impl<E> EntryBuilder<E> {
    /// A builder of an entry for these ports; `None`: every port.
    pub(super) fn new(ports: Option<Vec<Ports>>) -> EntryBuilder<E> {
        EntryBuilder {
            name: None,
            ports,
            from: None,
            sources: None,
            except: None,
            in_interface: None,
            to: None,
            schedule: None,
            at: None,
            containers: None,
            entry: PhantomData,
        }
    }

    /// The comment of the entry's rules: 1 to [`NAME_MAX`](super::NAME_MAX) bytes of visible
    /// characters, unique in the policy.
    pub fn name(self, name: impl Into<String>) -> EntryBuilder<E> {
        EntryBuilder { name: Some(name.into()), ..self }
    }

    /// Restricts the entry to these ports, in addition to those given before.
    pub(super) fn with_ports(self, ports: impl IntoIterator<Item = Ports>) -> EntryBuilder<E> {
        let mut all = self.ports.unwrap_or_default();
        all.extend(ports);
        EntryBuilder { ports: Some(all), ..self }
    }

    /// Restricts the entry to the sources of these groups, in addition to those given before.
    pub fn from(self, groups: impl IntoIterator<Item = Group>) -> EntryBuilder<E> {
        let mut from = self.from.unwrap_or_default();
        from.extend(groups);
        EntryBuilder { from: Some(from), ..self }
    }

    /// Restricts the entry to these sources, in addition to those given before.
    pub fn sources(self, sources: impl IntoIterator<Item = impl Into<Source>>) -> EntryBuilder<E> {
        let mut all = self.sources.unwrap_or_default();
        all.extend(sources.into_iter().map(Into::into));
        EntryBuilder { sources: Some(all), ..self }
    }

    /// Excepts the sources of these groups from the entry, in addition to those given before.
    pub fn except(self, groups: impl IntoIterator<Item = Group>) -> EntryBuilder<E> {
        let mut except = self.except.unwrap_or_default();
        except.extend(groups);
        EntryBuilder { except: Some(except), ..self }
    }

    /// Restricts the entry to packets that come in by this interface.
    pub fn in_interface(self, interface: Interface) -> EntryBuilder<E> {
        EntryBuilder { in_interface: Some(interface), ..self }
    }

    /// Restricts the entry to these destination addresses on the host, in addition to those given
    /// before.
    pub fn to(self, addresses: impl IntoIterator<Item = AddressSpec>) -> EntryBuilder<E> {
        let mut to = self.to.unwrap_or_default();
        to.extend(addresses);
        EntryBuilder { to: Some(to), ..self }
    }

    /// Restricts the entry to the times of a schedule.
    pub fn schedule(self, schedule: Schedule) -> EntryBuilder<E> {
        EntryBuilder { schedule: Some(schedule), ..self }
    }

    /// Where the entry was read. Errors and reports about its rules refer to it.
    pub fn at(self, at: Location) -> EntryBuilder<E> {
        EntryBuilder { at: Some(at), ..self }
    }

    /// The entry is for the ports that these containers publish; if ports are given, only for those among
    /// them.
    pub fn containers(self, selector: ContainerSelector) -> EntryBuilder<E> {
        EntryBuilder { containers: Some(selector).filter(|it| !it.is_empty()), ..self }
    }

    /// The flows that the entry applies to.
    pub(super) fn entry(self) -> Result<Entry, PolicyError> {
        let name = self.name.map(|name| name::entry_name(&name)).transpose()?;
        let listed = self.ports.clone().map(distinct).unwrap_or_default();
        let ports = self.ports.filter(|ports| self.containers.is_none() || !ports.is_empty());
        let ports = ports.unwrap_or_else(|| Ports::every().collect());
        if ports.is_empty() {
            return Err(PolicyError::EmptyPorts);
        }
        let from = groups(self.from, self.sources)?;
        if self.except.as_ref().is_some_and(Vec::is_empty) {
            return Err(PolicyError::EmptyExcept);
        }
        let except = distinct_groups(self.except.unwrap_or_default());
        if self.to.as_ref().is_some_and(Vec::is_empty) {
            return Err(PolicyError::EmptyTo);
        }
        let to = distinct(self.to.unwrap_or_default());
        if let Some(from) = &from {
            check_versions(from, &to)?;
        }
        Ok(Entry {
            name,
            ports: distinct(ports),
            remaining: remaining(from.as_deref(), &except),
            from,
            except,
            in_interface: self.in_interface,
            containers: self.containers.map(|it| ByContainer::new(Some(it), listed, to.clone())),
            to,
            schedule: self.schedule,
            at: self.at,
        })
    }
}

/// What exceptions leave of the sources; `None` if there are no exceptions.
fn remaining(from: Option<&[Group]>, except: &[Group]) -> Option<Vec<Group>> {
    (!except.is_empty()).then(|| vec![subtract::difference(from, except)])
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
    let Some(destinations) = only_version(to.iter().map(AddressSpec::version)) else {
        return Ok(());
    };
    let sources = from.iter().flat_map(Group::sources).map(Source::version);
    match only_version(sources) {
        Some(sources) if sources != destinations => {
            Err(PolicyError::MixedVersions { from: sources, to: destinations })
        }
        _ => Ok(()),
    }
}

/// The IP version of all these addresses, if it is the same for all.
fn only_version(mut versions: impl Iterator<Item = IpVersion>) -> Option<IpVersion> {
    let first = versions.next()?;
    versions.all(|version| version == first).then_some(first)
}

/// The values without repetitions, in their order.
pub(super) fn distinct<T: Clone + Eq + Hash>(values: Vec<T>) -> Vec<T> {
    let mut seen = HashSet::with_capacity(values.len());
    values.into_iter().filter(|value| seen.insert(value.clone())).collect()
}
