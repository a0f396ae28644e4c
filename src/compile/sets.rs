//! Groups that are large enough to become sets, and the rules that look them up.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::allow_rules::{destinations, network, of_family, origin, range};
use super::shard::{capacity, shard};
use super::{own_table, swarm};
use crate::model::{
    AddressSpec, DesiredRule, Family, Interval, Match, Name, Ports, Rule, Set, SetKind, SetPath,
    Shard, Verdict, coalesce,
};
use crate::policy::{Allow, Group, Policy, Source};

/// From this number of sources of one family on, a group becomes a set.
pub(super) const LARGE: usize = 64;

/// A group's identity: groups of one name share their sources, and an entry's own sources are a
/// group of their own.
type Key = (Family, *const Source);

/// The large groups of a policy, and their sets.
pub(super) struct SetGroups {
    /// The sets of each large group.
    groups: HashMap<Key, Vec<Lookup>>,
    /// The names that are taken, without what tells the sets of a group apart.
    names: HashSet<(Family, String)>,
    sets: Vec<Set>,
}

impl SetGroups {
    /// The large groups of all entries.
    pub fn of(policy: &Policy) -> SetGroups {
        let mut large =
            SetGroups { groups: HashMap::new(), names: HashSet::new(), sets: Vec::new() };
        for (index, entry) in policy.allow().iter().enumerate() {
            for group in entry.from().into_iter().flatten() {
                for family in Family::NAT {
                    large.add(family, group, entry, index);
                }
            }
        }
        if let Some(peers) = swarm::entry(policy.guard()) {
            for group in peers.from().into_iter().flatten() {
                for family in Family::NAT {
                    large.add(family, group, &peers, policy.allow().len());
                }
            }
        }
        large
    }

    /// Whether the group is looked up in sets for this family.
    pub fn contains(&self, family: Family, group: &Group) -> bool {
        self.groups.contains_key(&key(family, group))
    }

    /// The sets in which the group is looked up for this family.
    pub fn lookups(&self, family: Family, group: &Group) -> Option<&[Lookup]> {
        self.groups.get(&key(family, group)).map(Vec::as_slice)
    }

    /// Whether any group is looked up in sets for this family.
    pub fn has(&self, family: Family) -> bool {
        self.groups.keys().any(|(of, _)| *of == family)
    }

    /// The rules that look up the large groups of an entry, without the guard.
    pub fn rules(&self, entry: &Allow, mark: u32) -> Vec<DesiredRule> {
        let mut rules = Vec::new();
        for group in entry.from().into_iter().flatten() {
            for family in Family::NAT {
                self.push_rules(family, group, entry, mark, &mut rules);
            }
        }
        rules
    }

    /// The sets.
    pub fn into_sets(self) -> Vec<Set> {
        self.sets
    }

    fn add(&mut self, family: Family, group: &Group, entry: &Allow, index: usize) {
        let key = key(family, group);
        // A set that no rule looks up would be in a table that does not exist.
        let is_unused = destinations(family, entry).is_empty();
        if is_unused || self.groups.contains_key(&key) || of_family(family, group).count() < LARGE {
            return;
        }
        let sources = of_family(family, group).map(|source| Interval::of(source.addresses()));
        let (hosts, intervals) = coalesce(sources);
        let (name, words) = match group.name() {
            Some(name) => (set_name(name), format!("group `{name}`")),
            None => literal_name(entry, index),
        };
        let name = self.unique(family, name);
        let version = if family == Family::Ip6 { 6 } else { 4 };
        let words: Name = words.into();
        let mut lookups = Vec::new();
        let mut push = |suffix: String, part, capacity, elements: Vec<Interval>| {
            if elements.is_empty() {
                return;
            }
            let set: Name = format!("{name}-{version}{suffix}").into();
            let path = Arc::new(SetPath { table: own_table(), set: Arc::clone(&set) });
            let kind = match capacity {
                Some(capacity) => SetKind::Hosts { family, capacity },
                None => SetKind::Intervals { family },
            };
            let elements = elements.into();
            self.sets.push(Set { path, kind, elements, origin: Arc::clone(&words) });
            lookups.push(Lookup { set, part });
        };
        let length = if family == Family::Ip6 { 128 } else { 32 };
        for (index, (part, hosts)) in shard(&hosts, length).into_iter().enumerate() {
            let suffix = if part.is_some() { format!(".{index}") } else { String::new() };
            push(suffix, part, Some(capacity(hosts.len(), part)), hosts);
        }
        push("-intervals".to_owned(), None, None, intervals);
        self.groups.insert(key, lookups);
    }

