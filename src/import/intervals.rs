//! Sets of numbers as sorted intervals: addresses, ports, protocols, interfaces.

use std::sync::Arc;

/// Numbers as closed intervals: sorted, disjoint and not adjacent. Clones share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intervals(Arc<[(u128, u128)]>);

impl Intervals {
    /// No number.
    pub fn none() -> Intervals {
        Intervals(Arc::default())
    }

    /// The numbers from `first` to `last`, both included.
    pub fn range(first: u128, last: u128) -> Intervals {
        Intervals::collect([(first, last)])
    }

    /// One number.
    pub fn single(number: u128) -> Intervals {
        Intervals::range(number, number)
    }

    /// The numbers of all these intervals; reversed ones hold none.
    pub fn collect(intervals: impl IntoIterator<Item = (u128, u128)>) -> Intervals {
        let mut sorted: Vec<(u128, u128)> =
            intervals.into_iter().filter(|(first, last)| first <= last).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last);
                }
                _ => merged.push((first, last)),
            }
        }
        Intervals(merged.into())
    }

    /// The intervals in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (u128, u128)> + '_ {
        self.0.iter().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, number: u128) -> bool {
        let behind = self.0.partition_point(|(first, _)| *first <= number);
        behind > 0 && self.0[behind - 1].1 >= number
    }

    /// Whether every number of `other` is in this set.
    pub fn includes(&self, other: &Intervals) -> bool {
        self == other || other.minus(self).is_empty()
    }

    pub fn union(&self, other: &Intervals) -> Intervals {
        Intervals::collect(self.iter().chain(other.iter()))
    }

    pub fn intersection(&self, other: &Intervals) -> Intervals {
        if Arc::ptr_eq(&self.0, &other.0) {
            return self.clone();
        }
        let (mut a, mut b) = (self.iter().peekable(), other.iter().peekable());
        let mut common = Vec::new();
        while let (Some(&x), Some(&y)) = (a.peek(), b.peek()) {
            let both = (x.0.max(y.0), x.1.min(y.1));
            if both.0 <= both.1 {
                common.push(both);
            }
            if x.1 < y.1 {
                a.next()
            } else {
                b.next()
            };
        }
        if common.as_slice() == &*self.0 { self.clone() } else { Intervals(common.into()) }
    }

    /// The numbers of this set that are not in `other`.
    pub fn minus(&self, other: &Intervals) -> Intervals {
        let mut rest = Vec::new();
        let mut holes = other.iter().peekable();
        for (mut first, last) in self.iter() {
            while holes.next_if(|hole| hole.1 < first).is_some() {}
            let mut is_used_up = false;
            while let Some(&hole) = holes.peek().filter(|hole| hole.0 <= last) {
                if hole.0 > first {
                    rest.push((first, hole.0 - 1));
                }
                if hole.1 >= last {
                    is_used_up = true;
                    break;
                }
                first = hole.1 + 1;
                holes.next();
            }
            if !is_used_up {
                rest.push((first, last));
            }
        }
        Intervals(rest.into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn sets() -> impl Strategy<Value = (Intervals, BTreeSet<u128>)> {
        prop::collection::vec((0u128..40, 0u128..6), 0..8).prop_map(|parts| {
            let ranges = parts.iter().map(|(first, more)| (*first, first + more));
            let numbers = parts.iter().flat_map(|(first, more)| *first..=first + more).collect();
            (Intervals::collect(ranges), numbers)
        })
    }

    fn numbers(set: &Intervals) -> BTreeSet<u128> {
        set.iter().flat_map(|(first, last)| first..=last).collect()
    }

    proptest! {
        #[test]
        fn operations_are_those_of_sets((a, x) in sets(), (b, y) in sets()) {
            prop_assert_eq!(numbers(&a.union(&b)), &x | &y);
            prop_assert_eq!(numbers(&a.intersection(&b)), &x & &y);
            prop_assert_eq!(numbers(&a.minus(&b)), &x - &y);
            prop_assert_eq!(a.includes(&b), x.is_superset(&y));
            prop_assert!((0..50).all(|number| a.contains(number) == x.contains(&number)));
        }
    }

    #[test]
    fn the_ends_of_the_numbers_are_not_exceeded() {
        let all = Intervals::range(0, u128::MAX);
        let middle = Intervals::range(1, u128::MAX - 1);
        let ends = all.minus(&middle);
        assert_eq!(ends.iter().collect::<Vec<_>>(), [(0, 0), (u128::MAX, u128::MAX)]);
        assert_eq!(ends.union(&middle), all);
        assert!(all.minus(&all).is_empty());
    }
}
