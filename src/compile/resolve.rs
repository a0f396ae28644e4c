//! The part of a ruleset that depends on what the snapshot holds: the guard on what Docker has set up and
//! which sockets are its own, the jumps on the translations of other programs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::guard::{
    BRIDGED, FORWARD, INPUT, INSIDE, PROXIED, TRANSLATED, by, from_bridge, goto, rule, to_bridge,
};
use super::known::{installed_input, known_ports};
use super::second_jump::leave_out_second_jump;
use super::{GUARD, base_rule, own_table, sockets};
use crate::docker::{INGRESS, NAMED_BRIDGES, is_generated_bridge_name, ranges};
use crate::model::{
    AddressSpec, Chain, ChainPath, DesiredRule, Direction, Docker, Family, ForeignTranslations,
    GuardScope, HostState, Link, Name, NftMatch, Ownership, PublishedPort, Rule, Ruleset, Snapshot,
    Verdict,
};

/// The ruleset as it should be beside what the snapshot holds.
pub(crate) fn resolve(
    desired: &Ruleset,
    snapshot: &Snapshot,
    translations: &[ForeignTranslations],
) -> Ruleset {
    let mut completed = desired.clone();
    for chain in &mut completed.chains {
        match &desired.guard {
            _ if chain.ownership == Ownership::Leading => {
                leave_out_second_jump(chain, translations)
            }
            Some(scope) if is_guard(&chain.path) => resolve_chain(chain, snapshot, scope),
            _ => {}
        }
    }
    if desired.guard.is_some() && snapshot.host.matches_sockets {
        sockets::add_socket_match(&mut completed);
    }
    completed
}

fn is_guard(path: &ChainPath) -> bool {
    path.table == own_table() || path.chain.as_ref() == GUARD
}

fn resolve_chain(chain: &mut Chain, snapshot: &Snapshot, scope: &GuardScope) {
    let Snapshot { docker, host, .. } = snapshot;
    if chain.path.chain.as_ref() == INSIDE {
        refuse_shared_bridges(chain, docker, host);
    }
    let family = chain.path.table.family;
    let end = chain.rules.len();
    let (place, rules) = match chain.path.chain.as_ref() {
        // Behind the rule that sets the mark: Docker itself asks Swarm's chain first.
        GUARD if docker.ingress.contains(&family) => {
            (1, vec![base_rule(Rule::new(Verdict::Jump(INGRESS.into())))])
        }
        INSIDE => (end, accepted_bridges(docker)),
        BRIDGED => (1, routed_bridges(docker)),
        FORWARD => (end, guarded_bridges(docker)),
        INPUT => (end, guarded_ports(snapshot, scope)),
        _ => return,
    };
    if !rules.is_empty() {
        Arc::make_mut(&mut chain.rules).splice(place..place, rules);
    }
}

/// The ports of which it is known that Docker publishes them, and the sockets by which the kernel
/// knows others.
fn guarded_ports(snapshot: &Snapshot, scope: &GuardScope) -> Vec<DesiredRule> {
    let ports = [proxied_ports(&snapshot.docker), retained_ports(snapshot)].concat();
    [ports, sockets::rules(scope, &snapshot.host)].concat()
}

/// The bridges of containers besides those that Docker may create at any time.
fn accepted_bridges(docker: &Docker) -> Vec<DesiredRule> {
    let others = docker.inside.iter().filter(|name| !NAMED_BRIDGES.contains(&name.as_ref()));
    others.cloned().map(from_bridge).collect()
}

/// Takes out those of the latter to which something else is attached as well.
fn refuse_shared_bridges(inside: &mut Chain, docker: &Docker, host: &HostState) {
    let is_shared = |name: &&str| {
        let link = host.links.get(*name);
        docker.shared_bridges.contains_key(*name) || link.is_some_and(|it| !is_of_containers(it))
    };
    let shared: Vec<DesiredRule> =
        NAMED_BRIDGES.into_iter().filter(is_shared).map(|name| from_bridge(name.into())).collect();
    if !shared.is_empty() {
        let is_kept = |it: &DesiredRule| shared.iter().all(|shared| shared.rule != it.rule);
        Arc::make_mut(&mut inside.rules).retain(is_kept);
    }
}

