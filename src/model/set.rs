//! Sets: the sources of a large group, looked up in constant time by one rule, and the ports that
//! the kernel itself remembers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::{AddressSpec, IpVersion, Name, Protocol, SetPath};

/// What a set's elements are, and whether dwnl or the kernel maintains them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetKind {
    /// Single addresses. The kernel keeps them in a hash table of fixed size: one that grows cannot
    /// be dumped reliably while it grows, which is just after it was filled.
    Hosts {
        /// The IP version of the addresses.
        version: IpVersion,
        /// Maximum number of addresses in the set.
        capacity: u32,
    },
    /// Intervals of addresses, which the kernel keeps in a tree.
    Intervals {
        /// The IP version of the addresses.
        version: IpVersion,
    },
    /// Protocols and ports that Docker publishes. The elements are services: [`Interval::of_service`].
    Published {
        /// Maximum number of ports in the set.
        capacity: u32,
    },
    /// Protocols and ports that Docker publishes on one address each, with the address.
    PublishedAt {
        /// The IP version of the addresses.
        version: IpVersion,
        /// Maximum number of ports in the set.
        capacity: u32,
    },
    /// Ports that rules add as packets pass, and that the kernel deletes after a timeout. dwnl
    /// neither reads nor writes nor counts them, and they survive every commit that does not change
    /// the set.
    DynamicPorts,
    /// Sources with a protocol and a port, to which rules refused something, with counters. As with
    /// [`SetKind::DynamicPorts`], they belong to the kernel.
    RefusedSources {
        /// The IP version of the sources.
        version: IpVersion,
    },
    /// Protocols and ports at which rules refused something, with counters, in the same way.
    RefusedPorts,
    /// Intervals of time, as nanoseconds since 1970, which the kernel keeps in a tree.
    Times,
    /// Single addresses that are banned by hand. Like those of the two following kinds, the elements
    /// may have a timeout after which the kernel deletes them, survive every commit that does not
    /// change the set, and concern no plan.
    BannedHosts {
        /// The IP version of the addresses.
        version: IpVersion,
    },
    /// Single addresses that are granted a protocol and a port by hand.
    GrantedHosts {
        /// The IP version of the addresses.
        version: IpVersion,
    },
    /// Ranges of addresses, protocols and ports that are banned or granted by hand.
    GrantRanges {
        /// The IP version of the addresses.
        version: IpVersion,
    },
    /// Sources with a bucket each, by which rules limit the rate of their flows.
    LimitedSources {
        /// The IP version of the sources.
        version: IpVersion,
    },
    /// Protocols and ports with a bucket each, in the same way.
    LimitedPorts,
    /// One bucket for all flows, in the same way: its key is the direction of conntrack.
    LimitedFlows,
    /// Sources with their open flows, the number of which rules limit. The kernel deletes a source
    /// that has none.
    ConnectedSources {
        /// The IP version of the sources.
        version: IpVersion,
    },
}

impl SetKind {
    /// The capacity of a set of ports.
    pub const PORTS: u32 = 65535;
    /// The capacity of a set of refused sources.
    pub const REFUSED_SOURCES: u32 = 16_384;
    /// The capacity of a set of refused ports.
    pub const REFUSED_PORTS: u32 = 4_096;
    /// The capacity of a set of banned addresses.
    pub const BANNED_HOSTS: u32 = 2_097_152;
    /// The capacity of a set of granted addresses.
    pub const GRANTED_HOSTS: u32 = 262_144;
    /// The capacity of a set of banned or granted ranges. The kernel copies such a set with each commit
    /// that changes it.
    pub const GRANT_RANGES: u32 = 65_536;
    /// The capacity of a set of sources whose flows are limited.
    pub const LIMITED_SOURCES: u32 = 3 * 65_536;
    /// The capacity of a set of ports whose flows are limited: all of three protocols.
    pub const LIMITED_PORTS: u32 = 3 * 65_536;
    /// The capacity of a set with one bucket.
    pub const LIMITED_FLOWS: u32 = 2;

    /// Whether the elements are intervals.
    pub fn is_intervals(self) -> bool {
        matches!(self, SetKind::Intervals { .. } | SetKind::Times)
    }

    /// Whether the elements come from elsewhere than the policy: from rules, or from hand.
    pub fn is_dynamic(self) -> bool {
        let is_static = matches!(self, SetKind::Hosts { .. } | SetKind::Intervals { .. });
        !(is_static || self.is_published() || self == SetKind::Times)
    }

