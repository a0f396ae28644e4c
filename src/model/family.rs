//! The protocol families of nf_tables that dwnl works in, and the versions of IP.

use std::fmt;
use std::net::IpAddr;

/// A protocol family of nf_tables, the part of a table's name that `nft` writes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4: `NFPROTO_IPV4`, `nft`'s `ip`, the tables of `iptables`.
    Ip,
    /// IPv6: `NFPROTO_IPV6`, `nft`'s `ip6`, the tables of `ip6tables`.
    Ip6,
    /// Both in one table: `NFPROTO_INET`, `nft`'s `inet`, unknown to iptables.
    Inet,
}

impl Family {
    /// All families that dwnl works in.
    pub const ALL: [Family; 3] = [Family::Ip, Family::Ip6, Family::Inet];

    /// The one version of IP whose packets the family's tables see; `None` for `inet`, which sees
    /// both.
    pub fn version(self) -> Option<IpVersion> {
        match self {
            Family::Ip => Some(IpVersion::V4),
            Family::Ip6 => Some(IpVersion::V6),
            Family::Inet => None,
        }
    }
}

/// The family of that version alone.
impl From<IpVersion> for Family {
    fn from(version: IpVersion) -> Family {
        match version {
            IpVersion::V4 => Family::Ip,
            IpVersion::V6 => Family::Ip6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Family::Ip => "ip",
            Family::Ip6 => "ip6",
            Family::Inet => "inet",
        })
    }
}

/// A version of the Internet Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpVersion {
    /// Both versions, in the order in which dwnl handles and prints them.
    pub const ALL: [IpVersion; 2] = [IpVersion::V4, IpVersion::V6];

    /// The version of an address.
    pub fn of(address: IpAddr) -> IpVersion {
        match address {
            IpAddr::V4(_) => IpVersion::V4,
            IpAddr::V6(_) => IpVersion::V6,
        }
    }

    /// The length of an address in bits: 32 or 128.
    pub fn address_bits(self) -> u8 {
        match self {
            IpVersion::V4 => 32,
            IpVersion::V6 => 128,
        }
    }

    /// The length of an address in bytes: 4 or 16.
    pub fn address_bytes(self) -> usize {
        usize::from(self.address_bits() / 8)
    }
}

/// `ipv4`, `ipv6`, as nft writes them in `meta nfproto ipv4` and `type ipv4_addr`.
impl fmt::Display for IpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            IpVersion::V4 => "ipv4",
            IpVersion::V6 => "ipv6",
        })
    }
}
