//! The ports of the communication between the nodes of a Swarm. They have an entry of their own, whose
//! sources are `[guard] swarm-peers`.

use crate::docker::swarm_ports;
use crate::policy::{Allow, Guard};

/// The entry for the other nodes, if the policy names them.
pub(crate) fn entry(guard: &Guard) -> Option<Allow> {
    let peers = guard.swarm_peers.as_ref().filter(|_| guard.enabled)?;
    let entry = Allow::new(swarm_ports().collect());
    Some(Allow { name: Some("swarm-peers".into()), from: Some(peers.clone()), ..entry })
}
