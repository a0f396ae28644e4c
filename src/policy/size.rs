//! Bounds the size of a policy: how many rules it may need, and how many sources it may have.

use super::{Entry, Group, PolicyError};
use crate::model::IpVersion;

/// Maximum number of rules that the entries of a policy may need in `DOCKER-BLOCK`. The memory of
/// `apply` grows by about 3 KiB for each, and the time in which the kernel lists them by the square of
/// their number.
pub const RULES_MAX: u64 = 65_536;
/// Maximum number of sources in the source files of a policy.
pub const FILE_SOURCES_MAX: usize = 1_000_000;
/// Minimum number of sources of one IP version with which a group becomes a set.
pub(crate) const SET_SIZE_MIN: usize = 64;

/// Checks that the entries and the peers of a Swarm node do not need more than [`RULES_MAX`] rules. The
/// error names the entry that needs most.
pub(super) fn check<'p>(
    entries: impl Iterator<Item = &'p Entry>,
    peers: &[Group],
) -> Result<(), PolicyError> {
    let (mut total, mut largest) = (rules_of_peers(peers), None);
    for entry in entries {
        let rules = rules(entry);
        total = total.saturating_add(rules);
        if largest.is_none_or(|(most, _)| rules > most) {
            largest = Some((rules, entry));
        }
    }
    match largest {
        Some((rules, entry)) if total > RULES_MAX => Err(PolicyError::TooManyRules {
            entry: entry.name().cloned(),
            at: entry.at().cloned(),
            ports: entry.ports().len(),
            sources: entry.sources().map(|groups| groups.iter().map(|it| it.sources().len()).sum()),
            destinations: (!entry.to().is_empty()).then(|| entry.to().len()),
            rules,
            total,
        }),
        _ => Ok(()),
    }
}

/// The number of rules for the other nodes of a Swarm, which have four ports.
fn rules_of_peers(peers: &[Group]) -> u64 {
    let of = |version| peers.iter().map(|group| lookups(group, version)).sum::<u64>();
    4 * (of(IpVersion::V4) + of(IpVersion::V6))
}

/// The number of rules that an entry needs; if a group is large, at most this many.
fn rules(entry: &Entry) -> u64 {
    let of = |version| {
        let to = entry.to();
        let destinations = match to.len() {
            0 => 1,
            _ => to.iter().filter(|it| it.version() == version).count() as u64,
        };
        let lookups = |groups: &[Group]| groups.iter().map(|it| lookups(it, version)).sum();
        let sources: u64 = entry.sources().map_or(1, lookups);
        (entry.ports().len() as u64).saturating_mul(destinations).saturating_mul(sources)
    };
    of(IpVersion::V4).saturating_add(of(IpVersion::V6))
}

/// The number of rules for the sources of a group, for one port and destination: one for each source,
/// or for each set.
fn lookups(group: &Group, version: IpVersion) -> u64 {
    /// A large group has up to 64 sets of addresses and as many of intervals. Those of a divided group have
    /// more than 1,024 elements on average.
    const SETS_MAX: u64 = 128;
    const SET_SIZE_MEAN_MIN: u64 = 1_024;
    let is_of_version = |source: &&super::Source| source.version() == version;
    match group.sources().iter().filter(is_of_version).count() {
        small if small < SET_SIZE_MIN => small as u64,
        large => (large as u64 / SET_SIZE_MEAN_MIN).clamp(1, SETS_MAX) + 1,
    }
}