    /// The name, with a number if another group has it already: the names of two groups may have the
    /// same fingerprint.
    fn unique(&mut self, family: Family, name: String) -> String {
        let numbered = (2..).map(|number| format!("{name}.{number}"));
        let mut free = std::iter::once(name.clone()).chain(numbered);
        let is_free = |name: &String| !self.names.contains(&(family, name.clone()));
        let free = free.find(is_free).unwrap_or(name);
        self.names.insert((family, free.clone()));
        free
    }

    fn push_rules(
        &self,
        family: Family,
        group: &Group,
        entry: &Allow,
        mark: u32,
        rules: &mut Vec<DesiredRule>,
    ) {
        let Some(lookups) = self.groups.get(&key(family, group)) else { return };
        let origin = Arc::new(origin(entry, Some(group), None));
        for ports in entry.ports() {
            for destination in destinations(family, entry) {
                for lookup in lookups {
                    let rule = rule(family, entry, *ports, destination, lookup, mark);
                    rules.push(DesiredRule { rule, origin: Some(Arc::clone(&origin)) });
                }
            }
        }
    }
}

/// A set of a group; `None`: it is not divided into parts.
pub(super) struct Lookup {
    pub set: Name,
    pub part: Option<Shard>,
}

fn key(family: Family, group: &Group) -> Key {
    (family, group.sources().as_ptr())
}

/// `iifname INTERFACE ip daddr DESTINATION tcp dport PORTS ip saddr @SET fib daddr type local
/// counter ct mark set ct mark | MARK comment NAME`
fn rule(
    family: Family,
    entry: &Allow,
    ports: Ports,
    destination: Option<&AddressSpec>,
    lookup: &Lookup,
    mark: u32,
) -> Rule {
    let mut matches = vec![Match::DestinationPorts(ports)];
    if let Some(range) = range(destination) {
        matches.push(Match::Range { source: None, destination: Some(range) });
    }
    matches.extend(lookup.part.map(|part| Match::SourceShard { family, part }));
    matches.push(Match::SourceSet { family, set: Arc::clone(&lookup.set) });
    matches.push(Match::DstTypeLocal);
    matches.extend(entry.name().map(|name| Match::Comment(comment(name))));
    Rule {
        source: None,
        destination: network(destination),
        in_interface: entry.in_interface().cloned(),
        protocol: Some(ports.protocol()),
        matches: matches.into(),
        verdict: Verdict::SetCtMark(mark),
    }
}

/// The entry's name as a comment that nft can read: it knows no escapes, and its comments have at
/// most 127 bytes.
pub(super) fn comment(name: &str) -> Name {
    let end = (0..=name.len().min(NFT_COMMENT_MAX)).rev().find(|end| name.is_char_boundary(*end));
    name[..end.unwrap_or(0)].replace('"', "'").into()
}

/// `NFTNL_UDATA_COMMENT_MAXLEN` less its NUL.
const NFT_COMMENT_MAX: usize = 127;

/// The name and the words for an entry's own sources. A group's name never begins with a dot.
fn literal_name(entry: &Allow, index: usize) -> (String, String) {
    match entry.name() {
        Some(name) => (format!(".{}", set_name(name)), format!("the sources of entry `{name}`")),
        None => (format!(".{}", index + 1), format!("the sources of entry {}", index + 1)),
    }
}

/// What nft can read as a name: the group's own if it is one, else as much of it as can be kept
/// and a number that tells it from others.
fn set_name(group: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let begins_well = group.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if begins_well && group.len() <= NAME_MAX && group.chars().all(is_plain) {
        return group.to_owned();
    }
    let kept: String =
        group.chars().map(|c| if is_plain(c) { c } else { '_' }).take(NAME_MAX).collect();
    format!("_{kept}.{:08x}", fingerprint(group))
}

/// Well below the kernel's limit of 255 bytes, with room for what is put before and behind.
const NAME_MAX: usize = 100;

/// FNV-1a: the same number for the same name, today and in the next version.
fn fingerprint(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
