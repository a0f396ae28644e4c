//! Which of the published ports the installed rules already guard against docker-proxy.

use super::guard::{INPUT, PROXIED};
use super::own::goto;
use super::own_table;
use crate::docker::PortIndex;
use crate::model::{
    ChainPath, Docker, Family, InstalledChain, InstalledTable, Interval, IpVersion, NftMatch,
    Ports, PublishedPort, Rule, SetKind, Snapshot, from_u128,
};

/// The chain `input` of the installed guard; `None` if there is none.
pub(super) fn installed_input(snapshot: &Snapshot) -> Option<&InstalledChain> {
    snapshot.chain(&ChainPath { table: own_table(), chain: INPUT.into() })
}

/// The published ports that the installed guard does not know yet; none if there is no guard. A flow
/// to one of them has passed docker-proxy without being judged.
pub(crate) fn unknown_ports(snapshot: &Snapshot) -> Vec<PublishedPort> {
    if installed_input(snapshot).is_none() {
        return Vec::new();
    }
    let known = PortIndex::merged(&known_ports(snapshot));
    let Docker { published, .. } = &snapshot.docker;
    published.iter().filter(|port| !known.covers(port)).cloned().collect()
}

/// The ports that the installed chain `input` guards.
pub(super) fn known_ports(snapshot: &Snapshot) -> Vec<PublishedPort> {
    let Some(table) = snapshot.tables.get(&own_table()) else { return Vec::new() };
    let rules = table.chains.get(INPUT).into_iter().flat_map(|chain| &chain.rules);
    let rules = rules.filter_map(|rule| rule.content.known());
    let of_rule = |rule| known_port(rule).into_iter().chain(ports_of_set(rule, table));
    rules.flat_map(of_rule).collect()
}

/// `ip daddr ADDRESS tcp dport PORTS counter goto proxied`
pub(super) fn known_port(rule: &Rule) -> Option<PublishedPort> {
    let (address, family, ports) = match leads_to_proxied(rule)? {
        [NftMatch::Ports(ports)] => (None, Family::Inet, ports),
        [NftMatch::NfProto(version), NftMatch::Ports(ports)] => {
            (None, Family::from(*version), ports)
        }
        [NftMatch::NfProto(_), NftMatch::Destination(address), NftMatch::Ports(ports)] => {
            (Some(address.as_network()?), address.version().into(), ports)
        }
        _ => return None,
    };
    Some(PublishedPort { address, family, ports: *ports })
}

/// Whether it is a rule that looks published ports up: `meta l4proto . th dport @SET counter goto
/// proxied`, also with an IP version or a destination.
pub(super) fn looks_up_ports(rule: &Rule) -> bool {
    lookup(rule).is_some()
}

/// The family and the set of such a rule.
fn lookup(rule: &Rule) -> Option<(Family, &str)> {
    match leads_to_proxied(rule)? {
        [NftMatch::ServiceSet(set)] => Some((Family::Inet, set)),
        [NftMatch::NfProto(version), NftMatch::ServiceSet(set)] => Some(((*version).into(), set)),
        [NftMatch::NfProto(_), NftMatch::DestinationServiceSet(version, set)] => {
            Some(((*version).into(), set))
        }
        _ => None,
    }
}

fn leads_to_proxied(rule: &Rule) -> Option<&[NftMatch]> {
    let rule = rule.as_nft().filter(|rule| rule.statement == goto(PROXIED))?;
    Some(&rule.matches)
}

/// The ports that a rule looks up.
fn ports_of_set<'t>(
    rule: &Rule,
    table: &'t InstalledTable,
) -> impl Iterator<Item = PublishedPort> + use<'t> {
    let set = lookup(rule).and_then(|(family, set)| Some((family, table.sets.get(set)?)));
    set.into_iter().flat_map(|(family, set)| {
        let version = match set.kind {
            Some(SetKind::PublishedAt { version, .. }) => Some(version),
            _ => None,
        };
        let is_published = set.kind.is_some_and(SetKind::is_published);
        let elements = set.elements.iter().filter(move |_| is_published);
        elements.filter_map(move |element| published_port(*element, family, version))
    })
}

fn published_port(
    element: Interval,
    family: Family,
    version: Option<IpVersion>,
) -> Option<PublishedPort> {
    let (address, protocol, port) = element.service()?;
    let address = version.map(|version| from_u128(address, version).into());
    Some(PublishedPort { address, family, ports: Ports::single(protocol, port).ok()? })
}
