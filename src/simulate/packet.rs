//! The packet on its way, and its flow's entry in connection tracking.

use std::net::IpAddr;

use super::bits::Bits;
use super::probe::Probe;
use crate::model::kernel::PayloadBase;
use crate::model::{IpVersion, Name, Protocol};

/// `IPS_*` (`linux/netfilter/nf_conntrack_common.h`).
pub const SRC_NAT: u32 = 1 << 4;
pub const DST_NAT: u32 = 1 << 5;
pub const SRC_NAT_DONE: u32 = 1 << 7;
pub const DST_NAT_DONE: u32 = 1 << 8;

/// `NF_CT_STATE_*`.
pub const STATE_INVALID: u32 = 1;
pub const STATE_NEW: u32 = 8;
pub const STATE_UNTRACKED: u32 = 64;

/// `SYN` of TCP.
const SYN: u8 = 2;

/// Addresses and ports of one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    pub source: IpAddr,
    /// `None` if it is not known.
    pub source_port: Option<u16>,
    pub destination: IpAddr,
    pub port: u16,
}

/// What connection tracking knows of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// It has not looked at the packet.
    Before,
    /// A rule has excluded the packet.
    Untracked,
    /// The packet opens a flow.
    New,
    /// It may have looked at the packet, or not yet.
    Unsure,
}

/// Which end of a flow is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manipulated {
    Destination,
    Source,
}

/// The packet on its way.
#[derive(Clone, Debug)]
pub struct Packet {
    pub version: IpVersion,
    pub protocol: Protocol,
    /// As it is now.
    pub ends: Ends,
    /// As it came in.
    pub original: Ends,
    pub in_interface: Option<Name>,
    pub out_interface: Option<Name>,
    pub mark: Bits,
    pub tracking: Tracking,
    pub ct_mark: Bits,
    /// `IPS_*`.
    pub ct_status: u32,
    pub ct_zone: u16,
    /// Whether the destination, or the source ([`Manipulated`]), can no longer be translated.
    pub is_bound: [bool; 2],
}

impl Packet {
    pub fn new(probe: &Probe) -> Packet {
        let ends = Ends {
            source: probe.source,
            source_port: probe.source_port,
            destination: probe.destination,
            port: probe.port,
        };
        Packet {
            version: IpVersion::of(probe.source),
            protocol: probe.protocol,
            original: ends.clone(),
            ends,
            in_interface: Some(probe.in_interface.clone()),
            out_interface: None,
            mark: Bits::number(0),
            tracking: Tracking::Before,
            ct_mark: Bits::number(0),
            ct_status: 0,
            ct_zone: 0,
            is_bound: [false; 2],
        }
    }

    /// Bytes of a header. What is not known of the packet is unknown.
    pub fn payload(&self, base: PayloadBase, offset: usize, length: usize) -> Bits {
        let header = match base {
            PayloadBase::Network => self.network_header(),
            PayloadBase::Transport => self.transport_header(),
            PayloadBase::Link | PayloadBase::Inner => Bits::unknown(0),
        };
        header.slice(offset, length)
    }

    /// RFC 791, RFC 8200. There are no options or extension headers, and it is not a fragment.
    fn network_header(&self) -> Bits {
        let mut header;
        match self.version {
            IpVersion::V4 => {
                header = Bits::unknown(20);
                header.put(0, &Bits::known(&[0x45]));
                // The flags, of which `more fragments` is not set, and the offset of the fragment.
                header.put(6, &Bits::unknown(2).mask(&[0x40, 0], &[0, 0]));
                header.put(9, &Bits::known(&[self.protocol.number()]));
            }
            IpVersion::V6 => {
                header = Bits::unknown(40);
                header.put(0, &Bits::unknown(1).mask(&[0x0f], &[0x60]));
                header.put(6, &Bits::known(&[self.protocol.number()]));
            }
        }
        let (source, destination) = match self.version {
            IpVersion::V4 => (12, 16),
            IpVersion::V6 => (8, 24),
        };
        header.put(source, &address(self.ends.source));
        header.put(destination, &address(self.ends.destination));
        header
    }

    fn transport_header(&self) -> Bits {
        let mut header = Bits::unknown(20);
        header.put(0, &port(self.ends.source_port));
        header.put(2, &port(Some(self.ends.port)));
        if self.protocol == Protocol::Tcp {
            // ECN may be offered.
            header.put(13, &Bits::unknown(1).mask(&[0xc0], &[SYN]));
        }
        header
    }
}

/// An address in the network's order.
pub fn address(address: IpAddr) -> Bits {
    match address {
        IpAddr::V4(address) => Bits::known(&address.octets()),
        IpAddr::V6(address) => Bits::known(&address.octets()),
    }
}

/// A port in the network's order.
pub fn port(port: Option<u16>) -> Bits {
    port.map_or_else(|| Bits::unknown(2), |port| Bits::known(&port.to_be_bytes()))
}
