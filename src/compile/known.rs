//! Which of the published ports the rules in the kernel already guarded against docker-proxy.

use super::guard::{INPUT, PROXIED, goto};
use super::own_table;
use crate::model::{
    ChainPath, Docker, Family, InstalledChain, Match, NftMatch, PublishedPort, Rule, Snapshot,
    Verdict,
};

/// The chain `input` of the guard that is installed; `None` if there is no guard in the kernel.
pub(super) fn installed_input(snapshot: &Snapshot) -> Option<&InstalledChain> {
    snapshot.chain(&ChainPath { table: own_table(), chain: INPUT.into() })
}

/// The published ports that the guard in the kernel does not know yet; none where there is no guard
/// in the kernel. A flow to one of them has passed docker-proxy unseen.
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
fn known_port(rule: &Rule) -> Option<PublishedPort> {
    if rule.verdict != Verdict::Native(goto(PROXIED)) {
        return None;
    }
    let (address, family, ports) = match &*rule.matches {
        [Match::Native(NftMatch::Ports(ports))] => (None, Family::Inet, ports),
        [Match::Native(NftMatch::Family(family)), Match::Native(NftMatch::Ports(ports))] => {
            (None, *family, ports)
        }
        [Match::Native(NftMatch::Destination(address)), Match::Native(NftMatch::Ports(ports))] => {
            (Some(address.as_network()?), address.family(), ports)
        }
        _ => return None,
    };
    Some(PublishedPort { address, family, ports: *ports })
}
