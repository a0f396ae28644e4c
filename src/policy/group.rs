//! Groups of sources, which entries share.

use std::sync::Arc;

use super::{DnsName, PolicyError, Source, name};
use crate::model::Name;

/// Sources that an entry names together. Clones share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    name: Option<Name>,
    sources: Arc<Vec<Source>>,
    names: Arc<[DnsName]>,
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
        Ok(Group { name: None, sources: Arc::new(sources), names: Arc::default() })
    }

    /// A group without a name, as an entry lists names whose addresses are looked up.
    ///
    /// # Errors
    /// [`PolicyError::EmptyGroup`].
    pub fn unnamed_dns(names: impl IntoIterator<Item = DnsName>) -> Result<Group, PolicyError> {
        let names: Arc<[DnsName]> = names.into_iter().collect();
        if names.is_empty() {
            return Err(PolicyError::EmptyGroup(None));
        }
        Ok(Group { name: None, sources: Arc::default(), names })
    }

    /// The group with these names in addition, whose addresses are looked up.
    #[must_use]
    pub fn with_names(self, names: impl IntoIterator<Item = DnsName>) -> Group {
        let names = self.names.iter().cloned().chain(names).collect();
        Group { names, ..self }
    }

    /// A group with a name that has been checked.
    pub(super) fn of(name: Name, sources: Arc<Vec<Source>>) -> Group {
        Group { name: Some(name), sources, names: Arc::default() }
    }

    /// The group with these addresses in place of those that were found for its names before.
    pub(super) fn with_found(&self, found: Vec<Source>) -> Group {
        let fixed = self.sources.iter().filter(|source| source.host().is_none());
        let sources = fixed.cloned().chain(found).collect();
        Group { sources: Arc::new(sources), ..self.clone() }
    }

    /// The sources of an entry that its exceptions leave; there may be none.
    pub(super) fn remainder(sources: Vec<Source>) -> Group {
        Group { name: None, sources: Arc::new(sources), names: Arc::default() }
    }

    /// The name under `[sources]`; `None` for sources that an entry lists itself.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// The sources, with the addresses that were found for its names; at least one source or name if the
    /// group has no name, unless it is what exceptions leave. Groups that are clones of each other return
    /// the same slice.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The names whose addresses are sources as soon as [`Policy::with_addresses`] has added them.
    ///
    /// [`Policy::with_addresses`]: super::Policy::with_addresses
    pub fn names(&self) -> &[DnsName] {
        &self.names
    }

    /// Whether the group can never have a source.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.names.is_empty()
    }

    /// Whether both groups can occur in one policy: groups of one name have the same sources.
    pub(super) fn agrees_with(&self, other: &Group) -> bool {
        let is_same = Arc::ptr_eq(&self.sources, &other.sources) || self.sources == other.sources;
        is_same && self.names == other.names
    }
}
