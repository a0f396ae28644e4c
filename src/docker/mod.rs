//! All that dwnl knows of Docker: the names of its tables, chains, bridges and cgroups, the ports of a
//! Swarm, and what its rules reveal of its bridges, networks and published ports (`discovery`, from the
//! forms of rules that `form` recognises).

mod cgroups;
mod discovery;
mod form;
mod port_index;
#[cfg(test)]
mod tests;

use crate::model::{ChainPath, Family, Name, Ports, Protocol, PublishedPort};

pub use cgroups::is_container;
pub(crate) use cgroups::{CGROUPFS_PARENT, DAEMONS};
pub(crate) use discovery::Discovery;
pub(crate) use port_index::PortIndex;

/// Docker's nat table, and its chains there: for published ports, and for Swarm's ingress network.
pub(crate) const NAT: &str = "nat";
pub(crate) const DOCKER: &str = "DOCKER";
pub(crate) const INGRESS: &str = "DOCKER-INGRESS";

/// Docker's filter table, and its chains there. `DOCKER-USER` is not among them: its rules belong to the
/// operator.
const FILTER: &str = "filter";
const BRIDGE: &str = "DOCKER-BRIDGE";
const CT: &str = "DOCKER-CT";
const DOCKER_FORWARD: &str = "DOCKER-FORWARD";
const INTERNAL: &str = "DOCKER-INTERNAL";
const ISOLATION_1: &str = "DOCKER-ISOLATION-STAGE-1";
const ISOLATION_2: &str = "DOCKER-ISOLATION-STAGE-2";
/// Up to Docker 28 this chain, which Docker does not own, has a few of its rules for each bridge.
const FORWARD: &str = "FORWARD";
const FILTER_CHAINS: [&str; 8] =
    [DOCKER, BRIDGE, CT, DOCKER_FORWARD, INTERNAL, ISOLATION_1, ISOLATION_2, FORWARD];
/// The chain in which Docker masquerades packets of containers.
const POSTROUTING: &str = "POSTROUTING";

/// The table of Docker's nftables backend, in each family; its chain of published ports, and the name
/// prefixes of the chains that filter packets to a bridge and from it.
const NATIVE: &str = "docker-bridges";
const NATIVE_PORTS: &str = "nat-prerouting-and-output";
const NATIVE_IN: &str = "filter-forward-in__";
const NATIVE_OUT: &str = "filter-forward-out__";

/// The bridges with fixed names that Docker may create at any time. For other networks it generates a
/// name, unless the operator chooses one.
pub(crate) const NAMED_BRIDGES: [&str; 2] = ["docker0", "docker_gwbridge"];

/// What dockerd listens on as a node of a Swarm: cluster management, the gossip of the nodes, and the
/// VXLAN of overlay networks.
const SWARM_PORTS: [(Protocol, u16); 4] =
    [(Protocol::Tcp, 2377), (Protocol::Tcp, 7946), (Protocol::Udp, 7946), (Protocol::Udp, 4789)];

/// The ports of a node of a Swarm, one by one.
pub(crate) fn swarm_ports() -> impl Iterator<Item = Ports> {
    SWARM_PORTS.into_iter().filter_map(|(protocol, port)| Ports::single(protocol, port).ok())
}

/// `br-` and twelve hexadecimal digits, of the network's id.
pub(crate) fn is_generated_bridge_name(name: &str) -> bool {
    let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    name.strip_prefix("br-").is_some_and(|id| id.len() == 12 && id.chars().all(is_digit))
}

/// Whether the rules of a chain reveal something about Docker.
pub(crate) fn is_docker_chain(path: &ChainPath) -> bool {
    let chain = path.chain.as_ref();
    path.table.family != Family::Inet
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

/// Merges consecutive published ports into ranges.
pub(crate) fn ranges<'a>(
    published: impl IntoIterator<Item = &'a PublishedPort>,
) -> Vec<PublishedPort> {
    let mut ranges: Vec<PublishedPort> = Vec::new();
    for published in published {
        let extended = ranges.last_mut().and_then(|last| extend(last, published));
        match (extended, ranges.last_mut()) {
            (Some(extended), Some(last)) => *last = extended,
            _ => ranges.push(published.clone()),
        }
    }
    ranges
}

/// Both as one range of ports, if they are consecutive and published alike.
pub(crate) fn extend(range: &PublishedPort, next: &PublishedPort) -> Option<PublishedPort> {
    let is_same = (range.address, range.family) == (next.address, next.family);
    let (ports, next) = (range.ports, next.ports);
    let touches = ports.protocol() == next.protocol()
        && u32::from(next.first()) <= u32::from(ports.last()) + 1;
    let last = ports.last().max(next.last());
    let ports = Ports::new(ports.protocol(), ports.first(), last).ok()?;
    (is_same && touches).then(|| PublishedPort { ports, ..range.clone() })
}