    /// Whether the elements are ports that Docker publishes, which are learned from the host and not
    /// from the policy.
    pub fn is_published(self) -> bool {
        matches!(self, SetKind::Published { .. } | SetKind::PublishedAt { .. })
    }

    /// Whether the elements are grants or bans by hand.
    pub fn is_by_hand(self) -> bool {
        use SetKind::{BannedHosts, GrantRanges, GrantedHosts};
        matches!(self, BannedHosts { .. } | GrantedHosts { .. } | GrantRanges { .. })
    }

    /// Whether the keys are addresses with a protocol and a port.
    pub(crate) fn has_service(self) -> bool {
        use SetKind::{GrantRanges, GrantedHosts, RefusedSources};
        matches!(self, RefusedSources { .. } | GrantedHosts { .. } | GrantRanges { .. })
    }

    /// The IP version of the addresses, if the elements are addresses from the policy.
    pub fn version(self) -> Option<IpVersion> {
        match self {
            SetKind::Hosts { version, .. } | SetKind::Intervals { version } => Some(version),
            _ => None,
        }
    }
}

/// `type ipv4_addr; flags interval`, `type ipv4_addr; size 16384` or
/// `type inet_service; size 65535; flags dynamic,timeout`, as nft writes it.
impl fmt::Display for SetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetKind::Hosts { version, capacity } => {
                write!(f, "type {version}_addr; size {capacity}")
            }
            SetKind::Intervals { version } => {
                write!(f, "type {version}_addr; flags interval")
            }
            SetKind::Published { capacity } => {
                write!(f, "type inet_proto . inet_service; size {capacity}")
            }
            SetKind::PublishedAt { version, capacity } => {
                write!(f, "type {version}_addr . inet_proto . inet_service; size {capacity}")
            }
            SetKind::DynamicPorts => {
                write!(f, "type inet_service; size {}; flags dynamic,timeout", SetKind::PORTS)
            }
            SetKind::BannedHosts { version } => {
                write!(f, "type {version}_addr; size {}; flags timeout", SetKind::BANNED_HOSTS)
            }
            SetKind::GrantedHosts { version } => {
                let size = SetKind::GRANTED_HOSTS;
                let rest = "inet_proto . inet_service";
                write!(f, "type {version}_addr . {rest}; size {size}; flags timeout")
            }
            SetKind::GrantRanges { version } => {
                let size = SetKind::GRANT_RANGES;
                let rest = "inet_proto . inet_service";
                write!(f, "type {version}_addr . {rest}; size {size}; flags interval,timeout")
            }
            SetKind::RefusedSources { version } => {
                let size = SetKind::REFUSED_SOURCES;
                let rest = "inet_proto . inet_service";
                write!(f, "type {version}_addr . {rest}; size {size}; flags dynamic,timeout")
            }
            SetKind::RefusedPorts => {
                let size = SetKind::REFUSED_PORTS;
                write!(f, "type inet_proto . inet_service; size {size}; flags dynamic,timeout")
            }
            // `type time` would be a duration.
            SetKind::Times => write!(f, "typeof meta time; flags interval"),
            SetKind::LimitedSources { version } => {
                let size = SetKind::LIMITED_SOURCES;
                write!(f, "type {version}_addr; size {size}; flags dynamic,timeout")
            }
            SetKind::LimitedPorts => {
                let size = SetKind::LIMITED_PORTS;
                write!(f, "type inet_proto . inet_service; size {size}; flags dynamic,timeout")
            }
            SetKind::LimitedFlows => {
                write!(f, "type ct_dir; size {}; flags dynamic,timeout", SetKind::LIMITED_FLOWS)
            }
            // The kernel deletes a source when its last flow ends, and allows no timeout besides.
            SetKind::ConnectedSources { version } => {
                write!(f, "type {version}_addr; size {}; flags dynamic", SetKind::LIMITED_SOURCES)
            }
        }
    }
}

/// A set as it should be.
#[derive(Clone, Debug)]
pub struct Set {
    /// Which set.
    pub path: Arc<SetPath>,
    /// What its elements are.
    pub kind: SetKind,
    /// Its elements: sorted, and none overlaps or touches another unless both are single
    /// addresses or services. None of a dynamic set.
    pub elements: Arc<[Interval]>,
    /// What it holds, such as a group of the policy, in words.
    pub origin: Name,
}

/// A part of a large group: the addresses of which some bits have a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shard {
    /// The bits.
    pub mask: u128,
    /// Their value, in place.
    pub value: u128,
}

