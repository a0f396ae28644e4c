//! Which of Docker's rules tell something about it, and what.

use super::{DOCKER, INGRESS, NAT};
use crate::policy::Policy;
use crate::ruleset::{ChainPath, Docker, Family, Interface, Name, Ports, Published, Traits};

/// The table of iptables in which Docker filters, and its chains there. `DOCKER-USER` is not among
/// them: its rules are the operator's.
const FILTER: &str = "filter";
const FILTER_CHAINS: [&str; 7] = [
    DOCKER,
    "DOCKER-BRIDGE",
    "DOCKER-CT",
    "DOCKER-FORWARD",
    "DOCKER-INTERNAL",
    "DOCKER-ISOLATION-STAGE-1",
    "DOCKER-ISOLATION-STAGE-2",
];
/// The table of Docker's nftables backend, in each family; its chain of published ports, and the
/// beginning of the names of the chains that filter what goes to a bridge.
const NATIVE: &str = "docker-bridges";
const NATIVE_PORTS: &str = "nat-prerouting-and-output";
const NATIVE_BRIDGE: &str = "filter-forward-in__";
/// `IPPROTO_ICMP` and `IPPROTO_ICMPV6`, which Docker accepts on routed networks alone.
const ICMP: [u8; 2] = [1, 58];

/// Whether the rules of a chain tell something about Docker.
pub(crate) fn tells_of_docker(path: &ChainPath) -> bool {
    let chain = path.chain.as_ref();
    Family::NAT.contains(&path.table.family)
        && match path.table.table.as_ref() {
            NAT => chain == DOCKER || chain == INGRESS,
            FILTER => FILTER_CHAINS.contains(&chain),
            NATIVE => chain == NATIVE_PORTS || chain.starts_with(NATIVE_BRIDGE),
            _ => false,
        }
}

/// Learns what a chain tells by being there.
pub(crate) fn learn_chain(docker: &mut Docker, path: &ChainPath) {
    match path.table.table.as_ref() {
        NAT if path.chain.as_ref() == INGRESS => {
            docker.ingress.insert(path.table.family);
        }
        NATIVE => docker.bridges.extend(native_bridge(path)),
        _ => {}
    }
}

/// Learns what a rule of such a chain tells.
pub(crate) fn learn_rule(docker: &mut Docker, path: &ChainPath, rule: &Traits) {
    let family = path.table.family;
    docker.has_rules |= path.table.table.as_ref() != FILTER;
    let interfaces = [&rule.in_interface, &rule.out_interface];
    docker.bridges.extend(interfaces.into_iter().flatten().filter_map(name));
    if rule.accepts && rule.protocol.is_some_and(|protocol| ICMP.contains(&protocol)) {
        let out = rule.out_interface.as_ref().filter(|out| !out.negated).and_then(name);
        let bridge = out.or_else(|| native_bridge(path));
        docker.routed.extend(bridge.map(|bridge| (family, bridge)));
    }
    if let (true, Some(ports)) = (rule.translates, rule.ports) {
        // docker-proxy listens on IPv6 as well, unless one address was named.
        let is_for_both = family == Family::Ip && rule.destination.is_none();
        let family = if is_for_both { Family::Inet } else { family };
        docker.published.insert(Published { address: rule.destination, family, ports });
    }
}

fn name(interface: &Interface) -> Option<Name> {
    (!interface.wildcard).then(|| interface.name.clone())
}

/// `filter-forward-in__docker0`
fn native_bridge(path: &ChainPath) -> Option<Name> {
    path.chain.strip_prefix(NATIVE_BRIDGE).map(Name::from)
}

/// Published ports with consecutive ones made one.
pub(super) fn ranges(docker: &Docker) -> Vec<Published> {
    let mut ranges: Vec<Published> = Vec::new();
    for published in &docker.published {
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
/// can reach them.
pub fn unmentioned(policy: &Policy, docker: &Docker) -> Vec<Published> {
    let is_mentioned = |Published { ports: published, .. }: &Published| {
        let mut ports = policy.allow.iter().flat_map(|entry| &entry.ports);
        ports.any(|ports| ports.has(published.protocol(), published.first()))
    };
    let published = docker.published.iter().filter(|it| !it.is_loopback() && !is_mentioned(it));
    ranges(&Docker { published: published.cloned().collect(), ..Docker::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruleset::{Protocol, TablePath};

    fn path(table: &str, chain: &str) -> ChainPath {
        let table = TablePath { family: Family::Ip, table: table.into() };
        ChainPath { table, chain: chain.into() }
    }

    fn published(port: u16) -> Published {
        let ports = Ports::new(Protocol::Tcp, port, port).expect("a port");
        Published { address: None, family: Family::Inet, ports }
    }

    #[test]
    fn the_operators_chains_tell_nothing() {
        assert!(!tells_of_docker(&path("filter", "DOCKER-USER")));
        assert!(!tells_of_docker(&path("filter", "FORWARD")));
        assert!(!tells_of_docker(&path("nat", "POSTROUTING")));
        assert!(!tells_of_docker(&path("docker-bridges", "raw-PREROUTING")));
        assert!(tells_of_docker(&path("docker-bridges", "filter-forward-in__br0")));
    }

    #[test]
    fn consecutive_ports_are_one_range() {
        let ports = [80, 443, 444, 445].map(published).into();
        let docker = Docker { published: ports, ..Docker::default() };
        let ranges: Vec<String> = ranges(&docker).iter().map(ToString::to_string).collect();
        assert_eq!(ranges, ["80/tcp", "443-445/tcp"]);
    }
}
