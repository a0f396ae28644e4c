//! The fields of packet headers that rules load.

use std::net::IpAddr;

use super::expression::Expression;
use crate::model::{Endpoint, IpVersion};
use crate::netlink::uapi::{destination_port, payload_base};

/// The loading of the destination port.
pub const PORT: Expression = Expression::Payload {
    base: payload_base::TRANSPORT,
    offset: destination_port::OFFSET,
    length: destination_port::LENGTH,
};

/// An address in the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressField {
    /// The version of the header.
    pub version: IpVersion,
    /// Which of its addresses.
    pub end: Endpoint,
}

impl AddressField {
    /// The source address.
    pub fn source(version: IpVersion) -> AddressField {
        AddressField { version, end: Endpoint::Source }
    }

    /// The destination address.
    pub fn destination(version: IpVersion) -> AddressField {
        AddressField { version, end: Endpoint::Destination }
    }

    /// Where it is, in bytes from the beginning of the header; no two fields begin at the same
    /// offset.
    pub fn offset(self) -> u32 {
        match (self.version, self.end) {
            (IpVersion::V4, Endpoint::Source) => 12,
            (IpVersion::V4, Endpoint::Destination) => 16,
            (IpVersion::V6, Endpoint::Source) => 8,
            (IpVersion::V6, Endpoint::Destination) => 24,
        }
    }

    /// Its length in bytes.
    pub fn length(self) -> usize {
        self.version.address_bytes()
    }
}

/// The address's octets: 4 or 16.
pub fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The address that begins with these octets; those that are missing are 0.
pub fn address(version: IpVersion, leading: &[u8]) -> IpAddr {
    let mut octets = [0; 16];
    for (octet, byte) in octets.iter_mut().zip(leading) {
        *octet = *byte;
    }
    let [a, b, c, d, ..] = octets;
    match version {
        IpVersion::V4 => IpAddr::from([a, b, c, d]),
        IpVersion::V6 => IpAddr::from(octets),
    }
}
