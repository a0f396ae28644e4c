//! Why the addresses of a name are not known.

use std::net::{IpAddr, SocketAddr};

/// Why a lookup found no addresses of one IP version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// A server answered that there is no such name (NXDOMAIN).
    #[error("the name does not exist")]
    NoSuchName,
    /// A server answered that the name has no address of this IP version.
    #[error("the name has no address")]
    NoAddress,
    /// A server answered with an error.
    #[error("{server} answers {code}")]
    Refused {
        /// The server.
        server: SocketAddr,
        /// The code, such as `SERVFAIL`.
        code: String,
    },
    /// No server answered in time.
    #[error("no answer from {0}")]
    Timeout(SocketAddr),
    /// A server could not be reached.
    #[error("cannot reach {server}: {reason}")]
    Unreachable {
        /// The server.
        server: SocketAddr,
        /// The reason.
        reason: String,
    },
    /// The answer cannot be understood.
    #[error("the answer is malformed: {0}")]
    Malformed(&'static str),
    /// The name is an alias of an alias, and so on.
    #[error("the name is an alias that leads to no end")]
    AliasLoop,
    /// The name has more addresses than permitted.
    #[error(
        "the name has {found} addresses of one IP version, more than the {permitted} of `max-addresses`"
    )]
    TooMany {
        /// The number of its addresses.
        found: usize,
        /// The number that is permitted.
        permitted: usize,
    },
    /// The name has only addresses that no client can have.
    #[error("the name has only addresses that no client can have, such as {0}")]
    Unusable(IpAddr),
    /// The deadline passed before the name's turn.
    #[error("no time was left to look it up")]
    NoTime,
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    NoRandom,
}

impl LookupError {
    /// Whether a server answered that there is nothing.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, LookupError::NoSuchName | LookupError::NoAddress)
    }
}
