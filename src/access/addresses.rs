//! Addresses of both IP versions as intervals, for unions and differences of long lists.

use std::fmt;

use crate::model::{Interval, IpVersion, from_u128};

/// Addresses of both IP versions. The intervals of a version are sorted, and none overlaps or touches
/// another, so that equal addresses are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Addresses {
    v4: Vec<Interval4>,
    v6: Vec<Interval>,
}

impl Addresses {
    /// The addresses of intervals, given for IPv4 and for IPv6.
    pub(super) fn merged(
        v4: impl Iterator<Item = Interval>,
        v6: impl Iterator<Item = Interval>,
    ) -> Addresses {
        Addresses { v4: merged(v4.map(Interval4::store).collect()), v6: merged(v6.collect()) }
    }

    /// The addresses of this IP version, as intervals.
    pub fn of(&self, version: IpVersion) -> impl ExactSizeIterator<Item = Interval> {
        let (v4, v6): (&[Interval4], &[Interval]) = match version {
            IpVersion::V4 => (&self.v4, &[]),
            IpVersion::V6 => (&[], &self.v6),
        };
        let number = v4.len() + v6.len();
        let load = move |index: usize| v4.get(index).map_or_else(|| v6[index], |it| it.load());
        (0..number).map(load)
    }

    /// Those of one IP version.
    pub(super) fn of_version(&self, version: IpVersion) -> Addresses {
        match version {
            IpVersion::V4 => Addresses { v4: self.v4.clone(), v6: Vec::new() },
            IpVersion::V6 => Addresses { v4: Vec::new(), v6: self.v6.clone() },
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether these are all addresses of both IP versions.
    pub fn is_everyone(&self) -> bool {
        IpVersion::ALL.into_iter().all(|version| self.of(version).eq([all(version)]))
    }

    /// How many addresses, prefixes and ranges there are.
    pub fn count(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether more than half of all addresses of this IP version are among them.
    pub fn is_most_of(&self, version: IpVersion) -> bool {
        let sum = self.of(version).fold(0u128, |sum, interval| {
            sum.saturating_add(interval.last - interval.first).saturating_add(1)
        });
        sum > all(version).last / 2
    }

    /// All other addresses.
    pub fn complement(&self) -> Addresses {
        let everyone = Addresses {
            v4: vec![Interval4::store(all(IpVersion::V4))],
            v6: vec![all(IpVersion::V6)],
        };
        everyone.without(self)
    }

    /// The addresses, prefixes and ranges as text, IPv4 first.
    pub fn texts(&self) -> impl Iterator<Item = impl fmt::Display> {
        let texts = |version| self.of(version).map(move |it| AddressText(it, version));
        IpVersion::ALL.into_iter().flat_map(texts)
    }

    /// These without the others.
    pub(super) fn without(&self, other: &Addresses) -> Addresses {
        Addresses { v4: subtract(&self.v4, &other.v4), v6: subtract(&self.v6, &other.v6) }
    }

    /// These without the elements of a set of this IP version.
    pub(super) fn without_set(self, version: IpVersion, elements: &[Interval]) -> Addresses {
        match version {
            IpVersion::V4 => Addresses { v4: subtract(&self.v4, elements), ..self },
            IpVersion::V6 => Addresses { v6: subtract(&self.v6, elements), ..self },
        }
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

/// A form in which intervals are stored.
pub(super) trait Stored: Copy + Ord {
    fn store(interval: Interval) -> Self;
    fn load(self) -> Interval;
}

impl Stored for Interval {
    fn store(interval: Interval) -> Interval {
        interval
    }

    fn load(self) -> Interval {
        self
    }
}

/// Consecutive addresses of IPv4, in a quarter of the room of an [`Interval`]: there may be a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Interval4 {
    first: u32,
    last: u32,
}

impl Stored for Interval4 {
    fn store(Interval { first, last }: Interval) -> Interval4 {
        Interval4 { first: first as u32, last: last as u32 }
    }

    fn load(self) -> Interval {
        Interval { first: self.first.into(), last: self.last.into() }
    }
}

/// The intervals sorted, and those that overlap or touch as one.
fn merged<S: Stored>(mut intervals: Vec<S>) -> Vec<S> {
    intervals.sort_unstable();
    intervals.dedup_by(|next, last| {
        let (Interval { first, last: end }, before) = (next.load(), last.load());
        let touches = first <= before.last.saturating_add(1);
        if touches {
            *last = S::store(Interval { last: before.last.max(end), ..before });
        }
        touches
    });
    intervals
}

/// What of a list is not in the other one. Both are sorted, and the intervals of a list are disjoint.
pub(super) fn subtract<S: Stored>(list: &[S], without: &[impl Stored]) -> Vec<S> {
    let (mut left, mut rest) = (Vec::new(), without);
    for interval in list.iter().map(|it| it.load()) {
        rest = skip_below(rest, interval.first);
        let mut first = Some(interval.first);
        let others = rest.iter().map(|other| other.load());
        for other in others.take_while(|other| other.first <= interval.last) {
            if let Some(first) = first.filter(|first| *first < other.first) {
                left.push(S::store(Interval { first, last: other.first - 1 }));
            }
            first = other.last.checked_add(1).filter(|next| *next <= interval.last);
        }
        left.extend(first.map(|first| S::store(Interval { first, last: interval.last })));
    }
    left
}

/// The intervals that do not end below this address. Takes steps that double, so that it is fast
/// whichever list is the longer one.
fn skip_below<S: Stored>(list: &[S], first: u128) -> &[S] {
    let is_below = |interval: &S| interval.load().last < first;
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
