//! What makes a policy invalid beyond the form of its values, whether it comes from text or is built
//! in memory.

use super::HostName;
use super::SelectorError;
use super::diag::Quoted;
use crate::model::{IpVersion, Location, Name};

/// Why a part of a policy is invalid. The texts name the keys of the policy file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// An entry has an empty name.
    #[error("`name` is empty")]
    EmptyName,
    /// The name of an entry or a group is longer than [`NAME_MAX`](super::NAME_MAX).
    #[error("the name is {length} bytes long")]
    NameTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The name of an entry or a group contains a control character.
    #[error("the name contains a control character (U+{:04X})", u32::from(*.0))]
    ControlCharacter(char),
    /// The name of an entry or a group contains a character that cannot be seen or that reorders
    /// the text around it.
    #[error("the name contains an invisible character (U+{:04X})", u32::from(*.0))]
    InvisibleCharacter(char),
    /// Two entries have the same name.
    #[error("duplicate name {}", Quoted(.0))]
    DuplicateName(Name),
    /// The name of a group is empty.
    #[error("the group name is empty")]
    EmptyGroupName,
    /// The name of a group looks like an address.
    #[error("{} is not a valid group name", Quoted(.0))]
    InvalidGroupName(Name),
    /// A group without a name has no sources, or a group that `allow-empty = false` forbids to be
    /// empty.
    #[error("{} has no sources", group(.0))]
    EmptyGroup(Option<Name>),
    /// The group of a source file, in what an entry denies or excepts, has no sources.
    #[error("group {} has no sources, so the entry would keep nobody out", Quoted(.0))]
    EmptyDenied(Name),
    /// Groups of the same name have different sources.
    #[error("group {} is defined twice, with different sources", Quoted(.0))]
    ConflictingGroups(Name),
    /// An entry has no ports.
    #[error("`ports` is empty")]
    EmptyPorts,
    /// An entry has a list of sources without a source.
    #[error("`from` is empty, so the entry would never match")]
    EmptyFrom,
    /// An entry has a list of exceptions without a source.
    #[error("`except` is empty")]
    EmptyExcept,
    /// An entry has a list of destinations without a destination.
    #[error("`to` is empty, so the entry would never match")]
    EmptyTo,
    /// The sources and destinations of an entry have no IP version in common.
    #[error("`from` is {}-only and `to` is {}-only, so the entry never matches",
        name(*.from), name(*.to))]
    MixedVersions {
        /// The IP version of all sources.
        from: IpVersion,
        /// The IP version of all destinations.
        to: IpVersion,
    },
    /// A name, whose addresses may be unknown, would take access away: in `from` of a `[[deny]]` entry, or
    /// in `except` of an `[[allow]]` entry.
    #[error("{host} is a name, so `{key}` cannot take access away from it")]
    NameTakesAccess {
        /// The key.
        key: &'static str,
        /// The name.
        host: HostName,
    },
    /// A path is not that of a cgroup below the mount point of cgroup v2.
    #[error("{} is not a valid cgroup path", Quoted(.0))]
    InvalidCgroup(Name),
    /// A cgroup of the host is not at the top of the hierarchy.
    #[error("{} is not a top-level cgroup", Quoted(.0))]
    NestedCgroup(Name),
    /// The list of the other nodes of a Swarm is empty.
    #[error("`swarm-peers` is empty")]
    EmptySwarmPeers,
    /// The entries need more rules than [`RULES_MAX`](super::RULES_MAX): for each port, source and
    /// destination one.
    #[error("{} needs {}: {}; a policy may need at most {}",
        entry_name(entry), count(*rules, "rule"), product(*ports, *sources, *destinations),
        thousands(super::RULES_MAX))]
    TooManyRules {
        /// The name of the entry that needs most.
        entry: Option<Name>,
        /// Where it begins; `None` if it was not read from a file.
        at: Option<Location>,
        /// The number of its ports.
        ports: usize,
        /// The number of its sources; `None`: anyone.
        sources: Option<usize>,
        /// The number of its destinations; `None`: any.
        destinations: Option<usize>,
        /// The number of rules that it needs.
        rules: u64,
        /// The number of rules that all entries need.
        total: u64,
    },
    /// Schedules have different time zones.
    #[error("the schedules have different time zones: {} and {}", .0, .1)]
    SeveralZones(Name, Name),
    /// The path of a socket is not absolute, or longer than the address of a Unix socket.
    #[error("{} is not the absolute path of a Unix socket", Quoted(.0))]
    InvalidSocket(Name),
    /// The list of groups that labels may name is empty, or has a source in it.
    #[error("`label-groups` has to list names of groups")]
    EmptyLabelGroups,
    /// No container can be meant.
    #[error("{0}")]
    Selector(#[from] SelectorError),
    /// A setting that only the guard uses is set while the guard is off.
    #[error("`{0}` requires the guard, which is disabled")]
    NeedsGuard(&'static str),
}

fn group(name: &Option<Name>) -> String {
    name.as_ref().map_or("a group".to_owned(), |name| format!("group {}", Quoted(name)))
}

fn name(version: IpVersion) -> &'static str {
    match version {
        IpVersion::V4 => "IPv4",
        IpVersion::V6 => "IPv6",
    }
}

fn entry_name(name: &Option<Name>) -> String {
    name.as_ref().map_or("an entry without a name".to_owned(), |it| format!("entry {}", Quoted(it)))
}

/// `60,000 ports × 60 sources × 60 destinations`
fn product(ports: usize, sources: Option<usize>, destinations: Option<usize>) -> String {
    let factors = [(Some(ports), "port"), (sources, "source"), (destinations, "destination")];
    let factors = factors.into_iter().filter_map(|(number, noun)| Some((number?, noun)));
    let factors = factors.map(|(number, noun)| count(number as u64, noun));
    factors.collect::<Vec<String>>().join(" × ")
}

/// `1 port`, `60,000 ports`
fn count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// `216,000,000`
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<String> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect();
    groups.join(",")
}
