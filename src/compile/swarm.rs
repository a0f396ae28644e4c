//! The ports by which the nodes of a Swarm talk to each other. Who may reach them is one more entry of
//! the policy, of which `[guard] swarm-peers` says the sources.

use crate::docker::swarm_ports;
use crate::policy::{Allow, Guard};

/// The entry for the other nodes, if they are named.
pub(crate) fn entry(guard: &Guard) -> Option<Allow> {
    let peers = guard.swarm_peers().filter(|_| guard.is_enabled())?;
    Some(Allow::swarm_peers(swarm_ports().collect(), peers))
}