/// Whether nothing but containers is attached to it.
fn is_of_containers(link: &Link) -> bool {
    let is = |kind: &Option<Name>, name| kind.as_deref() == Some(name);
    is(&link.kind, "bridge") && link.ports.iter().all(|(_, kind)| is(kind, "veth"))
}

/// `oifname "BRIDGE" counter goto bridged`
fn guarded_bridges(docker: &Docker) -> Vec<DesiredRule> {
    other_bridges(&docker.bridges).map(to_bridge).collect()
}

/// The bridges that neither have their usual name nor one that Docker makes up.
fn other_bridges(bridges: &BTreeSet<Name>) -> impl Iterator<Item = Name> {
    let is_other =
        |name: &&Name| !NAMED_BRIDGES.contains(&name.as_ref()) && !is_generated_bridge_name(name);
    bridges.iter().filter(is_other).cloned()
}

/// `meta nfproto ipv4 oifname "BRIDGE" counter goto translated`: in a routed network the
/// container's own address and port are the published ones.
fn routed_bridges(docker: &Docker) -> Vec<DesiredRule> {
    let routed = docker.routed.iter().map(|(family, name)| {
        rule([NftMatch::Family(*family), by(Direction::Out, name.clone())], goto(TRANSLATED))
    });
    routed.collect()
}

/// `ip daddr ADDRESS tcp dport PORTS counter goto proxied`
fn proxied_ports(docker: &Docker) -> Vec<DesiredRule> {
    let port = |published: PublishedPort| {
        let PublishedPort { address, family, ports } = published;
        let destination = match address {
            Some(address) => Some(NftMatch::Destination(AddressSpec::masked(address))),
            None => (family != Family::Inet).then_some(NftMatch::Family(family)),
        };
        rule(destination.into_iter().chain([NftMatch::Ports(ports)]), goto(PROXIED))
    };
    ranges(&docker.published).into_iter().map(port).collect()
}

/// Ports that were known at the last apply, that Docker does not name now, and that docker-proxy may
/// still listen on.
fn retained_ports(snapshot: &Snapshot) -> Vec<DesiredRule> {
    let retained = unnamed_ports(snapshot).filter(|(port, _)| may_be_open(port, snapshot));
    retained.map(|(_, rule)| base_rule(rule.clone())).collect()
}

/// Whether a port that was known at the last apply would not be known any more.
pub(crate) fn forgets_ports(snapshot: &Snapshot) -> bool {
    unnamed_ports(snapshot).any(|(port, _)| !may_be_open(&port, snapshot))
}

/// The ports that were known at the last apply and that Docker does not name now, with the rule for
/// each.
fn unnamed_ports(snapshot: &Snapshot) -> impl Iterator<Item = (PublishedPort, &Rule)> {
    let ranges = ranges(&snapshot.docker.published);
    let is_named = move |port: &PublishedPort| ranges.iter().any(|named| named.covers(port));
    let known = installed_input(snapshot).into_iter().flat_map(known_ports);
    known.filter(move |(port, _)| !is_named(port))
}

/// Whether docker-proxy may listen there: as long as a socket does that may be its own, or if not even
/// that is known, until Docker writes rules again.
fn may_be_open(port: &PublishedPort, Snapshot { docker, host, .. }: &Snapshot) -> bool {
    match &host.listeners {
        Some(listeners) => {
            let mut listeners = listeners.iter().filter(|it| port.ports.has(it.protocol, it.port));
            listeners.any(|listener| sockets::may_be_docker(listener, host))
        }
        None => !docker.has_rules,
    }
}
