//! Sources by name: addresses that are looked up in the DNS before a policy is compiled.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::model::{Location, Name};

/// A host name in lower case, without the dot at its end. It is always absolute: no search domain is
/// appended to it. `FromStr` reads it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Name);

impl HostName {
    /// A name that has been checked.
    pub(super) fn checked(name: &str) -> HostName {
        HostName(name.to_ascii_lowercase().into())
    }

    /// The name, to be shared.
    pub(crate) fn name(&self) -> &Name {
        &self.0
    }

    /// The name as text, without a dot at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name whose addresses are sources: `{ dns = "home.example.net" }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsName {
    host: HostName,
    stale: Duration,
    min_ttl: Duration,
    max_addresses: usize,
    at: Option<Location>,
}

impl DnsName {
    /// How long the last known addresses stay by default while the name cannot be resolved.
    pub const STALE: Duration = Duration::from_secs(24 * 60 * 60);
    /// The shortest time between two lookups by default, whatever the TTL of the answer.
    pub const MIN_TTL: Duration = Duration::from_secs(30);
    /// The most addresses that a name may have by default.
    pub const MAX_ADDRESSES: usize = 32;
    /// The most addresses that can be permitted.
    pub const MAX_ADDRESSES_MAX: usize = 1024;

    /// The name with the default settings.
    pub fn new(host: HostName) -> DnsName {
        DnsName {
            host,
            stale: Self::STALE,
            min_ttl: Self::MIN_TTL,
            max_addresses: Self::MAX_ADDRESSES,
            at: None,
        }
    }

    /// Sets how long the last known addresses stay while the name cannot be resolved.
    #[must_use]
    pub fn with_stale(self, stale: Duration) -> DnsName {
        DnsName { stale, ..self }
    }

    /// Sets the shortest time between two lookups.
    #[must_use]
    pub fn with_min_ttl(self, min_ttl: Duration) -> DnsName {
        DnsName { min_ttl, ..self }
    }

    /// Sets how many addresses the name may have, at most [`DnsName::MAX_ADDRESSES_MAX`].
    #[must_use]
    pub fn with_max_addresses(self, max_addresses: usize) -> DnsName {
        DnsName { max_addresses: max_addresses.min(Self::MAX_ADDRESSES_MAX), ..self }
    }

    /// Where the name was read.
    #[must_use]
    pub fn located(self, at: Location) -> DnsName {
        DnsName { at: Some(at), ..self }
    }

    /// The name.
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// How long the last known addresses stay while the name cannot be resolved.
    pub fn stale(&self) -> Duration {
        self.stale
    }

    /// The shortest time between two lookups.
    pub fn min_ttl(&self) -> Duration {
        self.min_ttl
    }

    /// How many addresses the name may have. An answer with more counts as none.
    pub fn max_addresses(&self) -> usize {
        self.max_addresses
    }

    /// Where it was read; `None` if it was not read from a file.
    pub fn at(&self) -> Option<&Location> {
        self.at.as_ref()
    }

    /// Takes over what is stricter in the settings of the same name elsewhere.
    fn restrict(&mut self, other: &DnsName) {
        self.stale = self.stale.min(other.stale);
        self.min_ttl = self.min_ttl.max(other.min_ttl);
        self.max_addresses = self.max_addresses.min(other.max_addresses);
    }
}

/// Each name once, in the order of the names. One that is listed with different settings has the
/// strictest of them.
pub(super) fn distinct<'a>(names: impl Iterator<Item = &'a DnsName>) -> Vec<DnsName> {
    let mut found: BTreeMap<&HostName, DnsName> = BTreeMap::new();
    for name in names {
        found.entry(name.host()).or_insert_with(|| name.clone()).restrict(name);
    }
    found.into_values().collect()
}
