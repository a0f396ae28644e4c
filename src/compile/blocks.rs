//! Divides the intervals of a large group by blocks of addresses: prefixes of which each holds about as
//! many intervals as another.

use std::collections::VecDeque;

use crate::model::{Interval, Shard};

/// Maximum number of intervals in a block, unless there would be more than [`BLOCKS_MAX`]. The kernel
/// restarts the dump of a set from the beginning for each datagram, which holds some 800 intervals.
const BLOCK_SIZE: usize = 4096;
/// Maximum number of blocks: each is one more rule that a new flow meets.
const BLOCKS_MAX: usize = 64;
/// Minimum number of intervals in a block, on average: clusters of addresses do not make many small ones.
pub(crate) const BLOCK_SIZE_MIN: usize = 1024;

/// A part of a group.
pub(super) struct Block {
    /// Which addresses it has; `None` for a group that is not divided.
    pub shard: Option<Shard>,
    /// The place of its prefix in the binary tree of all prefixes: 1 is the root, and 2n and 2n + 1 are the
    /// halves of n. Neither this nor the prefix changes with the contents of other blocks.
    pub number: u128,
    /// The intervals in it. One that reaches into other blocks is cut.
    pub intervals: Vec<Interval>,
}

/// The blocks of a sorted list of intervals that do not overlap, in the order of their addresses. `length`
/// is that of an address in bits.
pub(super) fn divide(intervals: Vec<Interval>, length: u8) -> Vec<Block> {
    if intervals.len() <= BLOCK_SIZE {
        return undivided(intervals);
    }
    let max = (intervals.len() / BLOCK_SIZE_MIN).min(BLOCKS_MAX);
    let mut limit = BLOCK_SIZE;
    while limit < intervals.len() {
        if let Some(leaves) = leaves(&intervals, length, limit, max) {
            return leaves.into_iter().map(|leaf| leaf.block(&intervals, length)).collect();
        }
        limit *= 2;
    }
    undivided(intervals)
}

fn undivided(intervals: Vec<Interval>) -> Vec<Block> {
    vec![Block { shard: None, number: 1, intervals }]
}

/// The largest blocks with at most `limit` intervals each; `None` if there are more than `max`.
fn leaves(intervals: &[Interval], length: u8, limit: usize, max: usize) -> Option<Vec<Prefix>> {
    let mut queue = VecDeque::from([Prefix { number: 1, bits: 0 }]);
    let mut leaves = Vec::new();
    while let Some(prefix) = queue.pop_front() {
        match prefix.overlapping(intervals, length).len() {
            0 => {}
            few if few <= limit || prefix.bits == length => leaves.push(prefix),
            _ => queue.extend(prefix.halves()),
        }
        if leaves.len() > max {
            return None;
        }
    }
    leaves.sort_unstable_by_key(|leaf| leaf.addresses(length));
    Some(leaves)
}

/// The addresses that begin with the same bits.
#[derive(Clone, Copy)]
struct Prefix {
    /// A one, and the bits.
    number: u128,
    /// How many bits.
    bits: u8,
}

impl Prefix {
    fn halves(self) -> [Prefix; 2] {
        [0, 1].map(|bit| Prefix { number: self.number << 1 | bit, bits: self.bits + 1 })
    }

    fn addresses(self, length: u8) -> Interval {
        let rest = u32::from(length - self.bits);
        let all = u128::MAX >> (u128::BITS - u32::from(length));
        let varying = low_bits(rest);
        let first = self.number.checked_shl(rest).unwrap_or(0) & all;
        Interval { first, last: first | varying }
    }

    /// The intervals with an address of the prefix.
    fn overlapping(self, intervals: &[Interval], length: u8) -> &[Interval] {
        let Interval { first, last } = self.addresses(length);
        let start = intervals.partition_point(|interval| interval.last < first);
        let end = intervals.partition_point(|interval| interval.first <= last);
        &intervals[start..end.max(start)]
    }

    fn block(self, intervals: &[Interval], length: u8) -> Block {
        let own = self.addresses(length);
        let mask = low_bits(length.into()) & !(own.first ^ own.last);
        let cut = |it: &Interval| Interval {
            first: it.first.max(own.first),
            last: it.last.min(own.last),
        };
        let intervals = self.overlapping(intervals, length).iter().map(cut).collect();
        Block { shard: Some(Shard { mask, value: own.first }), number: self.number, intervals }
    }
}

