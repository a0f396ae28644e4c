//! Which of the ports that Docker publishes the policy covers, and which nothing protects.

use super::swarm;
use crate::docker::{ranges, swarm_ports};
use crate::model::{Docker, PublishedPort};
use crate::policy::{Allow, Policy};

/// The published ports that no entry of the policy covers, so that no outside host can reach them;
/// each once, even if it is published for both IP versions. Without the guard, ports that nothing
/// protects are not among them: see [`unprotected_ports`].
pub fn uncovered_ports(policy: &Policy, docker: &Docker) -> Vec<PublishedPort> {
    let peers = swarm::entry(policy.guard());
    let is_covered = |PublishedPort { ports: published, .. }: &PublishedPort| {
        let mut ports = policy.allow().iter().chain(&peers).flat_map(Allow::ports);
        ports.any(|ports| ports.has(published.protocol(), published.first()))
    };
    let unprotected = unprotected(policy, docker);
    let published = docker.published.iter().chain(&docker.routed_ports);
    let is_other = |other: &&PublishedPort, it: &PublishedPort| *other != it && other.covers(it);
    let published = published.filter(|it| {
        let mut others = docker.published.iter();
        !it.is_loopback()
            && !is_covered(it)
            && !unprotected.contains(it)
            && !others.any(|other| is_other(&other, it))
    });
    ranges(published)
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
    use crate::model::{Family, Ports, Protocol};
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
}
