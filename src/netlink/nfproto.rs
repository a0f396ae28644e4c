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
