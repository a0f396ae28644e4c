//! The addresses that one rule can match: a host, a network or a range.

use std::fmt::{self, Write};
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::IpVersion;
use super::address_text::{AddressText, NetworkText};

/// The addresses that one source or destination condition matches: a host, a network or a range of
/// IPv4 or IPv6 addresses.
///
/// A policy writes it as `192.0.2.1`, `192.0.2.0/24` or `192.0.2.1-192.0.2.9`; that is what
/// `Display` prints and `FromStr` reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressSpec(Form);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Form {
    /// A prefix without host bits; a single host has the full prefix length.
    Network(IpNetwork),
    /// At least two consecutive addresses.
    Range(AddressRange),
}

/// Why addresses cannot be a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The address of a network has bits set beyond its prefix length.
    #[error("`{}` has host bits set", NetworkText(.0))]
    HostBits(IpNetwork),
    /// An IPv4 address or network in IPv6 form: packets never carry it.
    #[error("`{}` is an IPv4-mapped IPv6 address", AddressText(.0.ip()))]
    Ipv4Mapped(IpNetwork),
    /// The ends of a range are of different IP versions.
    #[error("the range mixes IPv4 and IPv6")]
    MixedVersions,
    /// The first address of a range is above the last.
    #[error("the range is reversed")]
    ReversedRange,
}

impl AddressSpec {
    /// A single address.
    ///
    /// # Errors
    /// [`AddressError::Ipv4Mapped`].
    pub fn host(address: IpAddr) -> Result<AddressSpec, AddressError> {
        let host = address.into();
        match is_ipv4_mapped(&host) {
            true => Err(AddressError::Ipv4Mapped(host)),
            false => Ok(AddressSpec(Form::Network(host))),
        }
    }

    /// All addresses of a network; those of `0.0.0.0/0` and `::/0` are all of their IP version.
    ///
    /// # Errors
    /// [`AddressError::HostBits`] and [`AddressError::Ipv4Mapped`].
    pub fn network(network: IpNetwork) -> Result<AddressSpec, AddressError> {
        if is_ipv4_mapped(&network) {
            return Err(AddressError::Ipv4Mapped(network));
        }
        AddressSpec::exact(network).ok_or(AddressError::HostBits(network))
    }

    /// The addresses from `first` to `last`, both included. A range of one address is the host.
    ///
    /// # Errors
    /// All of [`AddressError`] except [`AddressError::HostBits`].
    pub fn range(first: IpAddr, last: IpAddr) -> Result<AddressSpec, AddressError> {
        // Every range of a long list is looked at, and nearly all are of IPv4.
        if first.is_ipv6() || last.is_ipv6() {
            let _ = (AddressSpec::host(first)?, AddressSpec::host(last)?);
        }
        let range = AddressRange::new(first, last)?;
        if first == last { AddressSpec::host(first) } else { Ok(AddressSpec(Form::Range(range))) }
    }

    /// A range as the kernel has it, with `first` not above `last` and both of one IP version. In contrast
    /// to a range of a policy, its ends may be IPv4-mapped addresses.
    pub(crate) fn of_range(first: IpAddr, last: IpAddr) -> AddressSpec {
        AddressSpec(if first == last {
            Form::Network(first.into())
        } else {
            Form::Range(AddressRange { first, last })
        })
    }

    /// A network as the kernel or Docker has it; `None` if it has host bits.
    pub(crate) fn exact(network: IpNetwork) -> Option<AddressSpec> {
        (network.network() == network.ip()).then_some(AddressSpec(Form::Network(network)))
    }

    /// A network that has no host bits.
    pub(crate) fn of_network(network: IpNetwork) -> AddressSpec {
        AddressSpec(Form::Network(network))
    }

    /// The network without its host bits.
    pub(crate) fn masked(network: IpNetwork) -> AddressSpec {
        let masked = IpNetwork::new(network.network(), network.prefix());
        AddressSpec(Form::Network(masked.unwrap_or(network)))
    }

    /// The IP version of the addresses.
    pub fn version(&self) -> IpVersion {
        match self.0 {
            Form::Network(IpNetwork::V4(_)) => IpVersion::V4,
            Form::Network(IpNetwork::V6(_)) => IpVersion::V6,
            Form::Range(range) => IpVersion::of(range.first()),
        }
    }

    /// The lowest address.
    pub fn first(&self) -> IpAddr {
        match self.0 {
            // It has no host bits.
            Form::Network(network) => network.ip(),
            Form::Range(range) => range.first(),
        }
    }

