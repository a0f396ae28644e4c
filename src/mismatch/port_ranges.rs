//! Finds in logarithmic time whether ports are among many others.

use std::collections::BTreeMap;

use crate::model::{Ports, Protocol};

/// Ports without their addresses: for each protocol the ranges that they form, the last port of each by
/// its first.
pub(super) struct PortRanges(BTreeMap<(Protocol, u16), u16>);

impl PortRanges {
    pub fn of(ports: impl Iterator<Item = Ports>) -> PortRanges {
        let mut sorted: Vec<Ports> = ports.collect();
        sorted.sort_unstable();
        let mut ranges: Vec<Ports> = Vec::new();
        for ports in sorted {
            let protocol = ports.protocol();
            let joined = ranges.last().filter(|last| last.has(protocol, ports.first()));
            let joined = joined.and_then(|last| {
                Ports::new(protocol, last.first(), last.last().max(ports.last())).ok()
            });
            match (joined, ranges.last_mut()) {
                (Some(joined), Some(last)) => *last = joined,
                _ => ranges.push(ports),
            }
        }
        PortRanges(ranges.iter().map(|it| ((it.protocol(), it.first()), it.last())).collect())
    }

    /// Whether one of them is among these ports.
    pub fn overlap(&self, ports: &Ports) -> bool {
        let protocol = ports.protocol();
        let before = self.0.range((protocol, 0)..=(protocol, ports.last())).next_back();
        before.is_some_and(|(_, last)| *last >= ports.first())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ports() -> impl Strategy<Value = Ports> {
        let protocol = prop::sample::select(Protocol::ALL.to_vec());
        let new = |(protocol, first, more)| Ports::new(protocol, first, first + more);
        (protocol, 1u16..60, 0u16..6).prop_map(move |it| new(it).expect("ports"))
    }

    proptest! {
        #[test]
        fn ranges_overlap_as_their_ports_do(
            all in prop::collection::vec(ports(), 0..12), asked in ports()
        ) {
            let overlap = |it: &Ports| {
                it.protocol() == asked.protocol()
                    && it.first() <= asked.last()
                    && asked.first() <= it.last()
            };
            let ranges = PortRanges::of(all.iter().copied());
            prop_assert_eq!(ranges.overlap(&asked), all.iter().any(overlap));
        }
    }
}
