//! What makes a policy invalid beyond the form of its values, whether it comes from text or is built
//! in memory.

use super::diag::Quoted;
use crate::model::{IpVersion, Name};

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
    /// Groups of the same name have different sources.
    #[error("group {} is defined twice, with different sources", Quoted(.0))]
    ConflictingGroups(Name),
    /// An entry has no ports.
    #[error("`ports` is empty")]
    EmptyPorts,
    /// An entry has a list of sources without a source.
    #[error("`from` is empty, so the entry would never match")]
    EmptyFrom,
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
    /// A path is not that of a cgroup below the mount point of cgroup v2.
    #[error("{} is not a valid cgroup path", Quoted(.0))]
    InvalidCgroup(Name),
    /// A cgroup of the host is not at the top of the hierarchy.
    #[error("{} is not a top-level cgroup", Quoted(.0))]
    NestedCgroup(Name),
    /// The list of the other nodes of a Swarm is empty.
    #[error("`swarm-peers` is empty")]
    EmptySwarmPeers,
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
