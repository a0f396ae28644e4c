//! Follows packets to published ports through a filter of another program.

use super::Mismatch;
use super::facts::PacketFilter;
use super::port_ranges::PortRanges;
use crate::model::{
    Action, AddressMatch, AddressSpec, ChainPath, Docker, Family, Interface, Interval, IpVersion,
    Name, PublishedPort, RuleFacts,
};
use crate::policy::{Entry, EntryLabel, Group, Policy};

/// What a chain drops.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropCause {
    /// Every packet that reaches its end (`policy drop`).
    Policy,
    /// What a rule matches.
    Rule {
        /// The interface by which the packets come in; `None`: any.
        in_interface: Option<Interface>,
        /// The sources; `None`: any.
        source: Option<AddressMatch>,
    },
}

/// What the filter drops although entries allow it, each rule once.
pub(super) fn dropped(filter: &PacketFilter, policy: &Policy, docker: &Docker) -> Vec<Mismatch> {
    let versions: Vec<IpVersion> = match filter.path.table.family.version() {
        Some(version) => vec![version],
        None => IpVersion::ALL.to_vec(),
    };
    let forwarded: Vec<(IpVersion, PortRanges)> =
        versions.into_iter().map(|version| (version, forwarded(version, docker))).collect();
    let mut found: Vec<(ChainPath, DropCause, Vec<EntryLabel>)> = Vec::new();
    for entry in policy.allow() {
        let is_forwarded =
            |forwarded: &PortRanges| entry.ports().iter().any(|it| forwarded.overlap(it));
        let mut versions = forwarded.iter().filter(|(_, ports)| is_forwarded(ports));
        let cause = versions.find_map(|(version, _)| follow(filter, entry, *version, docker));
        let Some((chain, cause)) = cause else { continue };
        match found.iter_mut().find(|(path, known, _)| *path == chain && *known == cause) {
            Some((_, _, entries)) => entries.push(entry.label()),
            None => found.push((chain, cause, vec![entry.label()])),
        }
    }
    let mismatch = |(chain, cause, entries)| Mismatch::Dropped { chain, cause, entries };
    found.into_iter().map(mismatch).collect()
}

/// The ports of which rules of Docker translate what comes over this IP version, so that it is forwarded
/// to a container.
fn forwarded(version: IpVersion, docker: &Docker) -> PortRanges {
    let is_of_version = |published: &PublishedPort| match version {
        IpVersion::V4 => published.family != Family::Ip6,
        // docker-proxy receives what is for a port of both versions.
        IpVersion::V6 => published.family == Family::Ip6,
    };
    let published = docker.container_ports.keys().filter(|it| is_of_version(it));
    PortRanges::of(published.filter(|it| !it.is_loopback()).map(|it| it.ports))
}

/// The first rule that certainly drops what the entry allows: all of it, or all but some sources.
fn follow(
    filter: &PacketFilter,
    entry: &Entry,
    version: IpVersion,
    docker: &Docker,
) -> Option<(ChainPath, DropCause)> {
    let mut sources = sources(entry, version);
    let is_whole = sources.clone();
    for (chain, rule) in &filter.rules {
        if sources.is_empty() {
            return None;
        }
        if rule.is_ongoing || rule.action.is_none() {
            continue;
        }
        let (matched, others) = split(&sources, rule.source.as_ref());
        match rule.action {
            Some(Action::Drop | Action::Reject) => {
                let is_general = rule.source.is_none_or(|source| source.negated);
                let is_relevant = !matched.is_empty() && (is_general || matched == is_whole);
                if is_relevant && is_certain(rule, entry, docker) {
                    let cause = DropCause::Rule {
                        in_interface: rule.in_interface.clone(),
                        source: rule.source,
                    };
                    return Some((chain.clone(), cause));
                }
            }
            // It may let through less than its sources; what it lets through is not followed further.
            _ => sources = others,
        }
    }
    let ends = filter.is_complete && filter.drops && !sources.is_empty();
    ends.then(|| (filter.path.clone(), DropCause::Policy))
}

/// Whether the rule matches what comes from clients to all ports of the entry.
fn is_certain(rule: &RuleFacts, entry: &Entry, docker: &Docker) -> bool {
    let has_other_conditions = rule.has_unknown
        || rule.destination.is_some()
        || rule.out_interface.is_some()
        || rule.protocol.is_some()
        || rule.ports.is_some();
    let is_interface = match (&rule.in_interface, entry.in_interface()) {
        (None, _) => true,
        (Some(interface), None) => interface.is_negated() || is_uplink(interface, docker),
        (Some(interface), Some(allowed)) => interface == allowed,
    };
    !has_other_conditions && is_interface
}

/// Whether clients come in by the interface, as far as its name says.
fn is_uplink(interface: &Interface, docker: &Docker) -> bool {
    let name: &Name = interface.name();
    let is_bridge = |bridge: &Name| match interface.is_wildcard() {
        true => bridge.starts_with(&**name),
        false => bridge == name,
    };
    !docker.bridges.iter().any(is_bridge) && !["lo", "veth"].iter().any(|it| name.starts_with(it))
}

/// The sources of the entry as sorted intervals.
fn sources(entry: &Entry, version: IpVersion) -> Vec<Interval> {
    let Some(groups) = entry.sources() else {
        let bits = version.address_bits();
        return vec![Interval { first: 0, last: u128::MAX >> (128 - bits) }];
    };
    let sources = groups.iter().flat_map(Group::sources).map(|source| source.addresses());
    let of_version = sources.filter(|addresses| addresses.version() == version);
    let mut intervals: Vec<Interval> =
        of_version.map(|addresses| Interval::of(&addresses)).collect();
    intervals.sort_unstable();
    intervals
}

/// The sources that the condition matches, and the others.
fn split(sources: &[Interval], condition: Option<&AddressMatch>) -> (Vec<Interval>, Vec<Interval>) {
    let Some(condition) = condition else { return (sources.to_vec(), Vec::new()) };
    let network = Interval::of(&AddressSpec::masked(condition.network));
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for source in sources {
        let (first, last) = (source.first.max(network.first), source.last.min(network.last));
        if first > last {
            outside.push(*source);
            continue;
        }
        inside.push(Interval { first, last });
        if source.first < first {
            outside.push(Interval { first: source.first, last: first - 1 });
        }
        if last < source.last {
            outside.push(Interval { first: last + 1, last: source.last });
        }
    }
    if condition.negated { (outside, inside) } else { (inside, outside) }
}