impl Shard {
    /// Whether it includes the address.
    pub fn has(self, address: u128) -> bool {
        address & self.mask == self.value
    }
}

/// Consecutive addresses as numbers, for speed; the set's kind has their IP version. Of a set of
/// times, nanoseconds. Of a set of published ports a single key in two numbers:
/// [`Interval::of_service`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interval {
    /// The lowest address.
    pub first: u128,
    /// The highest address.
    pub last: u128,
}

impl Interval {
    /// The addresses as an interval.
    pub fn of(addresses: &AddressSpec) -> Interval {
        Interval { first: to_u128(addresses.first()), last: to_u128(addresses.last()) }
    }

    /// A single address as an interval.
    pub fn host(address: u128) -> Interval {
        Interval { first: address, last: address }
    }

    /// All addresses of an IP version.
    pub(crate) fn all(version: IpVersion) -> Interval {
        let last = u128::MAX >> (u128::BITS - u32::from(version.address_bits()));
        Interval { first: 0, last }
    }

    /// The addresses: a network if they are one, else a range.
    pub(crate) fn addresses(self, version: IpVersion) -> AddressSpec {
        let (first, last) = (from_u128(self.first, version), from_u128(self.last, version));
        let varying = self.first ^ self.last;
        let is_network = varying & varying.wrapping_add(1) == 0 && self.first & varying == 0;
        let prefix = u32::from(version.address_bits()).saturating_sub(varying.count_ones());
        let prefix = u8::try_from(prefix).ok().filter(|_| is_network);
        let network = prefix.and_then(|prefix| IpNetwork::new(first, prefix).ok());
        network.map_or_else(|| AddressSpec::of_range(first, last), AddressSpec::masked)
    }

    /// The interval as nft writes it.
    pub fn display(self, version: IpVersion) -> impl fmt::Display {
        let (first, last) = (from_u128(self.first, version), from_u128(self.last, version));
        IntervalText { first, last }
    }

    /// The intervals of a sorted list that are not in another sorted list.
    pub fn difference<'a>(
        list: &'a [Interval],
        without: &'a [Interval],
    ) -> impl Iterator<Item = Interval> + 'a {
        let mut without = without.iter().peekable();
        list.iter().copied().filter(move |element| {
            while without.next_if(|other| *other < element).is_some() {}
            without.next_if(|other| *other == element).is_none()
        })
    }

    /// The seconds from one moment to another, in Unix time, as an interval of nanoseconds.
    pub fn of_seconds(first: i64, last: i64) -> Interval {
        let nanoseconds = |seconds: i64| u128::from(seconds.max(0).unsigned_abs()) * NANOSECONDS;
        Interval { first: nanoseconds(first), last: nanoseconds(last) }
    }

    /// The first and the last second of an interval of nanoseconds, as nft reads them: in Unix time,
    /// so that they do not depend on the time zone of the reader.
    pub fn display_seconds(self) -> impl fmt::Display {
        SecondsText { first: self.first / NANOSECONDS, last: self.last / NANOSECONDS }
    }

    /// A port of a protocol on this address, or on all, as an element of a set of published ports: the
    /// address, and the numbers of protocol and port.
    pub fn of_service(address: Option<IpAddr>, protocol: Protocol, port: u16) -> Interval {
        let last = u128::from(protocol.number()) << u16::BITS | u128::from(port);
        Interval { first: address.map_or(0, to_u128), last }
    }

    /// The address as a number, the protocol and the port of such an element; `None` if Docker publishes
    /// no such protocol.
    pub(crate) fn service(self) -> Option<(u128, Protocol, u16)> {
        let protocol = u8::try_from(self.last >> u16::BITS).ok().and_then(Protocol::from_number)?;
        Some((self.first, protocol, self.last as u16))
    }

    /// Such an element as nft writes it, `tcp . 443` or `203.0.113.5 . tcp . 443`; `None` for an element
    /// of another kind.
    pub fn display_service(self, kind: SetKind) -> Option<impl fmt::Display> {
        let (address, protocol, port) = self.service()?;
        match kind {
            SetKind::Published { .. } => Some(ServiceText { address: None, protocol, port }),
            SetKind::PublishedAt { version, .. } => {
                Some(ServiceText { address: Some(from_u128(address, version)), protocol, port })
            }
            _ => None,
        }
    }

    /// Whether it is a single address.
    pub fn is_host(self) -> bool {
        self.first == self.last
    }
}

/// Of a second.
const NANOSECONDS: u128 = 1_000_000_000;

