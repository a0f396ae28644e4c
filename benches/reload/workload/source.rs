//! The sources of a policy.

use std::fmt::{self, Display, Formatter};
use std::net::Ipv4Addr;

use super::{Mix, Variant, country};

pub enum Source {
    Host(Ipv4Addr),
    Prefix(Ipv4Addr, u8),
    Range(Ipv4Addr, Ipv4Addr),
}

/// The source as policies and the peers write it.
impl Display for Source {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Source::Host(address) => write!(f, "{address}"),
            Source::Prefix(network, length) => write!(f, "{network}/{length}"),
            Source::Range(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

/// The sources of one variant. The first and the other one have none in common.
pub fn sources(mix: Mix, size: usize, variant: Variant) -> Vec<Source> {
    let is_other = |index| match variant {
        Variant::First => false,
        Variant::Other => true,
        Variant::OneChanged => index == size / 2,
    };
    if mix == Mix::Country {
        let (first, other): (Vec<_>, Vec<_>) = country::prefixes(size).unzip();
        let pairs = first.into_iter().zip(other).enumerate();
        return pairs
            .map(|(at, (first, other))| if is_other(at) { other } else { first })
            .collect();
    }
    let half = |index| HALF * u32::from(is_other(index));
    (0..size).map(|index| source(mix, slot(index, size), half(index))).collect()
}

/// Number of addresses that each source has to itself, so that no two sources are adjacent.
const SLOT: u32 = 128;
/// Half of a slot, of which the second is for [`Variant::Other`].
const HALF: u32 = SLOT / 2;
/// Coprime to every size, so that it scatters the sources.
const STRIDE: usize = 7919;

fn slot(index: usize, size: usize) -> u32 {
    (index * STRIDE % size) as u32
}

fn source(mix: Mix, slot: u32, half: u32) -> Source {
    let base = u32::from(Ipv4Addr::new(10, 0, 0, 0)) + slot * SLOT + half;
    let length = 27 + (slot / 10 % 4) as u8;
    match mix {
        Mix::Mixed if slot.is_multiple_of(10) => Source::Prefix(base.into(), length),
        Mix::Ranges if slot.is_multiple_of(2) => Source::Prefix(base.into(), length),
        Mix::Ranges => Source::Range((base + 3).into(), (base + 9 + slot % 40).into()),
        _ => Source::Host((base + 7).into()),
    }
}
