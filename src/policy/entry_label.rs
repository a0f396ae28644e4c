//! How messages name an entry.

use std::fmt;

use super::Entry;
use super::diag::Quoted;
use crate::model::{Location, Name};

/// An entry as a message names it: by its name and its position, as far as it has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryLabel {
    name: Option<Name>,
    at: Option<Location>,
}

impl Entry {
    /// The entry as a message names it.
    pub fn label(&self) -> EntryLabel {
        EntryLabel { name: self.name().cloned(), at: self.at().cloned() }
    }
}

impl EntryLabel {
    /// The name of the entry.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// Where the entry begins.
    pub fn at(&self) -> Option<&Location> {
        self.at.as_ref()
    }
}

/// ``entry `web` at policy.toml:3:1``
impl fmt::Display for EntryLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "entry {}", Quoted(name))?,
            None => f.write_str("the entry")?,
        }
        self.at.as_ref().map_or(Ok(()), |at| write!(f, " at {at}"))
    }
}
