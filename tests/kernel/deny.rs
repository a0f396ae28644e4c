//! Sources that are denied on the paths that no other test of denied sources takes.

use super::support::{Answer, Topology, apply, udp, udp_echo};

/// VXLAN, one of the ports between the nodes of a Swarm.
const VXLAN: u16 = 4789;

#[test]
fn a_denied_node_of_a_swarm_is_refused() {
    let topology = Topology::new();
    let _node = udp_echo(&topology.host, VXLAN);
    let attempt = |source, target| udp(&topology.client, source, target, VXLAN);
    let peers = "[guard]\nswarm-peers = ['192.0.2.0/24', '2001:db8::/64']\n";
    apply(&topology.host, peers);
    for (source, target) in [
        (Topology::ALLOWED, Topology::HOST),
        (Topology::REFUSED, Topology::HOST),
        (Topology::REFUSED6, Topology::HOST6),
    ] {
        assert_eq!(attempt(source, target), Answer::Answered, "{source}");
    }
    let bans = "[[deny]]\nports = ['4789/udp']\nfrom = ['192.0.2.66', '2001:db8::66']\n";
    apply(&topology.host, &format!("{bans}{peers}"));
    assert_eq!(attempt(Topology::REFUSED, Topology::HOST), Answer::TimedOut);
    assert_eq!(attempt(Topology::REFUSED6, Topology::HOST6), Answer::TimedOut);
    assert_eq!(attempt(Topology::ALLOWED, Topology::HOST), Answer::Answered);
    assert_eq!(attempt(Topology::ALLOWED6, Topology::HOST6), Answer::Answered);
}
