//! The ports by which the nodes of a Swarm talk to each other. Who may reach them is one more entry of
//! the policy, of which `[guard] swarm-peers` says the sources.

use crate::policy::{Allow, Guard};
use crate::ruleset::{Ports, Protocol};

/// Cluster management, the gossip of the nodes, and the VXLAN of overlay networks.
const PORTS: [(Protocol, u16); 4] =
    [(Protocol::Tcp, 2377), (Protocol::Tcp, 7946), (Protocol::Udp, 7946), (Protocol::Udp, 4789)];

/// The entry for the other nodes, if they are named.
pub(crate) fn entry(guard: &Guard) -> Option<Allow> {
    let peers = guard.swarm_peers.as_ref().filter(|_| guard.enabled)?;
    let entry = Allow::new(ports().collect());
    Some(Allow { name: Some("swarm-peers".into()), from: Some(peers.clone()), ..entry })
}

/// The ports, one by one.
pub(super) fn ports() -> impl Iterator<Item = Ports> {
    PORTS.into_iter().filter_map(|(protocol, port)| Ports::new(protocol, port, port))
}
