//! Has a packet simulated on this host, and reads the verdict off it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use super::routes::Routes;
use crate::cgroup::Hierarchy;
use crate::engine::{Engine, Error};
use crate::explain::{Packet, Receiver, Refusal, Verdict};
use crate::model::{Cgroup, HostState, KernelRuleset, Name};
use crate::simulate::{Doubt, HostSockets, HostView, Outcome, Probe, Step, simulate};

impl Engine {
    /// What the rules do with the packet, and whether it gets in.
    pub(super) fn simulated(
        &mut self,
        ruleset: &KernelRuleset,
        host: &HostState,
        packet: &Packet,
        in_interface: &Name,
    ) -> Result<(Verdict, Vec<Step>), Error> {
        let routes = Routes::new(&mut self.routes)?;
        let cgroups = self.hierarchy.as_ref().map(|it| Cgroups::new(it, host));
        let ancestor = |id, level| cgroups.as_ref().and_then(|it| it.ancestor(id, level));
        let sockets = |listeners| HostSockets { listeners, ancestor: &ancestor };
        let view = HostView {
            links: &routes.links,
            local: &routes.local,
            route: &|query| routes.route(query),
            sockets: host.listeners.as_deref().filter(|_| cgroups.is_some()).map(sockets),
            now: Some(SystemTime::now()),
        };
        let probe = Probe {
            protocol: packet.protocol,
            source: packet.source,
            source_port: None,
            destination: packet.destination,
            port: packet.port,
            in_interface: in_interface.clone(),
        };
        let simulation = simulate(ruleset, &view, &probe);
        let is_martian = routes.finish()?;
        Ok((verdict(&simulation.outcome, host, packet, is_martian), simulation.steps))
    }
}

/// The cgroups of the listening sockets.
struct Cgroups<'h> {
    hierarchy: &'h Hierarchy,
    of_listeners: BTreeMap<u64, Cgroup>,
}

impl Cgroups<'_> {
    fn new<'h>(hierarchy: &'h Hierarchy, host: &HostState) -> Cgroups<'h> {
        let ids = host.listeners.iter().flatten().filter_map(|listener| listener.cgroup);
        Cgroups { hierarchy, of_listeners: hierarchy.paths(&ids.collect()) }
    }

    /// The ID of the ancestor at a level below the root, or of the cgroup itself.
    fn ancestor(&self, id: u64, level: u32) -> Option<u64> {
        let cgroup = self.of_listeners.get(&id)?;
        let level = usize::try_from(level).ok()?;
        let path: Vec<&str> = cgroup.path.split('/').take(level).collect();
        let ancestor = self.hierarchy.find(&path.join("/")).filter(|_| path.len() == level);
        ancestor.map(|ancestor| ancestor.id)
    }
}

/// What can be told of a packet that the host itself sends to itself.
pub(super) fn from_host(source: IpAddr) -> (Verdict, Vec<Step>) {
    let reason = format!(
        "{source} is an address of the host itself, whose own packets pass the hook output first, \
         which is not simulated"
    );
    let doubt = Doubt { chain: None, rule: None, text: String::new(), reason, alternatives: None };
    (Verdict::Unknown(Box::new(doubt)), Vec::new())
}

/// Whether the packet gets in, as simulated.
fn verdict(outcome: &Outcome, host: &HostState, packet: &Packet, is_martian: bool) -> Verdict {
    match outcome {
        Outcome::Dropped(step) => {
            Verdict::Refused(Refusal::Rule { step: *step, is_rejected: false })
        }
        Outcome::Rejected(step) => {
            Verdict::Refused(Refusal::Rule { step: *step, is_rejected: true })
        }
        Outcome::Reaches { address, port, out_interface: Some(name) } => {
            let to = SocketAddr::new(*address, *port);
            Verdict::Allowed(Receiver::Forwarded { to, out_interface: name.clone() })
        }
        Outcome::Reaches { address, port, out_interface: None } => {
            match Receiver::at(host, *address, packet.protocol, *port) {
                Receiver::Nobody => Verdict::Refused(Refusal::NobodyListens),
                receiver => Verdict::Allowed(receiver),
            }
        }
        Outcome::Unroutable { .. } if is_martian => Verdict::Refused(Refusal::Martian),
        Outcome::Unroutable { address } => Verdict::Refused(Refusal::Unreachable(*address)),
        Outcome::Unknown(doubt) => Verdict::Unknown(doubt.clone()),
    }
}
