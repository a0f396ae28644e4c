//! The `[[allow]]` entries: which sources may reach which published ports.

use std::ops::Deref;

use super::by_container::Part;
use super::{Entry, EntryBuilder, Group, Limits, PolicyError};
use crate::model::{Location, Ports};

/// One `[[allow]]` entry. [`Allow::builder`] makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    entry: Entry,
    limits: Limits,
}

/// Builds an [`Allow`] entry. What is wrong is reported by [`EntryBuilder::build`].
pub type AllowBuilder = EntryBuilder<Allow>;

impl Allow {
    /// A builder of an entry that lets anyone reach `ports`. What may not reach them is said by the
    /// builder's methods.
    pub fn builder(ports: impl IntoIterator<Item = Ports>) -> AllowBuilder {
        EntryBuilder::new(Some(ports.into_iter().collect()))
    }

    /// The entry for the ports of Swarm, of which `[guard] swarm-peers` lists the sources.
    pub(crate) fn swarm_peers(ports: Vec<Ports>, peers: &[Group]) -> Allow {
        Allow { entry: Entry::swarm_peers(ports, peers), limits: Limits::default() }
    }

    /// The entry with these limits in place of its own. They need the guard.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Allow {
        Allow { limits, ..self }
    }

    /// How many flows the entry admits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The same entry for what containers publish.
    pub(super) fn with_entry(&self, entry: Entry) -> Allow {
        Allow { entry, ..self.clone() }
    }

    /// What a label of a container allows; `None` if it allows nobody.
    pub(super) fn of_labels(
        name: &str,
        from: &[Group],
        at: Option<Location>,
        part: Part,
    ) -> Option<Allow> {
        let entry = Allow::builder(part.ports.iter().copied()).name(name).from(from.to_vec());
        let entry = match at {
            Some(at) => entry.at(at),
            None => entry,
        };
        // The addresses and sources may be of different IP versions.
        let allow = entry.build().ok()?;
        Some(Allow { entry: allow.with_part(part), limits: Limits::default() })
    }
}

impl EntryBuilder<Allow> {
    /// The entry.
    ///
    /// # Errors
    /// A [`PolicyError`] if the name is invalid, if there are no ports, if the entry is restricted
    /// to no source or no destination, if its list of exceptions is empty, or if no source has the IP
    /// version of a destination. [`PolicyError::NameTakesAccess`] if a name is among its exceptions.
    pub fn build(self) -> Result<Allow, PolicyError> {
        let entry = self.entry()?;
        entry.check_no_names("except")?;
        Ok(Allow { entry: entry.until_known(), limits: Limits::default() })
    }
}

impl Allow {
    /// What it applies to, to replace its groups.
    pub(super) fn entry_mut(&mut self) -> &mut Entry {
        &mut self.entry
    }
}

impl Deref for Allow {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.entry
    }
}
