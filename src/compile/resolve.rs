//! The part of a ruleset that depends on the snapshot: the guard depends on Docker's networks, ports
//! and sockets, and the RETURN rule on the translations of other programs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::guard::{BRIDGED, FORWARD, INPUT, INSIDE, TRANSLATED, by, from_bridge, to_bridge};
use super::own::{goto, rule};
use super::published::PublishedRules;
use super::retained::retained_ports;
use super::return_rule::{foreign_translations, leave_out_return_rule};
use super::{GUARD, base_rule, own_table, sockets};
use crate::docker::{INGRESS, NAMED_BRIDGES, is_generated_bridge_name};
use crate::model::{
    Chain, ChainPath, DesiredRule, Direction, Docker, HostState, IptablesRule, Link, Name,
    NftMatch, Ownership, PublishedPort, Ruleset, Snapshot, Verdict,
};

/// Why a ruleset must not be installed on this host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// A service of the host is in a cgroup whose sockets the guard would filter.
    #[error(
        "the guard would filter {port} of {cgroup}, which is not part of Docker; move the service, \
         add the first component of its cgroup path to `host-cgroups`, or correct `docker-cgroup` or \
         `host-network`"
    )]
    ServiceJudged {
        /// The path of the cgroup of the service.
        cgroup: String,
        /// The port on which it listens.
        port: String,
    },
}

/// Completes what [`compile()`](super::compile()) returned with what depends on the kernel and the
/// host: the result is what is to be installed, and what [`Plan::diff`](crate::Plan::diff) takes. A
/// ruleset is resolved once.
///
/// # Errors
/// [`ResolveError::ServiceJudged`] if the guard would judge a service that is not Docker's.
pub fn resolve(desired: &Ruleset, snapshot: &Snapshot) -> Result<Ruleset, ResolveError> {
    check_services(desired, snapshot)?;
    let foreign_translations = foreign_translations(desired, snapshot);
    let mut resolved = Ruleset { foreign_translations, ..desired.clone() };
    for chain in &mut resolved.chains {
        match &desired.guard {
            _ if chain.ownership == Ownership::Leading => {
                leave_out_return_rule(chain, &resolved.foreign_translations);
            }
            Some(_) if is_input(&chain.path) => {
                let PublishedRules { rules, sets } = PublishedRules::of(&guarded_ports(snapshot));
                Arc::make_mut(&mut chain.rules).extend(rules);
                // Before the sets that depend on the policy.
                resolved.sets.splice(0..0, sets);
            }
            Some(_) if is_guard(&chain.path) => resolve_chain(chain, snapshot),
            _ => {}
        }
    }
    if let Some(scope) = desired.guard.as_ref().filter(|_| snapshot.host.matches_sockets) {
        sockets::add_socket_match(&mut resolved, scope, &snapshot.host);
    }
    Ok(resolved)
}

/// The guard must not judge services that are not Docker's.
fn check_services(desired: &Ruleset, snapshot: &Snapshot) -> Result<(), ResolveError> {
    let scope = desired.guard.as_ref();
    match scope.and_then(|scope| sockets::judged_service(scope, snapshot)) {
        Some((cgroup, port)) => {
            Err(ResolveError::ServiceJudged { cgroup: cgroup.path.clone(), port: port.to_string() })
        }
        None => Ok(()),
    }
}

fn is_guard(path: &ChainPath) -> bool {
    path.table == own_table() || path.chain.as_ref() == GUARD
}

fn is_input(path: &ChainPath) -> bool {
    path.table == own_table() && path.chain.as_ref() == INPUT
}

fn resolve_chain(chain: &mut Chain, snapshot: &Snapshot) {
    let Snapshot { docker, host, .. } = snapshot;
    if chain.path.chain.as_ref() == INSIDE {
        refuse_shared_bridges(chain, docker, host);
    }
    let version = chain.path.table.family.version();
    let end = chain.rules.len();
    let (place, rules) = match chain.path.chain.as_ref() {
        // Behind the rule that sets the mark. Docker, too, jumps to Swarm's chain first:
        // -j DOCKER-INGRESS
        GUARD if version.is_some_and(|version| docker.ingress.contains(&version)) => {
            (1, vec![base_rule(IptablesRule::new(Verdict::Jump(INGRESS.into())))])
        }
        INSIDE => (end, accepted_bridges(docker)),
        BRIDGED => (1, routed_bridges(docker)),
        FORWARD => (end, guarded_bridges(docker)),
        _ => return,
    };
    if !rules.is_empty() {
        Arc::make_mut(&mut chain.rules).splice(place..place, rules);
    }
}

/// Rules for the bridges of containers, except those that Docker may create at any time.
fn accepted_bridges(docker: &Docker) -> Vec<DesiredRule> {
    let others = docker.inside.iter().filter(|name| !NAMED_BRIDGES.contains(&name.as_ref()));
    others.cloned().map(from_bridge).collect()
}

/// Removes the rules for those of them to which other interfaces are attached too.
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

/// Whether it is a bridge to which only containers are attached.
fn is_of_containers(link: &Link) -> bool {
    let is = |kind: &Option<Name>, name| kind.as_deref() == Some(name);
    is(&link.kind, "bridge") && link.ports.iter().all(|(_, kind)| is(kind, "veth"))
}

/// `oifname "BRIDGE" counter goto bridged`
fn guarded_bridges(docker: &Docker) -> Vec<DesiredRule> {
    other_bridges(&docker.bridges).map(to_bridge).collect()
}

/// The bridges that have neither a fixed name nor one that Docker generated.
fn other_bridges(bridges: &BTreeSet<Name>) -> impl Iterator<Item = Name> {
    let is_other =
        |name: &&Name| !NAMED_BRIDGES.contains(&name.as_ref()) && !is_generated_bridge_name(name);
    bridges.iter().filter(is_other).cloned()
}

/// `meta nfproto ipv4 oifname "BRIDGE" counter goto translated`: in a routed network the
/// container's own address and port are the published ones.
fn routed_bridges(docker: &Docker) -> Vec<DesiredRule> {
    let routed = docker.routed.iter().map(|(version, name)| {
        rule([NftMatch::NfProto(*version), by(Direction::Out, name.clone())], goto(TRANSLATED))
    });
    routed.collect()
}

/// The ports that Docker publishes, and those that were known at the last apply and may still be open.
fn guarded_ports(snapshot: &Snapshot) -> BTreeSet<PublishedPort> {
    snapshot.docker.published.iter().cloned().chain(retained_ports(snapshot)).collect()
}
