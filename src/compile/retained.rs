//! Which of the ports that were known at the last apply stay known.

use std::collections::HashSet;

use super::known::known_ports;
use super::sockets::may_be_docker;
use crate::docker::{PortIndex, ranges};
use crate::model::{Protocol, PublishedPort, Snapshot};

/// The ports that were known at the last apply, that Docker does not name now, and on which
/// docker-proxy may still listen.
pub(super) fn retained_ports(snapshot: &Snapshot) -> impl Iterator<Item = PublishedPort> {
    let open = MaybeOpen::of(snapshot);
    unnamed_ports(snapshot).into_iter().filter(move |port| open.has(port))
}

/// Whether an apply would forget a port that was known at the last one.
pub(crate) fn forgets_ports(snapshot: &Snapshot) -> bool {
    let open = MaybeOpen::of(snapshot);
    unnamed_ports(snapshot).iter().any(|port| !open.has(port))
}

/// The ports, one by one, that were known at the last apply and that Docker does not name now.
fn unnamed_ports(snapshot: &Snapshot) -> Vec<PublishedPort> {
    let mut known = known_ports(snapshot);
    known.sort_unstable();
    let named = PortIndex::merged(&snapshot.docker.published);
    let unnamed = ranges(&known).into_iter().filter(|range| !named.covers(range));
    let single = unnamed.flat_map(|range| {
        let ports = range.ports.singles();
        ports.map(move |ports| PublishedPort { ports, ..range.clone() })
    });
    single.filter(|port| !named.covers(port)).collect()
}

/// The ports on which docker-proxy may listen: those with a socket that may be its own or, if the
/// sockets are unknown, all until Docker writes rules again.
enum MaybeOpen {
    Listening(HashSet<(Protocol, u16)>),
    All(bool),
}

impl MaybeOpen {
    fn of(Snapshot { docker, host, .. }: &Snapshot) -> MaybeOpen {
        match &host.listeners {
            Some(listeners) => {
                let listeners = listeners.iter().filter(|it| may_be_docker(it, host));
                MaybeOpen::Listening(listeners.map(|it| (it.protocol, it.port)).collect())
            }
            None => MaybeOpen::All(!docker.has_rules),
        }
    }

    fn has(&self, port: &PublishedPort) -> bool {
        match self {
            MaybeOpen::Listening(ports) => {
                ports.contains(&(port.ports.protocol(), port.ports.first()))
            }
            MaybeOpen::All(all) => *all,
        }
    }
}
