//! Reads the blobs of xtables: numbers in the host's order, addresses in the network's.

use std::net::IpAddr;

use crate::model::{IpVersion, Name};
use crate::netlink::rule::header::address;

/// A blob, whose length nothing is assumed of.
#[derive(Clone, Copy)]
pub struct Blob<'a>(pub &'a [u8]);

impl Blob<'_> {
    pub fn u8(self, offset: usize) -> Option<u8> {
        self.0.get(offset).copied()
    }

    pub fn u16(self, offset: usize) -> Option<u16> {
        Some(u16::from_ne_bytes(self.array(offset)?))
    }

    pub fn u32(self, offset: usize) -> Option<u32> {
        Some(u32::from_ne_bytes(self.array(offset)?))
    }

    /// Two numbers, one behind the other.
    pub fn ports(self, offset: usize) -> Option<(u16, u16)> {
        Some((self.u16(offset)?, self.u16(offset + 2)?))
    }

    /// Two numbers in the network's order.
    pub fn be_ports(self, offset: usize) -> Option<(u16, u16)> {
        let [a, b, c, d] = self.array(offset)?;
        Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }

    /// An address at the beginning of a field of any length.
    pub fn address(self, offset: usize, version: IpVersion) -> Option<IpAddr> {
        let octets = self.0.get(offset..offset + version.address_bytes())?;
        Some(address(version, octets))
    }

    /// Text that ends with a NUL or the field.
    pub fn text(self, offset: usize, length: usize) -> Option<Name> {
        let field = self.0.get(offset..offset + length)?;
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(length);
        Some(String::from_utf8_lossy(&field[..end]).into())
    }

    fn array<const N: usize>(self, offset: usize) -> Option<[u8; N]> {
        self.0.get(offset..offset + N)?.try_into().ok()
    }
}
