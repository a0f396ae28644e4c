//! One source of a group. A policy may have a million, so each takes little room.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnetwork::{IpNetwork, Ipv4Network};

use super::{DnsName, HostName};
use crate::model::{AddressSpec, Interval, IpVersion, Location};

/// One source with its position in the policy or in a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    addresses: Packed,
    /// `None`: neither read from a file nor found for a name.
    origin: Option<Arc<SourceOrigin>>,
    /// Both 0 without a position.
    line: u32,
    column: u32,
}

impl Source {
    /// A source that was read at this position.
    pub fn located(addresses: AddressSpec, at: Location) -> Source {
        Source::read(addresses, &SourceOrigin::of_file(&at.file), at.line, at.column)
    }

    /// A source that was read at this position of a file.
    pub(super) fn read(
        addresses: AddressSpec,
        file: &Arc<SourceOrigin>,
        line: u32,
        column: u32,
    ) -> Source {
        Source { addresses: Packed::new(addresses), origin: Some(Arc::clone(file)), line, column }
    }

    /// An address that was found for a name.
    pub(super) fn found(addresses: AddressSpec, name: &DnsName) -> Source {
        let file = name.at().map(|at| Arc::clone(&at.file));
        let origin = Arc::new(SourceOrigin { file, host: Some(name.host().clone()) });
        let (line, column) = name.at().map_or((0, 0), |at| (at.line, at.column));
        Source { addresses: Packed::new(addresses), origin: Some(origin), line, column }
    }

    /// The addresses.
    pub fn addresses(&self) -> AddressSpec {
        self.addresses.unpack()
    }

    /// The IP version of the addresses.
    pub(crate) fn version(&self) -> IpVersion {
        self.addresses.version()
    }

    /// The addresses as an interval.
    pub(crate) fn interval(&self) -> Interval {
        self.addresses.interval()
    }

    /// A part of its addresses, with the same position.
    pub(super) fn part(&self, interval: Interval, version: IpVersion) -> Source {
        Source { addresses: Packed::new(interval.addresses(version)), ..self.clone() }
    }

    /// Where it was read, or else the name that it was found for; `None` if neither was read from a
    /// file.
    pub fn at(&self) -> Option<Location> {
        let file = self.origin.as_ref()?.file.as_ref()?;
        Some(Location { file: Arc::clone(file), line: self.line, column: self.column })
    }

    /// The name that the address was found for; `None` if the policy lists the addresses themselves.
    pub fn host(&self) -> Option<&HostName> {
        self.origin.as_ref()?.host.as_ref()
    }
}

/// A source that was not read from a file.
impl From<AddressSpec> for Source {
    fn from(addresses: AddressSpec) -> Source {
        Source { addresses: Packed::new(addresses), origin: None, line: 0, column: 0 }
    }
}

/// Where sources come from: the sources of a file share it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SourceOrigin {
    file: Option<Arc<str>>,
    host: Option<HostName>,
}

impl SourceOrigin {
    /// The origin of what is read from a file.
    pub fn of_file(file: &Arc<str>) -> Arc<SourceOrigin> {
        Arc::new(SourceOrigin { file: Some(Arc::clone(file)), host: None })
    }
}

/// An [`AddressSpec`], of less than half the size. Those of IPv6 have an allocation of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Packed {
    Network(Ipv4Network),
    Range(Ipv4Addr, Ipv4Addr),
    Other(Box<AddressSpec>),
}

impl Packed {
    fn new(addresses: AddressSpec) -> Packed {
        if let Some(IpNetwork::V4(network)) = addresses.as_network() {
            return Packed::Network(network);
        }
        match addresses.as_range().map(|range| (range.first(), range.last())) {
            Some((IpAddr::V4(first), IpAddr::V4(last))) => Packed::Range(first, last),
            _ => Packed::Other(Box::new(addresses)),
        }
    }

    fn version(&self) -> IpVersion {
        match self {
            Packed::Network(_) | Packed::Range(..) => IpVersion::V4,
            Packed::Other(addresses) => addresses.version(),
        }
    }

    fn interval(&self) -> Interval {
        let (first, last) = match self {
            Packed::Network(network) => {
                let host_bits = u32::MAX.checked_shr(network.prefix().into()).unwrap_or(0);
                (network.ip().to_bits(), network.ip().to_bits() | host_bits)
            }
            Packed::Range(first, last) => (first.to_bits(), last.to_bits()),
            Packed::Other(addresses) => return Interval::of(addresses),
        };
        Interval { first: first.into(), last: last.into() }
    }

    fn unpack(&self) -> AddressSpec {
        match self {
            Packed::Network(network) => AddressSpec::of_network(IpNetwork::V4(*network)),
            Packed::Range(first, last) => {
                AddressSpec::of_range(IpAddr::V4(*first), IpAddr::V4(*last))
            }
            Packed::Other(addresses) => **addresses,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_takes_little_room() {
        assert!(size_of::<Source>() <= 32, "{}", size_of::<Source>());
    }

    #[test]
    fn a_source_keeps_its_addresses_and_its_position() {
        let file: Arc<str> = "cdn.txt".into();
        for text in [
            "192.0.2.1",
            "0.0.0.0/0",
            "192.0.2.0/24",
            "192.0.2.0-192.0.2.255",
            "2001:db8::1",
            "2001:db8::/32",
            "2001:db8::-2001:db8::ffff",
        ] {
            let addresses: AddressSpec = text.parse().expect("addresses");
            let at = Location { file: Arc::clone(&file), line: 7, column: 3 };
            let source = Source::located(addresses, at.clone());
            assert_eq!((source.addresses(), source.at()), (addresses, Some(at)), "{text}");
            assert_eq!(source.addresses().to_string(), text);
            assert_eq!(Source::from(addresses).at(), None);
            assert_eq!(source.version(), addresses.version());
            assert_eq!(source.interval(), Interval::of(&addresses));
        }
    }
}
