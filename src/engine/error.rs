//! Why the engine could not do what it was asked to.

use std::io;
use std::path::PathBuf;

use super::rejection::Rejection;
use crate::compile::ResolveError;
use crate::model::Family;
use crate::netlink::KernelError;
use crate::plan::PlanError;

/// Why the engine could not do what it was asked to. Whenever one of these is returned the kernel
/// holds the rules that it held before, unless the answer to a batch was lost ([`Error::Socket`]
/// while reading it).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel has no nf_tables.
    #[error("this kernel has no nf_tables (CONFIG_NF_TABLES, module nf_tables), which dwnl needs")]
    NoNfTables,
    /// The kernel does not tell of its flows.
    #[error(
        "this kernel has no ctnetlink (CONFIG_NF_CT_NETLINK, module nf_conntrack_netlink), without \
         which flows can be neither forgotten nor ended"
    )]
    NoConntrack,
    /// Rules in the nat table of iptables-legacy, where Docker would not meet ours.
    #[error(
        "the nat table of iptables-legacy holds rules for {0}: where Docker works with \
         iptables-legacy, dwnl's rules would protect nothing. Change over to iptables-nft \
         (update-alternatives --set iptables /usr/sbin/iptables-nft, the same for ip6tables), \
         restart Docker, empty the legacy table (iptables-legacy -t nat -F, then -X) and try again"
    )]
    LegacyNat(Family),
    /// CAP_NET_ADMIN is missing.
    #[error(
        "the kernel gives no access to nf_tables: CAP_NET_ADMIN is needed in the user namespace \
         that owns the network namespace"
    )]
    Permission,
    /// The network namespace cannot be entered.
    #[error("the network namespace {} cannot be entered: {source}", path.display())]
    Namespace {
        /// The path that was to lead to it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something that is not dwnl's stands in the way.
    #[error(transparent)]
    Obstacle(#[from] PlanError),
    /// The ruleset must not be installed on this host.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The ruleset was changed by others between the dump and the commit.
    #[error(
        "others changed the ruleset between the dump and the commit, each of {attempts} times: \
         nothing was changed"
    )]
    Conflict {
        /// How often it was tried.
        attempts: u32,
    },
    /// The kernel refused a change, and with it the whole transaction.
    #[error(transparent)]
    Rejected(Box<Rejection>),
    /// The batch is larger than the socket's send buffer may be.
    #[error(
        "the batch has {bytes} bytes, more than a socket may send at once here: run as root of the \
         machine, or raise net.core.wmem_max to at least that"
    )]
    TooLarge {
        /// The size of the batch.
        bytes: usize,
    },
    /// Changes of the cgroup hierarchy cannot be watched.
    #[error("{action}: {source}")]
    Cgroups {
        /// What failed.
        action: &'static str,
        /// Why it failed.
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

impl Error {
    /// An error that the kernel answers a request for flows with.
    pub(super) fn from_conntrack(error: KernelError) -> Error {
        match error.errno {
            libc::EPERM => Error::Permission,
            // nfnetlink knows no subsystem of that number.
            libc::EINVAL | libc::EOPNOTSUPP => Error::NoConntrack,
            _ => Error::Socket { action: "reading the flows", source: error.source() },
        }
    }

    /// An error that the kernel answers a request for interfaces or addresses with.
    pub(super) fn from_routing(error: KernelError) -> Error {
        let action = "reading the host's interfaces and addresses";
        Error::Socket { action, source: error.source() }
    }

    /// An error that the kernel answers a request for sockets with.
    pub(super) fn from_sock_diag(error: KernelError) -> Error {
        Error::Socket { action: "reading the listening sockets", source: error.source() }
    }

    /// An error that the kernel answers a request with.
    pub(super) fn from_kernel(error: KernelError, action: &'static str) -> Error {
        match error.errno {
            libc::EPERM => Error::Permission,
            // nfnetlink knows no subsystem of that number.
            libc::EINVAL | libc::EOPNOTSUPP | libc::ENOENT => Error::NoNfTables,
            _ => Error::Socket { action, source: error.source() },
        }
    }
}

/// Wraps the failure of an action.
pub(super) fn io_error(action: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Socket { action, source }
}

/// Wraps a socket that cannot be opened.
pub(super) fn open_error(source: io::Error) -> Error {
    match source.raw_os_error() {
        // The kernel has no nfnetlink, or no netlink at all.
        Some(libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT) => Error::NoNfTables,
        _ => Error::Socket { action: "opening the socket", source },
    }
}

/// Wraps a socket that cannot join those that hear of commits.
pub(super) fn join_error(source: io::Error) -> Error {
    match source.raw_os_error() {
        Some(libc::EPERM) => Error::Permission,
        _ => open_error(source),
    }
}