struct SecondsText {
    first: u128,
    last: u128,
}

impl fmt::Display for SecondsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

struct ServiceText {
    address: Option<IpAddr>,
    protocol: Protocol,
    port: u16,
}

impl fmt::Display for ServiceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = self.address {
            write!(f, "{address} . ")?;
        }
        write!(f, "{} . {}", self.protocol, self.port)
    }
}

struct IntervalText {
    first: IpAddr,
    last: IpAddr,
}

impl fmt::Display for IntervalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// An address as a number.
pub(crate) fn to_u128(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// A number as an address of this IP version; for IPv4 the low 32 bits.
pub(crate) fn from_u128(number: u128, version: IpVersion) -> IpAddr {
    match version {
        IpVersion::V6 => IpAddr::V6(Ipv6Addr::from(number)),
        IpVersion::V4 => IpAddr::V4(Ipv4Addr::from(number as u32)),
    }
}

/// Sorts intervals, and makes one of those that overlap or touch.
pub(crate) fn merge_intervals(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_unstable();
    merge_sorted(intervals.into_iter())
}

fn merge_sorted(intervals: impl ExactSizeIterator<Item = Interval>) -> Vec<Interval> {
    let mut merged: Vec<Interval> = Vec::with_capacity(intervals.len());
    for interval in intervals {
        match merged.last_mut() {
            Some(last) if interval.first <= last.last.saturating_add(1) => {
                last.last = last.last.max(interval.last);
            }
            _ => merged.push(interval),
        }
    }
    merged
}

/// The number of an address, in the room that those of its IP version need: there may be a million.
pub(crate) trait AddressNumber: Copy + Ord + Into<u128> {
    /// The number without the bits that addresses of the IP version do not have.
    fn narrowed(number: u128) -> Self;
}

impl AddressNumber for u32 {
    fn narrowed(number: u128) -> u32 {
        number as u32
    }
}

impl AddressNumber for u128 {
    fn narrowed(number: u128) -> u128 {
        number
    }
}

/// Sources as elements: single addresses that no interval covers, and intervals of which none
/// overlaps or touches another; both sorted.
pub(crate) fn coalesce<N: AddressNumber>(
    sources: impl Iterator<Item = Interval>,
) -> (Vec<N>, Vec<Interval>) {
    let mut hosts = Vec::with_capacity(sources.size_hint().1.unwrap_or(0));
    let mut intervals = Vec::new();
    for source in sources {
        let (first, last) = (N::narrowed(source.first), N::narrowed(source.last));
        if first == last {
            hosts.push(first);
        } else {
            intervals.push((first, last));
        }
    }
    // Narrow numbers are sorted in half the time.
    intervals.sort_unstable();
    let widened = |(first, last): (N, N)| Interval { first: first.into(), last: last.into() };
    let merged = merge_sorted(intervals.into_iter().map(widened));
    hosts.sort_unstable();
    hosts.dedup();
    let mut covers = merged.iter().peekable();
    hosts.retain(|host: &N| {
        let host = (*host).into();
        while covers.next_if(|interval| interval.last < host).is_some() {}
        covers.peek().is_none_or(|interval| interval.first > host)
    });
    (hosts, merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn interval() -> impl Strategy<Value = Interval> {
        (0u128..200, prop_oneof![Just(0u128), 1u128..20])
            .prop_map(|(first, length)| Interval { first, last: first + length })
    }

    fn contains(intervals: &[Interval], number: u128) -> bool {
        intervals.iter().any(|interval| (interval.first..=interval.last).contains(&number))
    }

    proptest! {
        #[test]
        fn merging_keeps_every_address_and_separates_elements(
            intervals in prop::collection::vec(interval(), 0..40)
        ) {
            let (hosts, merged) = coalesce::<u128>(intervals.iter().copied());
            prop_assert!(hosts.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(merged.windows(2).all(|pair| pair[0].last + 1 < pair[1].first));
            for number in 0..230 {
                let (in_hosts, in_merged) = (hosts.contains(&number), contains(&merged, number));
                prop_assert!(!(in_hosts && in_merged));
                prop_assert_eq!(in_hosts || in_merged, contains(&intervals, number));
            }
        }
    }

    #[test]
    fn the_whole_of_ipv6_is_one_interval() {
        let all = Interval { first: 0, last: u128::MAX };
        let (hosts, merged) = coalesce::<u128>([Interval::host(7), all, all].into_iter());
        assert_eq!((hosts.len(), merged), (0, vec![all]));
    }
}
