//! The rules of the chain `allow`, which look up the sets of large groups and mark the flows that
//! `DOCKER-BLOCK` lets through. The guard does without them.

use std::sync::Arc;

use super::expand::{comment, condition, destinations, origin};
use super::sets::{Lookup, SetGroups};
use crate::model::{
    AddressSpec, DesiredRule, Direction, IpVersion, NftMatch, NftRule, NftStatement, Ports,
};
use crate::policy::{Entry, Group};

/// The rules that look up the large groups of an entry.
pub(super) fn rules(entry: &Entry, large: &SetGroups, mark: u32) -> Vec<DesiredRule> {
    let mut rules = Vec::new();
    for group in entry.sources().into_iter().flatten() {
        for version in IpVersion::ALL {
            let lookups = large.lookups(version, group).unwrap_or_default();
            push_rules(version, entry, group, lookups, mark, &mut rules);
        }
    }
    rules
}

fn push_rules(
    version: IpVersion,
    entry: &Entry,
    group: &Group,
    lookups: &[Lookup],
    mark: u32,
    rules: &mut Vec<DesiredRule>,
) {
    let origin = Arc::new(origin(entry, Some(group), None));
    for ports in entry.ports() {
        for destination in destinations(version, entry) {
            for lookup in lookups {
                let rule = rule(version, entry, *ports, destination, lookup, mark);
                let origin = Some(Arc::clone(&origin));
                rules.push(DesiredRule { rule: rule.into(), origin });
            }
        }
    }
}

/// `ip saddr & 0.0.0.7 == 0.0.0.3 iifname INTERFACE ip daddr DESTINATION tcp dport PORTS
/// ip saddr @SET fib daddr type local counter ct mark set ct mark | MARK comment NAME`, where a
/// range of destinations follows the ports. Of many rules that differ in the shard alone, most end at once.
fn rule(
    version: IpVersion,
    entry: &Entry,
    ports: Ports,
    destination: Option<&AddressSpec>,
    lookup: &Lookup,
    mark: u32,
) -> NftRule {
    let interface = entry.in_interface().cloned().map(|it| NftMatch::Interface(Direction::In, it));
    let destination = condition(destination);
    let (network, range) = match destination.is_some_and(|it| it.as_network().is_some()) {
        true => (destination, None),
        false => (None, destination),
    };
    let mut matches: Vec<NftMatch> = match lookup.shard {
        Some(shard) => vec![NftMatch::NfProto(version), NftMatch::SourceShard(version, shard)],
        None => Vec::new(),
    };
    matches.extend(interface);
    if lookup.shard.is_none() {
        matches.push(NftMatch::NfProto(version));
    }
    matches.extend(network.map(NftMatch::Destination));
    matches.push(NftMatch::Ports(ports));
    matches.extend(range.map(NftMatch::Destination));
    matches.push(NftMatch::SourceSet(version, Arc::clone(&lookup.set)));
    matches.push(NftMatch::DstTypeLocal);
    let rule = NftRule::new(matches, NftStatement::SetCtMark(mark));
    NftRule { comment: comment(entry), ..rule }
}
