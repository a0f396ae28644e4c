//! Where a value came from, so that every error can refer to the operator's text.

use std::fmt;
use std::sync::Arc;

/// A position in a text file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file as the operator named it; `<stdin>` for standard input.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The part of the policy that a rule was compiled from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The name of the `[[allow]]` entry, if it has one.
    pub entry: Option<Arc<str>>,
    /// Where the entry begins; `None` if it was not read from a file.
    pub at: Option<Location>,
    /// The group that the source belongs to, if the group has a name.
    pub group: Option<Arc<str>>,
    /// The host name that the source was found for, if the policy does not list its address.
    pub host: Option<Arc<str>>,
    /// The containers whose ports the entry is for, if it names containers and not ports.
    pub containers: Arc<[Arc<str>]>,
    /// Where the source was read; `None` if it was not read from a file or there is no source.
    pub source: Option<Location>,
}

/// A phrase such as ``entry `web` (policy.toml:12:1), group `cdn` (cdn.txt:7:1)``.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            Some(name) => write!(f, "entry `{name}`")?,
            None => write!(f, "an entry without a name")?,
        }
        if let Some(at) = &self.at {
            write!(f, " ({at})")?;
        }
        match &*self.containers {
            [] => {}
            [container] => write!(f, ", container `{container}`")?,
            [first, others @ ..] => write!(f, ", container `{first}` and {} more", others.len())?,
        }
        match &self.group {
            Some(group) => write!(f, ", group `{group}`")?,
            None if self.source.is_some() && self.host.is_none() => write!(f, ", source")?,
            None => {}
        }
        if let Some(host) = &self.host {
            write!(f, ", name `{host}`")?;
        }
        match &self.source {
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}
