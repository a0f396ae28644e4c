//! Groups of sources, which entries share.

use std::sync::Arc;

use super::{PolicyError, name};
use crate::model::{AddressSpec, Interval, IpVersion, Location, Name};

/// Sources that an entry names together. Clones share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    name: Option<Name>,
    sources: Arc<Vec<Source>>,
}

impl Group {
    /// A group with a name, as `[sources]` defines it. The name is not empty, has at most
    /// [`NAME_MAX`](super::NAME_MAX) bytes of visible characters and does not look like an address.
    /// A group without sources allows nobody.
    ///
    /// # Errors
    /// A [`PolicyError`] if the name is invalid.
    pub fn named(
        name: &str,
        sources: impl IntoIterator<Item = impl Into<Source>>,
    ) -> Result<Group, PolicyError> {
        let name = name::group_name(name)?;
        let sources: Vec<Source> = sources.into_iter().map(Into::into).collect();
        Ok(Group::of(name, Arc::new(sources)))
    }

    /// A group without a name, as an entry lists its own sources.
    ///
    /// # Errors
    /// [`PolicyError::EmptyGroup`].
    pub fn unnamed(
        sources: impl IntoIterator<Item = impl Into<Source>>,
    ) -> Result<Group, PolicyError> {
        let sources: Vec<Source> = sources.into_iter().map(Into::into).collect();
        if sources.is_empty() {
            return Err(PolicyError::EmptyGroup(None));
        }
        Ok(Group { name: None, sources: Arc::new(sources) })
    }

    /// A group with a name that has been checked.
    pub(super) fn of(name: Name, sources: Arc<Vec<Source>>) -> Group {
        Group { name: Some(name), sources }
    }

    /// The sources of an entry that its exceptions leave; there may be none.
    pub(super) fn remainder(sources: Vec<Source>) -> Group {
        Group { name: None, sources: Arc::new(sources) }
    }

    /// The name under `[sources]`; `None` for sources that an entry lists itself.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// The sources; at least one if the group has no name, unless it is what exceptions leave. Groups that are clones of each other return the same slice.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Whether both groups can occur in one policy: groups of one name have the same sources.
    pub(super) fn agrees_with(&self, other: &Group) -> bool {
        Arc::ptr_eq(&self.sources, &other.sources) || self.sources == other.sources
    }
}

/// One source with its position in the policy or in a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    addresses: AddressSpec,
    at: Option<Location>,
}

impl Source {
    /// A source that was read at this position.
    pub fn located(addresses: AddressSpec, at: Location) -> Source {
        Source { addresses, at: Some(at) }
    }

    /// The addresses.
    pub fn addresses(&self) -> &AddressSpec {
        &self.addresses
    }

    /// A part of its addresses, with the same position.
    pub(super) fn part(&self, interval: Interval, version: IpVersion) -> Source {
        Source { addresses: interval.addresses(version), at: self.at.clone() }
    }

    /// Where it was read; `None` if it was not read from a file.
    pub fn at(&self) -> Option<&Location> {
        self.at.as_ref()
    }
}

/// A source that was not read from a file.
impl From<AddressSpec> for Source {
    fn from(addresses: AddressSpec) -> Source {
        Source { addresses, at: None }
    }
}
