//! Which of the published ports the installed rules already guard against docker-proxy.

use super::guard::{INPUT, PROXIED};
use super::own::goto;
use super::own_table;
use crate::model::{
    ChainPath, Docker, Family, InstalledChain, NftMatch, PublishedPort, Rule, Snapshot,
};

/// The chain `input` of the installed guard; `None` if there is none.
pub(super) fn installed_input(snapshot: &Snapshot) -> Option<&InstalledChain> {
    snapshot.chain(&ChainPath { table: own_table(), chain: INPUT.into() })
}

/// The published ports that the installed guard does not know yet; none if there is no guard. A flow
/// to one of them has passed docker-proxy without being judged.
pub(crate) fn unknown_ports(snapshot: &Snapshot) -> Vec<PublishedPort> {
    let Some(installed) = installed_input(snapshot) else { return Vec::new() };
    let known: Vec<PublishedPort> = known_ports(installed).map(|(port, _)| port).collect();
    let Docker { published, .. } = &snapshot.docker;
    let is_known = |port: &PublishedPort| known.iter().any(|known| known.covers(port));
    published.iter().filter(|port| !is_known(port)).cloned().collect()
}

/// The ports that the chain guards, with the rule for each.
pub(super) fn known_ports(
    installed: &InstalledChain,
) -> impl Iterator<Item = (PublishedPort, &Rule)> {
    let rules = installed.rules.iter().filter_map(|rule| rule.content.known());
    rules.filter_map(|rule| Some((known_port(rule)?, rule)))
}

/// `ip daddr ADDRESS tcp dport PORTS counter goto proxied`
pub(super) fn known_port(rule: &Rule) -> Option<PublishedPort> {
    let rule = rule.as_nft().filter(|rule| rule.statement == goto(PROXIED))?;
    let (address, family, ports) = match &*rule.matches {
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
