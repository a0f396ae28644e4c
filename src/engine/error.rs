//! Why the engine could not do what it was asked to.

use std::io;
use std::path::PathBuf;

use crate::plan::{Change, Obstacle};

/// Why the engine could not do what it was asked to. Whenever one of these is returned the kernel
/// holds what it held before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel has no nf_tables.
    #[error(
        "this kernel has no nf_tables (CONFIG_NF_TABLES, module nf_tables): dwnl cannot work here"
    )]
    NoNfTables,
    /// Rules in the nat table of iptables-legacy, where ours would protect nothing.
    #[error(
        "the nat table of {0} holds rules, so Docker on this host works with iptables-legacy, which \
         dwnl's rules would not protect; switch it over (update-alternatives --set iptables \
         /usr/sbin/iptables-nft, restart Docker and empty the legacy table), then try again"
    )]
    LegacyNat(&'static str),
    /// CAP_NET_ADMIN is missing.
    #[error(
        "the kernel refuses access to nf_tables: CAP_NET_ADMIN is needed in the user namespace that owns this network namespace"
    )]
    Permission,
    /// The network namespace cannot be entered.
    #[error("cannot enter the network namespace {path}: {source}")]
    Namespace {
        /// The path that was to lead to it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something that is not dwnl's stands in the way.
    #[error(transparent)]
    Obstacle(#[from] Obstacle),
    /// The ruleset was changed by others between the dump and the commit.
    #[error(
        "others changed the ruleset each time between the dump and the commit ({attempts} attempts)"
    )]
    Conflict {
        /// How often it was tried.
        attempts: u32,
    },
    /// The kernel refused a change, and with it the whole transaction.
    #[error("the kernel refused: {change:?}: {source}")]
    Refused {
        /// The change; `None` if the refusal is of the transaction as a whole.
        change: Option<Box<Change>>,
        /// The attribute of the message that the kernel points at, in words.
        attribute: Option<String>,
        /// The kernel's error.
        source: io::Error,
    },
    /// The netlink socket failed.
    #[error("netlink: {action}: {source}")]
    Socket {
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// An answer of the kernel that makes no sense.
    #[error("the kernel's answer cannot be understood: {0}")]
    Malformed(&'static str),
}
