//! Addresses of both IP versions as intervals, for unions and differences of long lists.

use std::fmt;

use crate::model::{Interval, IpVersion, from_u128};

/// Addresses of both IP versions. The intervals of a version are sorted, and none overlaps or touches
/// another, so that equal addresses are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Addresses {
    v4: Vec<Interval>,
    v6: Vec<Interval>,
}

impl Addresses {
    pub(super) fn new(v4: Vec<Interval>, v6: Vec<Interval>) -> Addresses {
        Addresses { v4, v6 }
    }

    /// The addresses of this IP version.
    pub fn of(&self, version: IpVersion) -> &[Interval] {
        match version {
            IpVersion::V4 => &self.v4,
            IpVersion::V6 => &self.v6,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether these are all addresses of both IP versions.
    pub fn is_everyone(&self) -> bool {
        IpVersion::ALL.into_iter().all(|version| self.of(version) == [all(version)])
    }

    /// How many addresses, prefixes and ranges there are.
    pub fn count(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether more than half of all addresses of this IP version are among them.
    pub fn is_most_of(&self, version: IpVersion) -> bool {
        let sum = self.of(version).iter().fold(0u128, |sum, interval| {
            sum.saturating_add(interval.last - interval.first).saturating_add(1)
        });
        sum > all(version).last / 2
    }

    /// All other addresses.
    pub fn complement(&self) -> Addresses {
        let [v4, v6] = IpVersion::ALL.map(|version| subtract(&[all(version)], self.of(version)));
        Addresses { v4, v6 }
    }

    /// The addresses, prefixes and ranges as text, IPv4 first.
    pub fn texts(&self) -> impl Iterator<Item = impl fmt::Display> {
        let texts = |version| self.of(version).iter().map(move |it| AddressText(*it, version));
        IpVersion::ALL.into_iter().flat_map(texts)
    }

    /// These without the others.
    pub(super) fn without(&self, other: &Addresses) -> Addresses {
        let [v4, v6] = IpVersion::ALL.map(|version| subtract(self.of(version), other.of(version)));
        Addresses { v4, v6 }
    }
}

/// All addresses of an IP version.
pub(super) fn all(version: IpVersion) -> Interval {
    let last = match version {
        IpVersion::V4 => u32::MAX.into(),
        IpVersion::V6 => u128::MAX,
    };
    Interval { first: 0, last }
}

/// The intervals sorted, and those that overlap or touch as one.
pub(super) fn merged(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_unstable();
    intervals.dedup_by(|next, last| {
        let touches = next.first <= last.last.saturating_add(1);
        if touches {
            last.last = last.last.max(next.last);
        }
        touches
    });
    intervals
}

/// What of a list is not in the other one. Both are sorted, and the intervals of a list are disjoint.
pub(super) fn subtract(list: &[Interval], without: &[Interval]) -> Vec<Interval> {
    let (mut left, mut rest) = (Vec::new(), without);
    for interval in list {
        rest = skip_below(rest, interval.first);
        let mut first = Some(interval.first);
        for other in rest.iter().take_while(|other| other.first <= interval.last) {
            if let Some(first) = first.filter(|first| *first < other.first) {
                left.push(Interval { first, last: other.first - 1 });
            }
            first = other.last.checked_add(1).filter(|next| *next <= interval.last);
        }
        left.extend(first.map(|first| Interval { first, last: interval.last }));
    }
    left
}

/// The intervals that do not end below this address. Takes steps that double, so that it is fast
/// whichever list is the longer one.
fn skip_below(list: &[Interval], first: u128) -> &[Interval] {
    let is_below = |interval: &Interval| interval.last < first;
    let mut end = 1;
    while list.get(end - 1).is_some_and(is_below) {
        end *= 2;
    }
    let end = end.min(list.len());
    let skipped = list.get(..end).unwrap_or_default().partition_point(is_below);
    list.get(skipped..).unwrap_or_default()
}

/// `192.0.2.1`, `192.0.2.0/24`; a range where it is no prefix, or of two addresses.
struct AddressText(Interval, IpVersion);

impl fmt::Display for AddressText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AddressText(interval @ Interval { first, last }, version) = *self;
        let host_bits = first ^ last;
        let is_prefix = host_bits & host_bits.wrapping_add(1) == 0 && first & host_bits == 0;
        if !is_prefix || host_bits <= 1 {
            return write!(f, "{}", interval.display(version));
        }
        let length = u32::from(version.address_bits()) - host_bits.count_ones();
        write!(f, "{}/{length}", from_u128(first, version))
    }
}
