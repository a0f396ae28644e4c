//! Entries of connection tracking.

use std::net::IpAddr;

use super::Protocol;

/// One direction of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tuple {
    /// The sender's address.
    pub source: IpAddr,
    /// The receiver's address.
    pub destination: IpAddr,
    /// The protocol, one that Docker publishes.
    pub protocol: Protocol,
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
}

impl Tuple {
    /// The other direction of a flow that is not translated.
    pub fn inverse(&self) -> Tuple {
        Tuple {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
            ..*self
        }
    }
}

/// A flow: an entry of connection tracking, outside of any zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    /// Its first packet before any translation.
    pub original: Tuple,
    /// An answer before its translation is undone.
    pub reply: Tuple,
    /// Its state.
    pub status: Status,
    /// Distinguishes it from a later flow with the same tuple.
    pub id: u32,
    /// When the kernel deletes it if no more packets come, in seconds from now.
    pub timeout: u32,
}

/// `IPS_*` (`linux/netfilter/nf_conntrack_common.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status(pub u32);

impl Status {
    /// `IPS_EXPECTED`: another flow has announced it.
    pub const EXPECTED: Status = Status(1);
    /// `IPS_SEEN_REPLY`: there were packets in both directions.
    pub const SEEN_REPLY: Status = Status(1 << 1);
    /// `IPS_SRC_NAT`: its source is translated.
    pub const SOURCE_NAT: Status = Status(1 << 4);
    /// `IPS_DST_NAT`: its destination is translated.
    pub const DESTINATION_NAT: Status = Status(1 << 5);
    /// A flow that has been neither translated nor answered lacks all of these.
    pub const UNANSWERED_MASK: Status =
        Status(Self::SEEN_REPLY.0 | Self::SOURCE_NAT.0 | Self::DESTINATION_NAT.0);

    /// Whether any of these bits is set.
    pub fn has(self, bits: Status) -> bool {
        self.0 & bits.0 != 0
    }
}
