//! Finds in logarithmic time whether a published port is among many others.

use std::collections::HashMap;

use ipnetwork::IpNetwork;

use super::ranges;
use crate::model::{Family, Ports, Protocol, PublishedPort};

/// What ports have in common that are compared by their numbers alone.
type Key = (Option<IpNetwork>, Family, Protocol);

/// Published ports, to be asked whether they include another one.
#[derive(Debug, Default)]
pub(crate) struct PortIndex {
    /// The ports of each key, without those that are among others of them: sorted by their first and
    /// thereby by their last port.
    ports: HashMap<Key, Vec<Ports>>,
}

impl PortIndex {
    /// An index of these ports.
    pub(crate) fn of<'a>(published: impl IntoIterator<Item = &'a PublishedPort>) -> PortIndex {
        let mut ports: HashMap<Key, Vec<Ports>> = HashMap::new();
        for published in published {
            let PublishedPort { address, family, ports: own } = published;
            ports.entry((*address, *family, own.protocol())).or_default().push(*own);
        }
        ports.values_mut().for_each(keep_largest);
        PortIndex { ports }
    }

    /// An index of these ports, of which consecutive ones count as one range.
    pub(crate) fn merged<'a>(published: impl IntoIterator<Item = &'a PublishedPort>) -> PortIndex {
        let mut sorted: Vec<&PublishedPort> = published.into_iter().collect();
        sorted.sort_unstable();
        PortIndex::of(&ranges(sorted))
    }

    /// Whether one of them includes the port: [`PublishedPort::covers`].
    pub(crate) fn covers(&self, port: &PublishedPort) -> bool {
        self.covering(port).next().is_some()
    }

    /// Whether one of them that is not the port itself includes it.
    pub(crate) fn covers_otherwise(&self, port: &PublishedPort) -> bool {
        let own = (port.address, port.family, port.ports);
        self.covering(port).any(|found| found != own)
    }

    /// Of each address and family that includes that of the port, the ports that include it.
    fn covering(
        &self,
        port: &PublishedPort,
    ) -> impl Iterator<Item = (Option<IpNetwork>, Family, Ports)> {
        let PublishedPort { address, family, ports } = port;
        let addresses = std::iter::once(None).chain(address.map(Some));
        let families = [Family::Inet, *family];
        let families = &families[usize::from(*family == Family::Inet)..];
        let keys: Vec<_> =
            addresses.flat_map(|address| families.iter().map(move |it| (address, *it))).collect();
        keys.into_iter().filter_map(move |(address, family)| {
            let all = self.ports.get(&(address, family, ports.protocol()))?;
            let behind = all.partition_point(|it| it.first() <= ports.first());
            let found = *all.get(behind.checked_sub(1)?)?;
            found.includes(ports).then_some((address, family, found))
        })
    }
}

/// Sorts ports of one protocol, and removes those that are among others of them.
fn keep_largest(ports: &mut Vec<Ports>) {
    ports.sort_unstable_by_key(|it| (it.first(), std::cmp::Reverse(it.last())));
    let mut last = 0;
    ports.retain(|it| {
        let is_larger = it.last() > last;
        last = last.max(it.last());
        is_larger
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn published() -> impl Strategy<Value = PublishedPort> {
        let address = prop::sample::select(vec![None, Some("192.0.2.1"), Some("2001:db8::1")]);
        let family = prop::sample::select(vec![Family::Inet, Family::Ip, Family::Ip6]);
        let protocol = prop::sample::select(vec![Protocol::Tcp, Protocol::Udp]);
        (address, family, protocol, 1u16..20, 0u16..3).prop_map(
            |(address, family, protocol, first, more)| PublishedPort {
                address: address.map(|it| it.parse().expect("an address")),
                family,
                ports: Ports::new(protocol, first, first + more).expect("ports"),
            },
        )
    }

    proptest! {
        #[test]
        fn an_index_answers_as_a_list_does(
            all in prop::collection::btree_set(published(), 0..12),
            asked in published(),
        ) {
            let index = PortIndex::of(&all);
            for port in all.iter().chain([&asked]) {
                prop_assert_eq!(index.covers(port), all.iter().any(|it| it.covers(port)));
                let otherwise = all.iter().any(|it| it != port && it.covers(port));
                prop_assert_eq!(index.covers_otherwise(port), otherwise, "{}", port);
            }
            let ranges = ranges(&all);
            let merged = PortIndex::merged(&all);
            prop_assert_eq!(merged.covers(&asked), ranges.iter().any(|it| it.covers(&asked)));
        }
    }
}
