//! The protocol families of nf_tables that dwnl works in.

use std::fmt;
use std::net::IpAddr;

/// A protocol family of nf_tables, as `nft` names it.
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
    /// The families that have a nat table of Docker's, in the order in which everything is done
    /// and printed.
    pub const NAT: [Family; 2] = [Family::Ip, Family::Ip6];
    /// All families that dwnl works in.
    pub const ALL: [Family; 3] = [Family::Ip, Family::Ip6, Family::Inet];

    /// The family that an address belongs to.
    pub fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::Ip,
            IpAddr::V6(_) => Family::Ip6,
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
