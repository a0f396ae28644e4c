//! Divides a large group into shards of about the same size.

use crate::model::{AddressNumber, Interval, Shard};

/// Maximum number of addresses in a shard, unless there would be more than [`SHARDS_MAX`]. The kernel
/// restarts the dump of a set from the beginning for each datagram, so the time that it takes grows
/// with the square of the set's size.
const SHARD_SIZE: usize = 4096;
/// Maximum number of shards: each is one more rule that a new flow meets.
const SHARDS_MAX: usize = 64;

/// Shards with their addresses; `None` for a group that is not divided.
pub(super) type Shards = Vec<(Option<Shard>, Vec<Interval>)>;

/// The shards of a group of single addresses, each with its addresses; `None` for a group that is not
/// divided. `length` is that of an address in bits.
pub(super) fn shard<N: AddressNumber>(hosts: &[N], length: u8) -> Shards {
    let number = hosts.len().div_ceil(SHARD_SIZE).next_power_of_two().min(SHARDS_MAX);
    let mask = select_bits(hosts, length, number.ilog2());
    if mask == 0 {
        return vec![(None, hosts.iter().map(|host| Interval::host((*host).into())).collect())];
    }
    let bits: Vec<u32> = (0..u32::from(length)).filter(|bit| mask >> bit & 1 == 1).collect();
    // What vectors have to spare would be a large part of the memory of an apply.
    let mut sizes = vec![0; 1 << bits.len()];
    for host in hosts {
        sizes[extract_bits((*host).into(), &bits)] += 1;
    }
    let part = |(index, size)| {
        (Some(Shard { mask, value: deposit_bits(index, &bits) }), Vec::with_capacity(size))
    };
    let mut parts: Vec<_> = sizes.into_iter().enumerate().map(part).collect();
    for host in hosts.iter().map(|host| (*host).into()) {
        parts[extract_bits(host, &bits)].1.push(Interval::host(host));
    }
    parts
}

/// The capacity of a set for this number of addresses. A set whose capacity changes has to be created
/// again, so shards have the same capacity unless their sizes differ much.
pub(super) fn capacity(addresses: usize, part: Option<Shard>) -> u32 {
    let least = if part.is_some() { 2 * SHARD_SIZE } else { 1024 };
    let capacity = (2 * addresses).next_power_of_two().max(least);
    u32::try_from(capacity).unwrap_or(u32::MAX)
}

/// The lowest bits that divide the addresses evenly: those that are set in at least a quarter of
/// them, and clear in at least a quarter. At most `desired` bits.
fn select_bits<N: AddressNumber>(hosts: &[N], length: u8, desired: u32) -> u128 {
    if desired == 0 {
        return 0;
    }
    let hosts = hosts.iter().map(|host| (*host).into());
    let sample: Vec<u128> = hosts.filter(|host| is_sampled(*host)).collect();
    let is_balanced = |bit: &u32| {
        let set = sample.iter().filter(|host| *host >> bit & 1 == 1).count();
        (sample.len() / 4..=sample.len() - sample.len() / 4).contains(&set)
    };
    let bits = (0..u32::from(length)).filter(is_balanced).take(desired as usize);
    bits.fold(0, |mask, bit| mask | 1 << bit)
}

/// Whether the address is in the sample, which has a sixteenth of all. The choice depends on the
/// address alone, so that the shards stay the same if a few addresses change.
fn is_sampled(host: u128) -> bool {
    /// An odd number without a pattern, by which every bit affects the highest ones.
    const HASH_MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let folded = (host as u64) ^ (host >> 64) as u64;
    folded.wrapping_mul(HASH_MULTIPLIER) >> 60 == 0
}

/// A number with the bits of the index at these positions.
fn deposit_bits(index: usize, bits: &[u32]) -> u128 {
    bits.iter().enumerate().fold(0, |value, (i, bit)| value | (index as u128 >> i & 1) << bit)
}

/// The index made of the number's bits at these positions.
fn extract_bits(number: u128, bits: &[u32]) -> usize {
    bits.iter().enumerate().fold(0, |index, (i, bit)| index | ((number >> bit & 1) as usize) << i)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(number: u128, stride: u128) -> Vec<u128> {
        (0..number).map(|i| i * stride).collect()
    }

    #[test]
    fn a_small_group_is_not_divided() {
        let parts = shard(&hosts(SHARD_SIZE as u128, 1), 32);
        assert!(matches!(parts.as_slice(), [(None, all)] if all.len() == SHARD_SIZE));
    }

    #[test]
    fn shards_are_even_at_any_distance_of_the_addresses() {
        for stride in [1, 7, 128, 1000] {
            let parts = shard(&hosts(100_000, stride), 32);
            assert_eq!(parts.len(), 32, "{stride}");
            let sizes = parts.iter().map(|(_, hosts)| hosts.len());
            assert_eq!(sizes.clone().sum::<usize>(), 100_000);
            assert!(sizes.max() < Some(2 * SHARD_SIZE), "{stride}");
            for (part, hosts) in parts {
                assert!(hosts.iter().all(|host| part.is_some_and(|part| part.has(host.first))));
            }
        }
    }
}
