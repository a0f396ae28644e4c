//! Which chains are Docker's, and what of the ports that it publishes the policy covers. What its rules
//! reveal is put together in `discovery`, from the forms that `form` recognises.

mod discovery;
mod form;
#[cfg(test)]
mod tests;

use super::{DOCKER, INGRESS, NAT, swarm};
use crate::policy::Policy;
use crate::ruleset::{ChainPath, Docker, Family, Name, Ports, Published};

pub(crate) use discovery::Discovery;

/// The table of iptables in which Docker filters, and its chains there. `DOCKER-USER` is not among
/// them: its rules are the operator's.
const FILTER: &str = "filter";
const BRIDGE: &str = "DOCKER-BRIDGE";
const CT: &str = "DOCKER-CT";
const DOCKER_FORWARD: &str = "DOCKER-FORWARD";
const INTERNAL: &str = "DOCKER-INTERNAL";
const ISOLATION_1: &str = "DOCKER-ISOLATION-STAGE-1";
const ISOLATION_2: &str = "DOCKER-ISOLATION-STAGE-2";
/// Up to Docker 28 this chain, which is not Docker's, has a few of its rules for each bridge.
const FORWARD: &str = "FORWARD";
const FILTER_CHAINS: [&str; 8] =
    [DOCKER, BRIDGE, CT, DOCKER_FORWARD, INTERNAL, ISOLATION_1, ISOLATION_2, FORWARD];
/// The chain in which it translates the sources of containers that have no addresses of their own
/// outside.
const POSTROUTING: &str = "POSTROUTING";

/// The table of Docker's nftables backend, in each family; its chain of published ports, and the
/// beginning of the names of the chains that filter what goes to a bridge and comes from it.
const NATIVE: &str = "docker-bridges";
const NATIVE_PORTS: &str = "nat-prerouting-and-output";
const NATIVE_IN: &str = "filter-forward-in__";
const NATIVE_OUT: &str = "filter-forward-out__";

/// Whether the rules of a chain tell something about Docker.
pub(crate) fn tells_of_docker(path: &ChainPath) -> bool {
    let chain = path.chain.as_ref();
    Family::NAT.contains(&path.table.family)
        && match path.table.table.as_ref() {
            NAT => [DOCKER, INGRESS, POSTROUTING].contains(&chain),
            FILTER => FILTER_CHAINS.contains(&chain),
            NATIVE => chain == NATIVE_PORTS || native_bridge(chain).is_some(),
            _ => false,
        }
}

/// `filter-forward-in__docker0`, `filter-forward-out__docker0`
fn native_bridge(chain: &str) -> Option<Name> {
    chain.strip_prefix(NATIVE_IN).or_else(|| chain.strip_prefix(NATIVE_OUT)).map(Name::from)
}

/// Published ports with consecutive ones made one.
pub(super) fn ranges<'a>(published: impl IntoIterator<Item = &'a Published>) -> Vec<Published> {
    let mut ranges: Vec<Published> = Vec::new();
    for published in published {
        let extended = ranges.last_mut().and_then(|last| extend(last, published));
        match (extended, ranges.last_mut()) {
            (Some(extended), Some(last)) => *last = extended,
            _ => ranges.push(published.clone()),
        }
    }
    ranges
}

fn extend(range: &Published, next: &Published) -> Option<Published> {
    let is_same = (range.address, range.family) == (next.address, next.family);
    let (ports, next) = (range.ports, next.ports);
    let touches = ports.protocol() == next.protocol()
        && u32::from(next.first()) <= u32::from(ports.last()) + 1;
    let ports = Ports::new(ports.protocol(), ports.first(), ports.last().max(next.last()))?;
    (is_same && touches).then(|| Published { ports, ..range.clone() })
}

/// The published ports that no entry of the policy mentions, so that nobody from outside the host
/// can reach them; each once, if it is published in both families. Without the guard those that
/// nothing protects are not among them: see [`unprotected`].
pub fn unmentioned(policy: &Policy, docker: &Docker) -> Vec<Published> {
    let peers = swarm::entry(&policy.guard);
    let is_mentioned = |Published { ports: published, .. }: &Published| {
        let mut ports = policy.allow.iter().chain(&peers).flat_map(|entry| &entry.ports);
        ports.any(|ports| ports.has(published.protocol(), published.first()))
    };
    let unprotected = unprotected_ports(policy, docker);
    let published = docker.published.iter().chain(&docker.routed_ports);
    let is_other = |other: &&Published, it: &Published| *other != it && other.covers(it);
    let published = published.filter(|it| {
        let mut others = docker.published.iter();
        !it.is_loopback()
            && !is_mentioned(it)
            && !unprotected.contains(it)
            && !others.any(|other| is_other(&other, it))
    });
    ranges(published)
}

/// Ports by which the nodes of a Swarm talk to each other, on which dockerd listens and which no entry of
/// the policy mentions: the guard cuts this node off from the others.
pub fn cut_off_swarm(policy: &Policy, docker: &Docker) -> Vec<Published> {
    let mut unmentioned = unmentioned(policy, docker);
    unmentioned
        .retain(|it| policy.guard.enabled && swarm::ports().any(|own| it.ports.includes(&own)));
    unmentioned
}

/// The published ports that nothing protects under this policy, because the guard is off and Docker
/// publishes them by rules that `DOCKER-BLOCK` does not stop: those of its nftables backend, and those
/// of routed networks.
pub fn unprotected(policy: &Policy, docker: &Docker) -> Vec<Published> {
    ranges(unprotected_ports(policy, docker))
}

fn unprotected_ports<'a>(policy: &Policy, docker: &'a Docker) -> Vec<&'a Published> {
    if policy.guard.enabled {
        return Vec::new();
    }
    let published = docker.native.iter().chain(&docker.routed_ports);
    published.filter(|published| !published.is_loopback()).collect()
}