    /// The highest address.
    pub fn last(&self) -> IpAddr {
        match self.0 {
            Form::Network(network) => network.broadcast(),
            Form::Range(range) => range.last(),
        }
    }

    /// The network, if these are the addresses of one; a single host is a network of full prefix
    /// length.
    pub fn as_network(&self) -> Option<IpNetwork> {
        match self.0 {
            Form::Network(network) => Some(network),
            Form::Range(_) => None,
        }
    }

    /// The range, if it was not written as a network.
    pub fn as_range(&self) -> Option<AddressRange> {
        match self.0 {
            Form::Network(_) => None,
            Form::Range(range) => Some(range),
        }
    }
}

impl TryFrom<IpNetwork> for AddressSpec {
    type Error = AddressError;

    fn try_from(network: IpNetwork) -> Result<AddressSpec, AddressError> {
        AddressSpec::network(network)
    }
}

impl TryFrom<IpAddr> for AddressSpec {
    type Error = AddressError;

    fn try_from(address: IpAddr) -> Result<AddressSpec, AddressError> {
        AddressSpec::host(address)
    }
}

impl AddressSpec {
    /// Writes what `Display` prints, without a formatter's detour: there may be a million.
    pub(crate) fn write_to(&self, out: &mut impl Write) -> fmt::Result {
        match &self.0 {
            Form::Network(network) if is_host(network) => AddressText(network.ip()).write_to(out),
            Form::Network(network) => NetworkText(network).write_to(out),
            Form::Range(range) => range.write_to(out),
        }
    }
}

/// As a policy writes it: a host without its prefix length.
impl fmt::Display for AddressSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// Consecutive addresses of one IP version that need not make up a prefix; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    /// The range from `first` to `last`, both included.
    ///
    /// # Errors
    /// [`AddressError::MixedVersions`] and [`AddressError::ReversedRange`].
    pub fn new(first: IpAddr, last: IpAddr) -> Result<AddressRange, AddressError> {
        if IpVersion::of(first) != IpVersion::of(last) {
            return Err(AddressError::MixedVersions);
        }
        if first > last {
            return Err(AddressError::ReversedRange);
        }
        Ok(AddressRange { first, last })
    }

    /// The lowest address.
    pub fn first(&self) -> IpAddr {
        self.first
    }

    /// The highest address.
    pub fn last(&self) -> IpAddr {
        self.last
    }

    fn write_to(&self, out: &mut impl Write) -> fmt::Result {
        AddressText(self.first).write_to(out)?;
        out.write_char('-')?;
        AddressText(self.last).write_to(out)
    }
}

/// `192.0.2.1-192.0.2.9`, as `-m iprange` writes it.
impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// Whether the network lies in `::ffff:0:0/96`.
fn is_ipv4_mapped(network: &IpNetwork) -> bool {
    match network.ip() {
        IpAddr::V6(address) => network.prefix() >= 96 && address.to_ipv4_mapped().is_some(),
        IpAddr::V4(_) => false,
    }
}

fn is_host(network: &IpNetwork) -> bool {
    network.prefix() == IpVersion::of(network.ip()).address_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_range_is_ascending_and_of_one_ip_version() {
        let range = |first, last| AddressRange::new(address(first), address(last));
        assert_eq!(range("192.0.2.9", "192.0.2.1"), Err(AddressError::ReversedRange));
        assert_eq!(range("192.0.2.9", "2001:db8::1"), Err(AddressError::MixedVersions));
        let valid = range("192.0.2.1", "192.0.2.9").map(|range| range.to_string());
        assert_eq!(valid.as_deref(), Ok("192.0.2.1-192.0.2.9"));
    }

    #[test]
    fn addresses_that_no_packet_can_match_are_rejected() {
        let network = |text: &str| {
            AddressSpec::network(text.parse().expect("a network")).map_err(|e| e.to_string())
        };
        assert_eq!(network("10.0.0.1/8"), Err("`10.0.0.1/8` has host bits set".to_owned()));
        let mapped = Err("`::ffff:192.0.2.1` is an IPv4-mapped IPv6 address".to_owned());
        assert_eq!(network("::ffff:192.0.2.1/128"), mapped);
        for valid in ["0.0.0.0/0", "::/0", "::fffe:0:0/95", "192.0.2.1/32"] {
            assert!(network(valid).is_ok(), "{valid}");
        }
        assert!(AddressSpec::range(address("::ffff:1.2.3.4"), address("::ffff:1.2.3.5")).is_err());
    }

    #[test]
    fn a_range_of_one_address_is_the_host() {
        let host = address("192.0.2.1");
        assert_eq!(AddressSpec::range(host, host), AddressSpec::host(host));
    }
}