/// A number of which only this many of the lowest bits are set.
fn low_bits(number: u32) -> u128 {
    u128::MAX.checked_shr(u128::BITS - number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::merge_intervals;

    /// Sorted intervals from distances and lengths.
    fn intervals(parts: &[(u32, u32)]) -> Vec<Interval> {
        let mut next = 0u128;
        let part = |(gap, size): &(u32, u32)| {
            let first = next + u128::from(*gap);
            let last = first + u128::from(*size);
            next = last + 2;
            Interval { first, last }
        };
        parts.iter().map(part).collect()
    }

    fn even(number: usize) -> Vec<Interval> {
        intervals(&vec![(100, 27); number])
    }

    fn numbers(blocks: &[Block]) -> Vec<u128> {
        blocks.iter().map(|block| block.number).collect()
    }

    #[test]
    fn a_small_group_is_not_divided() {
        let blocks = divide(even(BLOCK_SIZE), 32);
        assert!(matches!(blocks.as_slice(), [Block { shard: None, .. }]));
    }

    #[test]
    fn clusters_do_not_make_many_blocks() {
        // Half of the addresses that are left, again and again, with one interval each, and then many.
        let mut list: Vec<Interval> = (0..24).map(|bit| Interval::host((1 << 31) >> bit)).collect();
        list.extend(
            (0..5000).map(|number| Interval { first: number * 4 + 1, last: number * 4 + 2 }),
        );
        list.sort_unstable();
        let blocks = divide(merge_intervals(list), 32);
        assert!(blocks.len() <= 4, "{}", blocks.len());
    }

    #[test]
    fn blocks_are_of_about_the_same_size() {
        let blocks = divide(even(100_000), 32);
        assert!((25..=BLOCKS_MAX).contains(&blocks.len()), "{}", blocks.len());
        assert!(blocks.iter().all(|block| block.intervals.len() <= BLOCK_SIZE));
    }

    #[test]
    fn a_change_of_one_interval_concerns_one_block() {
        let before = even(100_000);
        let mut after = before.clone();
        after.remove(50_000);
        let (before, after) = (divide(before, 32), divide(after, 32));
        assert_eq!(numbers(&before), numbers(&after));
        let changed = before.iter().zip(&after).filter(|(a, b)| a.intervals != b.intervals);
        assert_eq!(changed.count(), 1);
    }

    #[test]
    fn an_interval_of_all_addresses_is_cut_at_each_boundary() {
        let all = Interval { first: 0, last: u128::MAX };
        let prefix = Prefix { number: 1, bits: 0 };
        assert_eq!(prefix.addresses(128), all);
        let [low, high] = prefix.halves().map(|half| half.block(&[all], 128));
        assert_eq!(low.intervals, [Interval { first: 0, last: u128::MAX >> 1 }]);
        assert_eq!(high.intervals, [Interval { first: 1 << 127, last: u128::MAX }]);
        assert_eq!(high.shard, Some(Shard { mask: 1 << 127, value: 1 << 127 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Few lists of many intervals: what is divided is large.
        #[test]
        fn blocks_have_the_same_addresses(
            sizes in prop::collection::vec((0u32..20_000, prop_oneof![0u32..40, 0u32..2_000_000]), 1..40),
            limit in 1usize..20,
            length in prop_oneof![Just(32u8), Just(128u8)],
            shift in 0u32..90,
        ) {
            let shift = if length == 32 { 0 } else { shift };
            let list: Vec<Interval> = intervals(&sizes)
                .into_iter()
                .map(|it| Interval { first: it.first << shift, last: it.last << shift })
                .collect();
            prop_assume!(list.iter().all(|it| length == 128 || it.last <= u128::from(u32::MAX)));
            let Some(leaves) = leaves(&list, length, limit, usize::MAX) else { return Ok(()) };
            let blocks: Vec<Block> =
                leaves.into_iter().map(|leaf| leaf.block(&list, length)).collect();
            for block in &blocks {
                let shard = block.shard.expect("a shard");
                prop_assert!(block.intervals.iter().all(|it| shard.has(it.first) && shard.has(it.last)));
                prop_assert!(!block.intervals.is_empty() && block.intervals.len() <= limit);
            }
            let joined = blocks.into_iter().flat_map(|block| block.intervals).collect();
            prop_assert_eq!(merge_intervals(joined), list);
        }
    }
}
