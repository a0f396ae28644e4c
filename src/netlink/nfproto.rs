//! The numbers of protocol families (`NFPROTO_*` of `linux/netfilter.h`).

use crate::model::{Family, IpVersion};

/// The family's number.
pub fn number(family: Family) -> u8 {
    (match family {
        Family::Ip => libc::NFPROTO_IPV4,
        Family::Ip6 => libc::NFPROTO_IPV6,
        Family::Inet => libc::NFPROTO_INET,
    }) as u8
}

/// The family of a number, if dwnl works in it.
pub fn family(value: u8) -> Option<Family> {
    Family::ALL.into_iter().find(|family| number(*family) == value)
}

/// The IP version of a number.
pub fn version(value: u8) -> Option<IpVersion> {
    family(value)?.version()
}

/// nft's word for a family, whether or not dwnl works in it.
pub fn name(value: u8) -> Option<&'static str> {
    Some(match i32::from(value) {
        libc::NFPROTO_INET => "inet",
        libc::NFPROTO_IPV4 => "ip",
        libc::NFPROTO_ARP => "arp",
        libc::NFPROTO_NETDEV => "netdev",
        libc::NFPROTO_BRIDGE => "bridge",
        libc::NFPROTO_IPV6 => "ip6",
        _ => return None,
    })
}
