//! The `[[deny]]` entries: which sources may not reach which published ports, whatever allows them.

use std::ops::Deref;

use super::{Entry, EntryBuilder, PolicyError};
use crate::model::Ports;

/// One `[[deny]]` entry. [`Deny::builder`] makes it. No `[[allow]]` entry admits what it denies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deny {
    entry: Entry,
}

/// Builds a [`Deny`] entry. What is wrong is reported by [`EntryBuilder::build`].
pub type DenyBuilder = EntryBuilder<Deny>;

impl Deny {
    /// A builder of an entry that denies everyone everything. The builder's methods restrict it.
    pub fn builder() -> DenyBuilder {
        EntryBuilder::new(None)
    }

    /// The same entry for what containers publish.
    pub(super) fn with_entry(&self, entry: Entry) -> Deny {
        Deny { entry }
    }
}

impl EntryBuilder<Deny> {
    /// Restricts the entry to these ports, in addition to those given before.
    pub fn ports(self, ports: impl IntoIterator<Item = Ports>) -> DenyBuilder {
        self.with_ports(ports)
    }

    /// The entry.
    ///
    /// # Errors
    /// A [`PolicyError`] if the name is invalid, if the entry is restricted to no port, no source or no
    /// destination, if its list of exceptions is empty, or if no source has the IP version of a
    /// destination. [`PolicyError::NameTakesAccess`] if a name is among its sources.
    pub fn build(self) -> Result<Deny, PolicyError> {
        let entry = self.entry()?;
        entry.check_no_names("from")?;
        Ok(Deny { entry })
    }
}

impl Deny {
    /// What it applies to, to replace its groups.
    pub(super) fn entry_mut(&mut self) -> &mut Entry {
        &mut self.entry
    }
}

impl Deref for Deny {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.entry
    }
}
