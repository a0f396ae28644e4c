//! Sets of addresses that one rule can match: a network or a range.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnetwork::IpNetwork;

use super::IpVersion;

/// What a source or destination condition matches: one network (a single host is a network of
/// full length) or one range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressSpec {
    /// A prefix without host bits; a single host has the full prefix length.
    Network(IpNetwork),
    /// Consecutive addresses that need not make up a prefix.
    Range(AddressRange),
}

impl AddressSpec {
    /// The IP version of the addresses.
    pub fn version(&self) -> IpVersion {
        match self {
            AddressSpec::Network(network) => IpVersion::of(network.ip()),
            AddressSpec::Range(range) => IpVersion::of(range.first()),
        }
    }
}

/// As a policy writes it: a host without its prefix length.
impl fmt::Display for AddressSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressSpec::Network(network) if is_host(network) => {
                write!(f, "{}", AddressText(network.ip()))
            }
            AddressSpec::Network(network) => write!(f, "{}", NetworkText(network)),
            AddressSpec::Range(range) => write!(f, "{range}"),
        }
    }
}

/// At least two consecutive addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    /// The range from `first` to `last`, both included. `None` unless both are of one family and
    /// `first` is not above `last`.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<AddressRange> {
        (IpVersion::of(first) == IpVersion::of(last) && first <= last)
            .then_some(AddressRange { first, last })
    }

    /// The lowest address.
    pub fn first(&self) -> IpAddr {
        self.first
    }

    /// The highest address.
    pub fn last(&self) -> IpAddr {
        self.last
    }
}

/// `192.0.2.1-192.0.2.9`, as `-m iprange` writes it.
impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", AddressText(self.first), AddressText(self.last))
    }
}

/// A network as iptables prints it: always with its prefix length.
pub(super) struct NetworkText<'a>(pub &'a IpNetwork);

impl fmt::Display for NetworkText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", AddressText(self.0.ip()), self.0.prefix())
    }
}

/// An address as glibc's `inet_ntop`, and with it iptables, prints it: unlike Rust it writes an
/// IPv6 address whose first 96 bits are zero with dotted decimals.
struct AddressText(IpAddr);

impl fmt::Display for AddressText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V6(address) if is_ipv4_compatible(address) => {
                let [.., a, b, c, d] = address.octets();
                write!(f, "::{a}.{b}.{c}.{d}")
            }
            address => write!(f, "{address}"),
        }
    }
}

fn is_ipv4_compatible(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    segments[..6].iter().all(|segment| *segment == 0) && segments[6] != 0
}

fn is_host(network: &IpNetwork) -> bool {
    network.prefix() == IpVersion::of(network.ip()).address_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(network: &str) -> String {
        NetworkText(&network.parse().expect("a network")).to_string()
    }

    #[test]
    fn networks_print_as_iptables_prints_them() {
        assert_eq!(text("192.0.2.1/32"), "192.0.2.1/32");
        assert_eq!(text("::102:304/128"), "::1.2.3.4/128");
        assert_eq!(text("::1/128"), "::1/128");
        assert_eq!(text("::ffff:1.2.3.4/128"), "::ffff:1.2.3.4/128");
        assert_eq!(text("2001:db8:0:1::/64"), "2001:db8:0:1::/64");
    }

    #[test]
    fn a_range_has_one_family_and_an_upper_end() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(AddressRange::new(address("192.0.2.9"), address("192.0.2.1")).is_none());
        assert!(AddressRange::new(address("192.0.2.9"), address("2001:db8::1")).is_none());
        let range = AddressRange::new(address("192.0.2.1"), address("192.0.2.9"));
        assert_eq!(range.map(|range| range.to_string()).as_deref(), Some("192.0.2.1-192.0.2.9"));
    }
}
