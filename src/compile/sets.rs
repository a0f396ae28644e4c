//! Groups that are large enough to become sets.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::blocks::{Block, divide};
use super::expand::{destinations, of_version};
use super::shard::{Shards, capacity, shard};
use super::{own_table, swarm};
use crate::model::{
    AddressNumber, Interval, IpVersion, Name, Set, SetKind, SetPath, Shard, coalesce,
};
use crate::policy::size::SET_SIZE_MIN;
use crate::policy::{Entry, Group, Policy, Source};

/// Minimum number of sources of one IP version for which a group becomes a set.
pub(super) const LARGE: usize = SET_SIZE_MIN;

/// The end of the name of a set that holds intervals.
const INTERVALS: &str = "-intervals";

/// A group's identity: groups of one name share their sources, and an entry's own sources are a group
/// of their own.
type Key = (IpVersion, *const Source);

/// The large groups of a policy and their sets.
pub(super) struct SetGroups {
    /// The sets of each large group.
    groups: HashMap<Key, Vec<Lookup>>,
    /// The names that are in use, without the suffixes of a group's sets.
    names: HashSet<(IpVersion, String)>,
    sets: Vec<Set>,
}

impl SetGroups {
    /// The large groups of all entries.
    pub fn of(policy: &Policy) -> SetGroups {
        let mut large =
            SetGroups { groups: HashMap::new(), names: HashSet::new(), sets: Vec::new() };
        for (number, entry) in (1..).zip(policy.deny()) {
            large.add_entry(entry, &format!("deny-{number}"));
        }
        let peers = swarm::entry(policy.guard());
        for (number, entry) in (1..).zip(policy.allow().iter().chain(&peers)) {
            large.add_entry(entry, &number.to_string());
        }
        large
    }

    /// Whether the group is looked up in sets for this IP version.
    pub fn contains(&self, version: IpVersion, group: &Group) -> bool {
        self.groups.contains_key(&key(version, group))
    }

    /// The sets in which the group is looked up for this IP version.
    pub fn lookups(&self, version: IpVersion, group: &Group) -> Option<&[Lookup]> {
        self.groups.get(&key(version, group)).map(Vec::as_slice)
    }

    /// Whether any group is looked up in sets for this IP version.
    pub fn has(&self, version: IpVersion) -> bool {
        self.groups.keys().any(|(of, _)| *of == version)
    }

    /// The sets.
    pub fn into_sets(self) -> Vec<Set> {
        self.sets
    }

    /// Adds the large groups of an entry, which is known by this number if it has no name.
    fn add_entry(&mut self, entry: &Entry, number: &str) {
        for group in entry.sources().into_iter().flatten() {
            for version in IpVersion::ALL {
                self.add(version, group, entry, number);
            }
        }
    }

    fn add(&mut self, version: IpVersion, group: &Group, entry: &Entry, number: &str) {
        let key = key(version, group);
        // A set that no rule looks up would be in a table that does not exist.
        let is_unused = destinations(version, entry).is_empty();
        let is_small = || of_version(version, group).count() < LARGE;
        if is_unused || self.groups.contains_key(&key) || is_small() {
            return;
        }
        let (hosts, intervals) = match version {
            IpVersion::V4 => divided::<u32>(version, group),
            IpVersion::V6 => divided::<u128>(version, group),
        };
        let (name, words) = match group.name() {
            Some(name) => (set_name(name), format!("group `{name}`")),
            None => literal_name(entry, number),
        };
        let name = self.unique(version, name);
        let words: Name = words.into();
        let mut lookups = Vec::new();
        let mut push = |suffix: String, part, capacity, elements: Vec<Interval>| {
            if elements.is_empty() {
                return;
            }
            let digit = match version {
                IpVersion::V4 => 4,
                IpVersion::V6 => 6,
            };
            let set: Name = format!("{name}-{digit}{suffix}").into();
            let path = Arc::new(SetPath { table: own_table(), set: Arc::clone(&set) });
            let kind = match capacity {
                Some(capacity) => SetKind::Hosts { version, capacity },
                None => SetKind::Intervals { version },
            };
            let elements = elements.into();
            self.sets.push(Set { path, kind, elements, origin: Arc::clone(&words) });
            lookups.push(Lookup { set, shard: part });
        };
        for (index, (part, hosts)) in hosts.into_iter().enumerate() {
            let suffix = if part.is_some() { format!(".{index}") } else { String::new() };
            push(suffix, part, Some(capacity(hosts.len(), part)), hosts);
        }
        for block in intervals {
            let suffix = match block.shard {
                Some(_) => format!("{INTERVALS}.{}", block.number),
                None => INTERVALS.to_owned(),
            };
            push(suffix, block.shard, None, block.intervals);
        }
        self.groups.insert(key, lookups);
    }

