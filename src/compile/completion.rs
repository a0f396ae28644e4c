//! The part of the guard that depends on what Docker has set up: which bridges are its own, which of
//! them are routed, which ports it publishes, and whether Swarm has a chain.

use std::collections::BTreeSet;

use super::guard::{
    BRIDGED, FORWARD, INPUT, INSIDE, NAMED_BRIDGES, PROXIED, TRANSLATED, by, goto, rule, to_bridge,
};
use super::second_jump::without_second_jump;
use super::{GUARD, INGRESS, docker, own_table, without_origin};
use crate::ruleset::{
    Addresses, Chain, ChainPath, Condition, Direction, Docker, Extent, Family, ForeignTranslations,
    InstalledChain, Name, Published, Rule, Ruleset, Snapshot, Statement, Verdict, WantedRule,
};

/// The chains that depend on what the snapshot holds, as they should be beside that: those of the
/// guard on what Docker has set up, and the jumps on the translations of other programs.
pub(crate) fn complete(
    wanted: &Ruleset,
    snapshot: &Snapshot,
    translations: &[ForeignTranslations],
) -> Vec<Chain> {
    let heads = wanted.chains.iter().filter(|chain| chain.extent == Extent::Head);
    let heads = heads.filter_map(|head| without_second_jump(head, translations));
    let guard = wanted.chains.iter().filter(|chain| is_guard(&chain.path));
    guard.filter_map(|chain| completed(chain, snapshot)).chain(heads).collect()
}

fn is_guard(path: &ChainPath) -> bool {
    path.table == own_table() || path.chain.as_ref() == GUARD
}

fn completed(chain: &Chain, snapshot: &Snapshot) -> Option<Chain> {
    let docker = &snapshot.docker;
    let family = chain.path.table.family;
    let (place, rules) = match chain.path.chain.as_ref() {
        // Behind the rule that sets the mark: Docker itself asks Swarm's chain first.
        GUARD if docker.ingress.contains(&family) => {
            (1, vec![without_origin(Rule::new(Verdict::Jump(INGRESS.into())))])
        }
        INSIDE => (chain.rules.len(), accepted_bridges(docker)),
        BRIDGED => (1, routed_bridges(docker)),
        FORWARD => (chain.rules.len(), guarded_bridges(docker)),
        INPUT if docker.has_rules => (chain.rules.len(), proxied_ports(docker)),
        INPUT => (chain.rules.len(), known_ports(snapshot.chain(&chain.path)?)),
        _ => return None,
    };
    let mut chain = chain.clone();
    chain.rules.splice(place..place, rules);
    Some(chain)
}

/// `iifname "BRIDGE" counter accept`
fn accepted_bridges(docker: &Docker) -> Vec<WantedRule> {
    other_bridges(&docker.inside)
        .map(|name| rule([by(Direction::In, name)], Statement::Accept))
        .collect()
}

/// `oifname "BRIDGE" counter goto bridged`
fn guarded_bridges(docker: &Docker) -> Vec<WantedRule> {
    other_bridges(&docker.bridges).map(to_bridge).collect()
}

/// The bridges that neither have their usual name nor one that Docker makes up.
fn other_bridges(bridges: &BTreeSet<Name>) -> impl Iterator<Item = Name> {
    let is_other = |name: &&Name| !NAMED_BRIDGES.contains(&name.as_ref()) && !is_docker_name(name);
    bridges.iter().filter(is_other).cloned()
}

/// `br-` and twelve hexadecimal digits, of the network's id.
pub(super) fn is_docker_name(name: &str) -> bool {
    let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    name.strip_prefix("br-").is_some_and(|id| id.len() == 12 && id.chars().all(is_digit))
}

/// `meta nfproto ipv4 oifname "BRIDGE" counter goto translated`: in a routed network the
/// container's own address and port are the published ones.
fn routed_bridges(docker: &Docker) -> Vec<WantedRule> {
    let routed = docker.routed.iter().map(|(family, name)| {
        rule([Condition::Family(*family), by(Direction::Out, name.clone())], goto(TRANSLATED))
    });
    routed.collect()
}

/// `ip daddr ADDRESS tcp dport PORTS counter goto proxied`
fn proxied_ports(docker: &Docker) -> Vec<WantedRule> {
    let port = |published: Published| {
        let Published { address, family, ports } = published;
        let destination = match address {
            Some(address) => Some(Condition::Destination(Addresses::Network(address))),
            None => (family != Family::Inet).then_some(Condition::Family(family)),
        };
        rule(destination.into_iter().chain([Condition::Ports(ports)]), goto(PROXIED))
    };
    docker::ranges(&docker.published).into_iter().map(port).collect()
}

/// Where Docker's rules were taken away, docker-proxy still listens: what they told at the last
/// apply is held to.
fn known_ports(installed: &InstalledChain) -> Vec<WantedRule> {
    let rules = installed.rules.iter().filter_map(|rule| rule.content.known());
    let goto = Verdict::Native(goto(PROXIED));
    rules.filter(|rule| rule.verdict == goto).cloned().map(without_origin).collect()
}
