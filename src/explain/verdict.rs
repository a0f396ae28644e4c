//! Whether a packet gets in.

use std::net::IpAddr;

use super::Receiver;
use crate::simulate::Doubt;

/// Whether a packet gets in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It gets in. A container may still refuse it: its own namespace is not looked at.
    Allowed(Receiver),
    /// It does not.
    Refused(Refusal),
    /// It cannot be told, because something is not understood.
    Unknown(Box<Doubt>),
}

/// Why a packet does not get in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A rule or the policy of a chain.
    Rule {
        /// The index of the step.
        step: usize,
        /// Whether the sender is told.
        is_rejected: bool,
    },
    /// Nothing listens at the port of the host.
    NobodyListens,
    /// The kernel does not take packets of this source from this interface: the route to the source goes
    /// by another one (`rp_filter`), or the source is an address of the host.
    Martian,
    /// There is no route to the address.
    Unreachable(IpAddr),
}
