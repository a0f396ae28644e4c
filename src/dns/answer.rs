//! What a lookup of one name found.

use std::net::IpAddr;
use std::time::Duration;

use super::LookupError;
use crate::model::IpVersion;

/// The addresses of one IP version that a name has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The addresses, sorted, each once.
    pub addresses: Vec<IpAddr>,
    /// How long the answer holds.
    pub ttl: Duration,
}

/// What was found for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// Its IPv4 addresses.
    pub v4: Result<Found, LookupError>,
    /// Its IPv6 addresses.
    pub v6: Result<Found, LookupError>,
    /// Addresses in the answers that no client can have, which are not used.
    pub dropped: Vec<IpAddr>,
}

impl Answer {
    /// No answer, for this reason.
    pub fn failed(error: LookupError) -> Answer {
        Answer { v4: Err(error.clone()), v6: Err(error), dropped: Vec::new() }
    }

    /// What was found of an IP version.
    pub fn of(&self, version: IpVersion) -> &Result<Found, LookupError> {
        match version {
            IpVersion::V4 => &self.v4,
            IpVersion::V6 => &self.v6,
        }
    }

    /// Whether the name has an address.
    pub fn is_found(&self) -> bool {
        self.v4.is_ok() || self.v6.is_ok()
    }

    /// Why the addresses are not known, of both IP versions or of one. `None` if they are: a name that has
    /// addresses of one IP version need not have any of the other.
    pub fn error(&self) -> Option<&LookupError> {
        let errors = [&self.v4, &self.v6].map(|found| found.as_ref().err());
        let mut failures = errors.into_iter().flatten();
        let is_failure = |error: &&LookupError| !self.is_found() || !error.is_absence();
        // A failure says more than that there is nothing.
        let all: Vec<&LookupError> = failures.by_ref().filter(is_failure).collect();
        all.iter().find(|error| !error.is_absence()).or(all.first()).copied()
    }

    /// How long the answer holds; `None` if there is none.
    pub fn ttl(&self) -> Option<Duration> {
        [&self.v4, &self.v6].into_iter().flatten().map(|found| found.ttl).min()
    }
}

/// Whether a client of this host can have the address: it is not that of a host itself, of a group, of
/// everyone or of nobody.
pub(super) fn is_usable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => {
            let [first, ..] = it.octets();
            !(first == 0 || first >= 224 || it.is_loopback() || it.is_link_local())
        }
        IpAddr::V6(it) => {
            !(it.is_unspecified()
                || it.is_loopback()
                || it.is_multicast()
                || it.is_unicast_link_local()
                || it.to_ipv4().is_some())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_no_client_has_are_not_usable() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "::1",
            "ff02::1",
            "fe80::1",
            "::ffff:192.0.2.1",
            "::192.0.2.1",
        ] {
            assert!(!is_usable(text.parse().expect("an address")), "{text}");
        }
        for text in ["192.0.2.1", "10.0.0.1", "192.168.1.1", "100.64.0.1", "2001:db8::1", "fd00::1"]
        {
            assert!(is_usable(text.parse().expect("an address")), "{text}");
        }
    }
}
