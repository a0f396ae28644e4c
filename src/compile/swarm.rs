//! The ports of the communication between the nodes of a Swarm. They have an entry of their own, whose
//! sources are `[guard] swarm-peers`.

use crate::docker::swarm_ports;
use crate::policy::{Allow, Guard};

/// The entry for the other nodes, if the policy names them.
pub(crate) fn entry(guard: &Guard) -> Option<Allow> {
    let peers = guard.swarm_peers().filter(|_| guard.is_enabled())?;
    Some(Allow::swarm_peers(swarm_ports().collect(), peers))
}
