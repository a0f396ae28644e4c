//! Which entries of the policy cover the ports that Docker publishes, and which nothing protects.

use std::collections::HashSet;

use super::entry_index::EntryIndex;
use super::swarm;
use crate::docker::{PortIndex, extend, ranges, swarm_ports};
use crate::model::{Docker, Ports, Protocol, PublishedPort};
use crate::policy::Policy;

/// A published port, or consecutive ones, and who may reach them under a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortCoverage {
    /// The ports.
    pub published: PublishedPort,
    /// The entries that cover them: the index in [`Policy::allow`], and the ports among which the entry
    /// lists them.
    pub entries: Vec<(usize, Ports)>,
    /// Whether `[guard] swarm-peers` covers them.
    pub is_for_swarm_peers: bool,
    /// Whether the policy decides who may reach them. If not, nothing protects them: see
    /// [`unprotected_ports`].
    pub is_protected: bool,
}

impl PortCoverage {
    /// Whether no outside host can reach the ports, because no entry covers them.
    pub fn is_blocked(&self) -> bool {
        self.is_protected && self.entries.is_empty() && !self.is_for_swarm_peers
    }

    /// Adds the ports of the other one, if both are consecutive and alike.
    fn extend(&mut self, other: &PortCoverage) -> bool {
        let PortCoverage { published, entries, is_for_swarm_peers, is_protected } = other;
        let is_alike = self.entries == *entries
            && self.is_for_swarm_peers == *is_for_swarm_peers
            && self.is_protected == *is_protected;
        let extended = is_alike.then(|| extend(&self.published, published)).flatten();
        extended.map(|extended| self.published = extended).is_some()
    }
}

/// The ports that Docker publishes to other hosts, each once, even if it is published for both IP
/// versions, with the entries of the policy that cover it.
pub fn port_coverage(policy: &Policy, docker: &Docker) -> Vec<PortCoverage> {
    let unprotected: HashSet<&PublishedPort> = unprotected(policy, docker).into_iter().collect();
    let peers = swarm::entry(policy.guard());
    let all = || docker.published.iter().chain(&docker.routed_ports);
    let entries = EntryIndex::of(policy, all().map(first));
    let index = PortIndex::of(&docker.published);
    let mut coverages: Vec<PortCoverage> = Vec::new();
    for published in all() {
        if published.is_loopback() || index.covers_otherwise(published) {
            continue;
        }
        let covers =
            |ports: &&Ports| ports.has(published.ports.protocol(), published.ports.first());
        let coverage = PortCoverage {
            published: published.clone(),
            entries: entries.allowing(first(published)).to_vec(),
            is_for_swarm_peers: peers.iter().flat_map(|it| it.ports()).any(|it| covers(&it)),
            is_protected: !unprotected.contains(published),
        };
        if !coverages.last_mut().is_some_and(|last| last.extend(&coverage)) {
            coverages.push(coverage);
        }
    }
    coverages
}

/// The first of the ports.
fn first(published: &PublishedPort) -> (Protocol, u16) {
    (published.ports.protocol(), published.ports.first())
}

/// The published ports that no entry of the policy covers, so that no outside host can reach them;
/// each once, even if it is published for both IP versions. Without the guard, ports that nothing
/// protects are not among them: see [`unprotected_ports`].
pub fn uncovered_ports(policy: &Policy, docker: &Docker) -> Vec<PublishedPort> {
    let all = port_coverage(policy, docker).into_iter();
    all.filter(PortCoverage::is_blocked).map(|it| it.published).collect()
}

/// Ports of the communication between the nodes of a Swarm on which dockerd listens and which no entry
/// of the policy covers: the guard cuts this node off from the others.
pub fn blocked_swarm_ports(policy: &Policy, docker: &Docker) -> Vec<PublishedPort> {
    let mut uncovered = uncovered_ports(policy, docker);
    uncovered.retain(|it| {
        policy.guard().is_enabled() && swarm_ports().any(|own| it.ports.includes(&own))
    });
    uncovered
}

/// The published ports that nothing protects under this policy, because the guard is off and Docker
/// publishes them by rules that `DOCKER-BLOCK` does not block: those of its nftables backend, and those
/// of routed networks.
pub fn unprotected_ports(policy: &Policy, docker: &Docker) -> Vec<PublishedPort> {
    ranges(unprotected(policy, docker))
}

fn unprotected<'a>(policy: &Policy, docker: &'a Docker) -> Vec<&'a PublishedPort> {
    if policy.guard().is_enabled() {
        return Vec::new();
    }
    let published = docker.native.iter().chain(&docker.routed_ports);
    published.filter(|published| !published.is_loopback()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Family;
    use crate::policy::Guard;

    fn published(port: u16) -> PublishedPort {
        let ports = Ports::new(Protocol::Tcp, port, port).expect("a port");
        PublishedPort { address: None, family: Family::Inet, ports }
    }

    fn texts(published: &[PublishedPort]) -> Vec<String> {
        published.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_port_of_both_ip_versions_is_reported_once() {
        let six = PublishedPort { family: Family::Ip6, ..published(443) };
        let other = PublishedPort { family: Family::Ip6, ..published(8443) };
        let docker = Docker { published: [published(443), six, other].into(), ..Docker::default() };
        assert_eq!(texts(&uncovered_ports(&Policy::default(), &docker)), ["8443/tcp", "443/tcp"]);
    }

    #[test]
    fn what_nothing_protects_is_not_blocked() {
        let address = |text: &str| text.parse().ok();
        let routed =
            PublishedPort { address: address("10.81.0.2"), family: Family::Ip, ..published(80) };
        let loopback = PublishedPort { address: address("127.0.0.1"), ..published(81) };
        let docker = Docker {
            published: [published(443), published(8080), loopback.clone()].into(),
            native: [published(8080), loopback].into(),
            routed_ports: [routed].into(),
            ..Docker::default()
        };
        let guarded = Policy::default();
        let blocked = ["443/tcp", "8080/tcp", "80/tcp on 10.81.0.2"];
        assert_eq!(texts(&uncovered_ports(&guarded, &docker)), blocked);
        assert!(unprotected_ports(&guarded, &docker).is_empty());
        let open = Policy::builder().guard(Guard::off()).build().expect("a policy");
        assert_eq!(texts(&uncovered_ports(&open, &docker)), ["443/tcp"]);
        assert_eq!(texts(&unprotected_ports(&open, &docker)), ["8080/tcp", "80/tcp on 10.81.0.2"]);
    }

    #[test]
    fn consecutive_ports_are_one_only_if_the_same_entries_cover_them() {
        let text = "[[allow]]\nports = ['80-82']\n[[allow]]\nports = ['443', '82-90']\n";
        let policy = Policy::parse(text, "p", std::path::Path::new("")).expect("a policy");
        let ports = [80, 81, 82, 443, 444];
        let docker = Docker { published: ports.map(published).into(), ..Docker::default() };
        let found = port_coverage(&policy, &docker);
        let text = |it: &PortCoverage| {
            let entries = it.entries.iter().map(|(index, ports)| format!(" {index}:{ports}"));
            format!("{}{}", it.published, entries.collect::<String>())
        };
        let expected = [
            "80-81/tcp 0:80-82/tcp",
            "82/tcp 0:80-82/tcp 1:82-90/tcp",
            "443/tcp 1:443/tcp",
            "444/tcp",
        ];
        assert_eq!(found.iter().map(text).collect::<Vec<_>>(), expected);
        assert!(found.iter().all(|it| it.is_protected && !it.is_for_swarm_peers));
    }
}
