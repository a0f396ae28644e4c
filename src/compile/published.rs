//! How `input` tells the ports that Docker publishes: by a rule each while they are few, and by sets
//! when they are many, so that a new flow costs the same however many there are.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::guard::PROXIED;
use super::own::{goto, rule};
use super::own_table;
use crate::docker::ranges;
use crate::model::{
    AddressSpec, DesiredRule, Interval, IpVersion, NftMatch, Ports, PublishedPort, Set, SetKind,
    SetPath,
};

/// Minimum number of rules of one kind that become a set. Fewer rules are easier to read.
const MANY: usize = 16;
/// Minimum number of consecutive ports that are a rule of their own beside a set of others.
const LONG: usize = 256;
/// Minimum capacity of a set.
const CAPACITY_MIN: usize = 1024;

/// The rules of `input` that send flows to published ports to `proxied`, and the sets that they look
/// up.
pub(super) struct PublishedRules {
    pub rules: Vec<DesiredRule>,
    pub sets: Vec<Set>,
}

impl PublishedRules {
    /// Those for these ports: first the lookups, then the rules for single ports and ranges in their
    /// order.
    pub fn of(published: &BTreeSet<PublishedPort>) -> PublishedRules {
        let ranges = ranges(published);
        let is_short = |range: &PublishedPort| range.ports.singles().len() < LONG;
        let (mut rules, mut sets, mut in_sets) = (Vec::new(), Vec::new(), Vec::new());
        for class in Class::ALL {
            let is_own = |it: &&PublishedPort| Class::of(it) == Some(class) && is_short(it);
            let own: Vec<&PublishedPort> = ranges.iter().filter(is_own).collect();
            if own.len() >= MANY {
                let set = class.set(&own);
                rules.push(class.rule(&set));
                sets.push(set);
                in_sets.push(class);
            }
        }
        let is_in_set = |it: &PublishedPort| {
            Class::of(it).is_some_and(|it| in_sets.contains(&it)) && is_short(it)
        };
        rules.extend(ranges.iter().filter(|it| !is_in_set(it)).map(port_rule));
        PublishedRules { rules, sets }
    }
}

/// `ip daddr ADDRESS tcp dport PORTS counter goto proxied`
fn port_rule(published: &PublishedPort) -> DesiredRule {
    let address = published.address.map(AddressSpec::masked);
    let version = address.map_or(published.family.version(), |address| Some(address.version()));
    let conditions = version.map(NftMatch::NfProto).into_iter();
    let conditions = conditions.chain(address.map(NftMatch::Destination));
    rule(conditions.chain([NftMatch::Ports(published.ports)]), goto(PROXIED))
}

/// Published ports that one set can hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// On all addresses, of one IP version or of both.
    Everywhere(Option<IpVersion>),
    /// On one address each.
    Bound(IpVersion),
}

impl Class {
    const ALL: [Class; 5] = [
        Class::Everywhere(None),
        Class::Everywhere(Some(IpVersion::V4)),
        Class::Everywhere(Some(IpVersion::V6)),
        Class::Bound(IpVersion::V4),
        Class::Bound(IpVersion::V6),
    ];

    /// The class of a port; `None` if it is published on a network.
    fn of(published: &PublishedPort) -> Option<Class> {
        let Some(network) = published.address else {
            return Some(Class::Everywhere(published.family.version()));
        };
        let version = IpVersion::of(network.ip());
        (network.prefix() == version.address_bits()).then_some(Class::Bound(version))
    }

    /// The name of its set. That of a group has another suffix, whatever the name of the group is.
    fn name(self) -> &'static str {
        match self {
            Class::Everywhere(None) => "docker-ports",
            Class::Everywhere(Some(IpVersion::V4)) => "docker-ports-ip",
            Class::Everywhere(Some(IpVersion::V6)) => "docker-ports-ip6",
            Class::Bound(IpVersion::V4) => "docker-bound-ip",
            Class::Bound(IpVersion::V6) => "docker-bound-ip6",
        }
    }

    fn set(self, ranges: &[&PublishedPort]) -> Set {
        let of_range = |it: &&PublishedPort| {
            let (address, protocol) = (it.address.map(|it| it.ip()), it.ports.protocol());
            let element = move |port: Ports| Interval::of_service(address, protocol, port.first());
            it.ports.singles().map(element)
        };
        let mut elements: Vec<Interval> = ranges.iter().flat_map(of_range).collect();
        elements.sort_unstable();
        elements.dedup();
        let capacity = capacity(elements.len());
        let kind = match self {
            Class::Everywhere(_) => SetKind::Published { capacity },
            Class::Bound(version) => SetKind::PublishedAt { version, capacity },
        };
        Set {
            path: Arc::new(SetPath { table: own_table(), set: self.name().into() }),
            kind,
            elements: elements.into(),
            origin: "the ports that Docker publishes".into(),
        }
    }

    /// `meta nfproto ipv4 meta l4proto . th dport @docker-ports-ip counter goto proxied`,
    /// `ip daddr . meta l4proto . th dport @docker-bound-ip counter goto proxied`
    fn rule(self, set: &Set) -> DesiredRule {
        let name = Arc::clone(&set.path.set);
        let (version, lookup) = match self {
            Class::Everywhere(version) => (version, NftMatch::ServiceSet(name)),
            Class::Bound(version) => {
                (Some(version), NftMatch::DestinationServiceSet(version, name))
            }
        };
        rule(version.map(NftMatch::NfProto).into_iter().chain([lookup]), goto(PROXIED))
    }
}

/// Whether it is a set of published ports.
pub(crate) fn is_published_set(name: &str) -> bool {
    Class::ALL.iter().any(|class| class.name() == name)
}

/// The capacity of a set for this number of ports. A set whose capacity changes has to be created
/// again, so there is room for a quarter more.
fn capacity(ports: usize) -> u32 {
    let capacity = (ports + ports / 4).next_power_of_two().max(CAPACITY_MIN);
    u32::try_from(capacity).unwrap_or(u32::MAX)
}
