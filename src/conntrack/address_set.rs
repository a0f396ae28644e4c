//! A set of addresses with a fast lookup.

use std::net::IpAddr;

use crate::model::{AddressSpec, Interval, IpVersion, coalesce, to_u128};

/// Addresses of both families, as sorted intervals.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressSet {
    v4: Vec<Interval>,
    v6: Vec<Interval>,
}

impl AddressSet {
    /// Whether the set contains the address. Takes logarithmic time.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (intervals, number) = (self.of(IpVersion::of(address)), to_u128(address));
        let behind = intervals.partition_point(|interval| interval.first <= number);
        let before = behind.checked_sub(1).and_then(|index| intervals.get(index));
        before.is_some_and(|interval| number <= interval.last)
    }

    fn of(&self, version: IpVersion) -> &[Interval] {
        match version {
            IpVersion::V4 => &self.v4,
            IpVersion::V6 => &self.v6,
        }
    }
}

impl FromIterator<AddressSpec> for AddressSet {
    fn from_iter<T: IntoIterator<Item = AddressSpec>>(addresses: T) -> AddressSet {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for addresses in addresses {
            let intervals = if addresses.version() == IpVersion::V6 { &mut v6 } else { &mut v4 };
            intervals.push(Interval::of(&addresses));
        }
        AddressSet { v4: sorted(v4), v6: sorted(v6) }
    }
}

fn sorted(intervals: Vec<Interval>) -> Vec<Interval> {
    let (hosts, mut intervals) = coalesce::<u128>(intervals.into_iter());
    intervals.extend(hosts.into_iter().map(Interval::host));
    intervals.sort_unstable();
    intervals
}
