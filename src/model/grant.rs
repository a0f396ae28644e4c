//! Grants and bans by hand: sources that an operator or a program allows or refuses for a while,
//! beside the policy. The kernel keeps them in sets of dwnl's own table, and ends them by itself.

use std::fmt;
use std::time::Duration;

use super::{AddressSpec, IpVersion, Name, Ports, SetKind};

/// Whether something by hand lets sources in or keeps them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GrantAction {
    /// A ban: refused, whatever the policy and the grants say.
    Deny,
    /// A grant: allowed, unless a ban or the policy denies it.
    Allow,
}

impl GrantAction {
    /// Both, bans first.
    pub const ALL: [GrantAction; 2] = [GrantAction::Deny, GrantAction::Allow];
}

/// `banned`, `granted`: what the sets' names begin with.
impl fmt::Display for GrantAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            GrantAction::Deny => "banned",
            GrantAction::Allow => "granted",
        })
    }
}

/// A source that is allowed or refused by hand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// Whether it is allowed or refused.
    pub action: GrantAction,
    /// The source.
    pub source: AddressSpec,
    /// The published ports; `None`: every port.
    pub ports: Option<Ports>,
    /// How long it still lasts; `None`: until it is revoked, or the table is deleted.
    pub remaining: Option<Duration>,
    /// A note of the operator, at most [`Grant::NOTE_MAX`] bytes without control characters and `"`.
    pub note: Option<Name>,
}

impl Grant {
    /// Maximum length of a note in bytes: what nft reads.
    pub const NOTE_MAX: usize = 127;
    /// The longest time that a grant or ban may be limited to: a hundred years.
    pub const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

    /// The set that holds it.
    pub fn set(&self) -> GrantSet {
        let is_host = self.source.first() == self.source.last();
        let is_port = self.ports.is_some_and(|ports| ports.first() == ports.last());
        let has_ranges = match self.action {
            GrantAction::Deny => !is_host || self.ports.is_some(),
            GrantAction::Allow => !is_host || !is_port,
        };
        GrantSet { action: self.action, version: self.source.version(), has_ranges }
    }

    /// Whether it lasts at least as long as another one.
    pub fn outlasts(&self, other: &Grant) -> bool {
        match (self.remaining, other.remaining) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(others)) => own >= others,
        }
    }
}

/// `banned 192.0.2.7`, `granted 192.0.2.0/24 443/tcp`.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action, self.source)?;
        self.ports.map_or(Ok(()), |ports| write!(f, " {ports}"))
    }
}

/// One of the sets that hold grants and bans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantSet {
    /// Whether its sources are allowed or refused.
    pub action: GrantAction,
    /// The IP version of its sources.
    pub version: IpVersion,
    /// `true`: networks, ranges of addresses or of ports, and for bans all those of single ports.
    /// `false`: single addresses, for grants each with a single port.
    pub has_ranges: bool,
}

impl GrantSet {
    /// All sets, in the order in which the rules look them up.
    pub fn all() -> impl Iterator<Item = GrantSet> {
        GrantAction::ALL.into_iter().flat_map(GrantSet::of)
    }

    /// The sets of grants, or of bans.
    pub fn of(action: GrantAction) -> impl Iterator<Item = GrantSet> {
        let of_version =
            move |version| [false, true].map(|has_ranges| GrantSet { action, version, has_ranges });
        IpVersion::ALL.into_iter().flat_map(of_version)
    }

    /// The kind of the set.
    pub fn kind(self) -> SetKind {
        let GrantSet { action, version, has_ranges } = self;
        match (action, has_ranges) {
            (_, true) => SetKind::GrantRanges { version },
            (GrantAction::Deny, false) => SetKind::BannedHosts { version },
            (GrantAction::Allow, false) => SetKind::GrantedHosts { version },
        }
    }

    /// Maximum number of elements.
    pub fn capacity(self) -> u32 {
        match (self.action, self.has_ranges) {
            (_, true) => SetKind::GRANT_RANGES,
            (GrantAction::Deny, false) => SetKind::BANNED_HOSTS,
            (GrantAction::Allow, false) => SetKind::GRANTED_HOSTS,
        }
    }

    /// The set of this name.
    pub fn named(name: &str) -> Option<GrantSet> {
        GrantSet::all().find(|set| set.to_string() == name)
    }
}

/// `banned-ip`, `granted-ip6-ranges`. The set of a group has another suffix, whatever the name of the
/// group is.
impl fmt::Display for GrantSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.version {
            IpVersion::V4 => "ip",
            IpVersion::V6 => "ip6",
        };
        let ranges = if self.has_ranges { "-ranges" } else { "" };
        write!(f, "{}-{version}{ranges}", self.action)
    }
}

/// How full one of the sets is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantFill {
    /// Which set.
    pub set: GrantSet,
    /// The number of elements that it holds.
    pub elements: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(action: GrantAction, source: &str, ports: Option<&str>) -> Grant {
        let source = source.parse().expect("a source");
        let ports = ports.map(|ports| ports.parse().expect("ports"));
        Grant { action, source, ports, remaining: None, note: None }
    }

    #[test]
    fn single_addresses_have_sets_of_their_own() {
        use GrantAction::{Allow, Deny};
        for (action, source, ports, set) in [
            (Deny, "192.0.2.7", None, "banned-ip"),
            (Deny, "192.0.2.7", Some("443"), "banned-ip-ranges"),
            (Deny, "2001:db8::/32", None, "banned-ip6-ranges"),
            (Allow, "2001:db8::1", Some("443"), "granted-ip6"),
            (Allow, "192.0.2.7", Some("1-2/udp"), "granted-ip-ranges"),
            (Allow, "192.0.2.0/24", Some("443"), "granted-ip-ranges"),
        ] {
            let grant = grant(action, source, ports);
            assert_eq!(grant.set().to_string(), set);
            assert_eq!(GrantSet::named(set), Some(grant.set()));
        }
    }

    #[test]
    fn what_has_no_end_outlasts_everything() {
        let forever = grant(GrantAction::Deny, "192.0.2.7", None);
        let hour = Grant { remaining: Some(Duration::from_secs(3600)), ..forever.clone() };
        assert!(forever.outlasts(&hour) && !hour.outlasts(&forever) && hour.outlasts(&hour));
    }
}