    /// The name, with a number if another group has it already: the names of two groups may have the
    /// same fingerprint.
    fn unique(&mut self, version: IpVersion, name: String) -> String {
        let numbered = (2..).map(|number| format!("{name}.{number}"));
        let mut free = std::iter::once(name.clone()).chain(numbered);
        let is_free = |name: &String| !self.names.contains(&(version, name.clone()));
        let free = free.find(is_free).unwrap_or(name);
        self.names.insert((version, free.clone()));
        free
    }
}

/// The parts of a group: shards of its single addresses, and blocks of its intervals.
fn divided<N: AddressNumber>(version: IpVersion, group: &Group) -> (Shards, Vec<Block>) {
    let sources = of_version(version, group).map(Source::interval);
    let (hosts, intervals) = coalesce::<N>(sources);
    let length = version.address_bits();
    (shard(&hosts, length), divide(intervals, length))
}

/// A set that a group is looked up in.
pub(super) struct Lookup {
    pub set: Name,
    /// The addresses that the set has room for; `None`: all.
    pub shard: Option<Shard>,
}

fn key(version: IpVersion, group: &Group) -> Key {
    (version, group.sources().as_ptr())
}

/// The group whose sources of an IP version a set of dwnl's holds, by the set's name: `big` for
/// `big-4`, `big-6-intervals`, `big-4.12` and `big-4-intervals.21`. The name of an entry's own sources
/// begins with a dot. `None` for a set of another kind.
pub fn group_of_set(set: &str) -> Option<(&str, IpVersion)> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let shard = set.rsplit_once('.').filter(|(_, number)| is_number(number));
    shard.and_then(|(name, _)| group_of_whole(name)).or_else(|| group_of_whole(set))
}

/// The group of a set that is not divided.
fn group_of_whole(set: &str) -> Option<(&str, IpVersion)> {
    version_suffix(set).or_else(|| version_suffix(set.strip_suffix(INTERVALS)?))
}

/// The group and the IP version of `big-4`.
fn version_suffix(name: &str) -> Option<(&str, IpVersion)> {
    let v4 = name.strip_suffix("-4").map(|group| (group, IpVersion::V4));
    v4.or(name.strip_suffix("-6").map(|group| (group, IpVersion::V6)))
}

/// The name and the words for an entry's own sources. A group's name never begins with a dot.
fn literal_name(entry: &Entry, number: &str) -> (String, String) {
    match entry.name() {
        Some(name) => (format!(".{}", set_name(name)), format!("the sources of entry `{name}`")),
        None => (format!(".{number}"), format!("the sources of entry {number}")),
    }
}

/// A name that nft can read: the group's own if nft can read it, else as much of it as possible and a
/// number that distinguishes it.
pub(super) fn set_name(group: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let begins_well = group.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if begins_well && group.len() <= NAME_MAX && group.chars().all(is_plain) {
        return group.to_owned();
    }
    let kept: String =
        group.chars().map(|c| if is_plain(c) { c } else { '_' }).take(NAME_MAX).collect();
    format!("_{kept}.{:08x}", fingerprint(group))
}

/// Well below the kernel's limit of 255 bytes, with room for prefix and suffixes.
const NAME_MAX: usize = 100;

/// FNV-1a: the same number for the same name in every version of dwnl.
fn fingerprint(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_set_reveals_its_group() {
        use IpVersion::{V4, V6};
        for (set, group) in [
            ("big-4", Some(("big", V4))),
            ("big-6-intervals", Some(("big", V6))),
            ("big-4.12", Some(("big", V4))),
            ("big-4-intervals.21", Some(("big", V4))),
            ("a-4-intervals-4.3", Some(("a-4-intervals", V4))),
            ("a-4-6.3", Some(("a-4", V6))),
            ("a-4-intervals-4", Some(("a-4-intervals", V4))),
            (".3.2-4", Some((".3.2", V4))),
            ("docker-tcp", None),
            ("odd.4", None),
            ("-intervals", None),
        ] {
            assert_eq!(group_of_set(set), group, "{set}");
        }
    }

    #[test]
    fn every_set_of_a_policy_has_its_group() {
        let addresses: Vec<String> = (0..5000_u32)
            .map(|n| std::net::Ipv4Addr::from(0x0a00_0000 + n * 7).to_string())
            .chain((0..70).map(|n| format!("2001:db8::{n:x}:0/112")))
            .collect();
        let text = format!(
            "[sources]\n'b g' = {addresses:?}\na-4 = {addresses:?}\n[[allow]]\nports = ['1']\n\
             from = ['b g', 'a-4']\n[[allow]]\nports = ['2']\nfrom = {addresses:?}\n"
        );
        let policy = Policy::parse(&text, "p", std::path::Path::new("")).expect("a policy");
        let sets = SetGroups::of(&policy).into_sets();
        let mut groups: Vec<_> =
            sets.iter().map(|set| group_of_set(&set.path.set).expect("a group")).collect();
        assert!(sets.len() > 6, "shards");
        groups.dedup();
        assert_eq!(groups.len(), 6, "{groups:?}");
        assert!(groups.iter().any(|(group, _)| *group == ".2"), "{groups:?}");
    }
}
