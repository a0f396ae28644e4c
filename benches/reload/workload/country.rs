//! Prefixes like those of a list of a country: sorted, of the lengths that are announced on the
//! Internet, and scattered over the whole address space. The seed is fixed.

use std::iter;

use super::source::Source;

/// How many of a thousand prefixes have each length.
const LENGTHS: [(u8, u32); 11] = [
    (24, 600),
    (23, 100),
    (22, 110),
    (21, 55),
    (20, 50),
    (19, 30),
    (18, 17),
    (17, 12),
    (16, 20),
    (15, 4),
    (14, 2),
];

/// The first address of the network of the client that tests policies, and the one behind it. No
/// prefix is there.
const CLIENT: (u32, u32) = (0xc000_0000, 0xc100_0000);
/// The largest gap between two prefixes, in networks of 256 addresses.
const GAP_MAX: u32 = 16;

/// As many pairs of prefixes as a list has, for its two variants.
pub fn prefixes(size: usize) -> impl Iterator<Item = (Source, Source)> {
    let mut all = all();
    iter::from_fn(move || Some((all.next()?, all.next()?))).take(size)
}

fn all() -> impl Iterator<Item = Source> {
    let (mut random, mut free) = (Random(0x2545_f491_4f6c_dd1d), 0x0100_0000_u32);
    iter::from_fn(move || {
        let length = length(random.below(1000));
        let size = 1 << (32 - length);
        let mut network = (free + 256 * random.below(GAP_MAX)).next_multiple_of(size);
        if network + size > CLIENT.0 && network < CLIENT.1 {
            network = CLIENT.1;
        }
        free = network + size;
        Some(Source::Prefix(network.into(), length))
    })
}

fn length(mut drawn: u32) -> u8 {
    for (length, share) in LENGTHS {
        match drawn.checked_sub(share) {
            Some(rest) => drawn = rest,
            None => return length,
        }
    }
    24
}

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) as u32) % limit
    }
}
