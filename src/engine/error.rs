//! The errors of the engine.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use super::rejection::Rejection;
use crate::compile::ResolveError;
use crate::model::{Family, GrantSet, Name, Recording};
use crate::netlink::KernelError;
use crate::plan::PlanError;

/// An error of the engine. On error the ruleset is unchanged, unless the reply to a batch was lost
/// ([`Error::Socket`] while reading it), a repair had begun ([`Error::Incomplete`]), or an apply
/// ([`Error::Unfinished`]).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel has no nf_tables.
    #[error("this kernel does not support nf_tables (CONFIG_NF_TABLES, module nf_tables)")]
    NoNfTables,
    /// The kernel gives no access to its conntrack table.
    #[error(
        "this kernel does not support ctnetlink (CONFIG_NF_CT_NETLINK, module \
         nf_conntrack_netlink), so conntrack entries cannot be cleared or terminated"
    )]
    NoConntrack,
    /// The nat table of iptables-legacy has rules. Rules of Docker there bypass nf_tables.
    #[error(
        "iptables-legacy has nat rules for {0}, so Docker may be bypassing nf_tables and dwnl \
         could not protect it. Switch to iptables-nft (update-alternatives --set iptables \
         /usr/sbin/iptables-nft, the same for ip6tables), restart Docker, flush the legacy table \
         (iptables-legacy -t nat -F, then -X), then retry"
    )]
    LegacyNat(Family),
    /// CAP_NET_ADMIN is missing.
    #[error(
        "permission denied by nf_tables: CAP_NET_ADMIN is required in the user namespace that owns \
         the network namespace"
    )]
    Permission,
    /// The network namespace cannot be entered.
    #[error("cannot enter network namespace {}: {source}", path.display())]
    Namespace {
        /// The path of the namespace.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A foreign object conflicts with the desired ruleset.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The ruleset must not be installed on this host.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// Another program changed the ruleset between each dump and its commit.
    #[error(
        "gave up after {attempts} attempts: another program kept changing the ruleset; nothing was \
         applied"
    )]
    Conflict {
        /// The number of attempts.
        attempts: u32,
    },
    /// The first transaction of a repair has put the guard back, and a later one failed: the guard refuses
    /// the sources for which it lacks sets or rules.
    #[error("the guard is in force again and refuses what is not restored yet, but: {0}")]
    Incomplete(#[source] Box<Error>),
    /// The new rules are in force, but a later transaction failed, which removes what they do without: chains
    /// of the guard, or sets under interim names.
    #[error("the new rules are in force, but the next apply has to finish: {0}")]
    Unfinished(#[source] Box<Error>),
    /// The kernel rejected a change, and with it the whole transaction.
    #[error(transparent)]
    Rejected(Box<Rejection>),
    /// The batch is larger than the socket's send buffer may be.
    #[error(
        "the transaction ({bytes} bytes) exceeds the socket send buffer; run as root in the initial \
         user namespace, or set net.core.wmem_max to at least {bytes}"
    )]
    TooLarge {
        /// The size of the batch in bytes.
        bytes: usize,
    },
    /// Grants and bans by hand need the guard of a policy.
    #[error("{}", no_guard(*.0))]
    NoGuard(Recording),
    /// A set of grants or bans is full.
    #[error("{}", too_many(*.0))]
    TooManyGrants(GrantSet),
    /// It is not known by which interface packets of a source come in.
    #[error(
        "this host has no route to {0}, so it is not known by which interface its packets come in; name \
         the interface"
    )]
    NoRoute(IpAddr),
    /// There is no interface of this name.
    #[error("this host has no interface {0}")]
    NoInterface(Name),
    /// The host has no address that a source of the other IP version could call.
    #[error("this host has no address that {0} could call; name the destination")]
    NoDestination(IpAddr),
    /// Changes of the cgroup hierarchy cannot be watched.
    #[error("{action}: {source}")]
    Cgroups {
        /// What failed.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The netlink socket failed.
    #[error("netlink error while {action}: {source}")]
    Socket {
        /// The action that failed, as a participle: `sending the transaction`.
        action: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The kernel cannot tie a table to a socket.
    #[error(
        "tracing needs Linux 5.12 or later, where the rule that marks the packets disappears with \
         dwnl. On this kernel, add a rule with `meta nftrace set 1` by hand, run `nft monitor trace`, \
         and remove the rule afterwards"
    )]
    NoOwnedTables,
    /// A reply of the kernel that does not follow the protocol.
    #[error("unexpected reply from the kernel: {0}")]
    Malformed(&'static str),
}

impl Error {
    /// Converts an error reply of ctnetlink.
    pub(super) fn from_conntrack(error: KernelError) -> Error {
        match error.errno {
            libc::EPERM => Error::Permission,
            // nfnetlink does not have the subsystem.
            libc::EINVAL | libc::EOPNOTSUPP => Error::NoConntrack,
            _ => Error::Socket { action: "reading the conntrack table", source: error.source() },
        }
    }

    /// Converts an error reply of rtnetlink.
    pub(super) fn from_routing(error: KernelError) -> Error {
        let action = "reading network interfaces and addresses";
        Error::Socket { action, source: error.source() }
    }

    /// Converts an error reply of sock_diag.
    pub(super) fn from_sock_diag(error: KernelError) -> Error {
        Error::Socket { action: "reading listening sockets", source: error.source() }
    }

    /// Converts an error reply of nf_tables.
    pub(super) fn from_kernel(error: KernelError, action: &'static str) -> Error {
        match error.errno {
            libc::EPERM => Error::Permission,
            // nfnetlink does not have the subsystem.
            libc::EINVAL | libc::EOPNOTSUPP | libc::ENOENT => Error::NoNfTables,
            _ => Error::Socket { action, source: error.source() },
        }
    }
}

/// Which set is full.
fn too_many(set: GrantSet) -> String {
    let (number, action) = (set.capacity(), set.action);
    format!("no more than {number} sources can be {action} by hand: the set `{set}` is full")
}

/// Why there are no sets for grants and bans.
fn no_guard(state: Recording) -> &'static str {
    match state {
        Recording::NotInstalled => {
            "no policy is applied, so there is no guard to allow or deny a source by hand: run \
             `dwnl apply` first"
        }
        Recording::GuardOff => {
            "the guard is off, and only the guard can allow or deny a source by hand: set `enabled = \
             true` in `[guard]`, and run `dwnl apply`"
        }
        Recording::Outdated | Recording::Active => {
            "the guard was installed by an older version of dwnl, which has no grants and bans: run \
             `dwnl apply`"
        }
    }
}

/// Wraps the I/O error of an action.
pub(super) fn io_error(action: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Socket { action, source }
}

/// Wraps the error of opening a socket.
pub(super) fn open_error(source: io::Error) -> Error {
    match source.raw_os_error() {
        // The kernel has no nfnetlink, or no netlink at all.
        Some(libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT) => Error::NoNfTables,
        _ => Error::Socket { action: "opening a socket", source },
    }
}

/// Wraps the error of joining the multicast group of commits.
pub(super) fn join_error(source: io::Error) -> Error {
    match source.raw_os_error() {
        Some(libc::EPERM) => Error::Permission,
        _ => open_error(source),
    }
}
