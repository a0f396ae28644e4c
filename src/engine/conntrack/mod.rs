//! Tending the flows that a change of the policy leaves behind: the host's addresses and the flows
//! are read, and what has to go is deleted.

mod delete;

use std::collections::{BTreeSet, HashSet};

use ipnetwork::IpNetwork;

use super::connection::{Connection, DumpStatus};
use super::{Engine, Error, Outcome, retry_interrupted};
use crate::conntrack::{AddressSet, FlowClassifier, FlowState, PolicyMatcher, flow_action};
use crate::model::{AddressSpec, Family, Flow, Name, Status};
use crate::netlink::{
    Request, RouteDump, decode_address, decode_flow, decode_link, decode_local_route,
};
use crate::policy::{Established, Policy};

/// How many flows did not outlast a change of the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowChanges {
    /// Flows that were refused, had got no answer, and that the policy now allows: their next packet
    /// is judged anew.
    pub cleared: usize,
    /// Flows that were let in and that the policy no longer allows, where it says
    /// `established = "cut"`, and flows that it does not allow and that docker-proxy had answered
    /// before the guard knew the port, whatever it says. Their servers, should they send any more,
    /// are told that nobody is there.
    pub terminated: usize,
}

impl Engine {
    /// Deletes what connection tracking knows of flows that the policy, which should have been
    /// applied before with this outcome, decides otherwise now: see [`FlowChanges`]. Only flows that come from outside, from
    /// neither the host itself nor a container, to a port that Docker publishes are touched.
    ///
    /// Connection tracking does not know by which interface a flow came in. An entry of the policy
    /// that asks for one is taken to allow the flow.
    ///
    /// # Errors
    /// See [`Error`]. Some flows may have been deleted; the rules are not touched.
    pub fn reconcile_conntrack(
        &mut self,
        policy: &Policy,
        outcome: &Outcome,
    ) -> Result<FlowChanges, Error> {
        let Outcome { docker, learned, .. } = outcome;
        if docker.published.is_empty() {
            return Ok(FlowChanges::default());
        }
        let local = local_addresses(&mut self.routes)?;
        let containers = networks(&mut self.routes, &docker.inside)?;
        let host = FlowClassifier::new(&docker.published, learned, local, containers);
        let established = policy.revoke().established();
        let unanswered_alone = established == Established::Keep && learned.is_empty();
        let candidates = candidates(&mut self.connections[0], &host, unanswered_alone)?;
        if candidates.is_empty() {
            return Ok(FlowChanges::default());
        }
        let admission = PolicyMatcher::new(policy, host.ports());
        let doomed = candidates.into_iter().filter_map(|(state, flow)| {
            let fate = flow_action(state, admission.allows(&flow.original), established)?;
            Some((fate, flow))
        });
        delete::delete(&mut self.connections[0], &doomed.collect::<Vec<_>>())
    }
}

/// The flows to published ports that the policy may decide otherwise. That one is missed because
/// the table of flows changes meanwhile cannot be helped.
fn candidates(
    connection: &mut Connection,
    host: &FlowClassifier,
    unanswered_alone: bool,
) -> Result<Vec<(FlowState, Flow)>, Error> {
    let without = unanswered_alone.then_some(Status::UNANSWERED_MASK);
    let mut candidates = Vec::new();
    let request = |sequence| Request::flows(without, sequence);
    let failure = |error| Err(Error::from_conntrack(error));
    connection.list(request, failure, |message| {
        let flow = decode_flow(message);
        candidates.extend(flow.and_then(|flow| Some((host.state(&flow)?, flow))));
    })?;
    Ok(candidates)
}

fn local_addresses(routes: &mut Connection) -> Result<AddressSet, Error> {
    let local = retry_interrupted(|local: &mut Vec<IpNetwork>| {
        list_both(routes, RouteDump::LocalRoutes, |message| {
            local.extend(decode_local_route(message))
        })
    })?;
    Ok(address_set(local))
}

/// The networks behind these interfaces.
fn networks(routes: &mut Connection, names: &BTreeSet<Name>) -> Result<AddressSet, Error> {
    let networks = retry_interrupted(|networks: &mut Vec<IpNetwork>| {
        let mut numbers = HashSet::new();
        let request = |sequence| Request::routes(RouteDump::Links, sequence);
        let failure = |error| Err(Error::from_routing(error));
        let dumped = routes.list(request, failure, |message| {
            let link = decode_link(message).filter(|link| names.contains(&link.name));
            numbers.extend(link.map(|link| link.index));
        })?;
        if dumped == DumpStatus::Interrupted {
            return Ok(dumped);
        }
        list_both(routes, RouteDump::Addresses, |message| {
            let address = decode_address(message).filter(|(number, _)| numbers.contains(number));
            networks.extend(address.map(|(_, network)| network));
        })
    })?;
    Ok(address_set(networks))
}

fn list_both(
    routes: &mut Connection,
    what: fn(Family) -> RouteDump,
    mut read: impl FnMut(crate::netlink::Message),
) -> Result<DumpStatus, Error> {
    let mut dumped = DumpStatus::Complete;
    for family in Family::NAT {
        let request = |sequence| Request::routes(what(family), sequence);
        let failure = |error| Err(Error::from_routing(error));
        if routes.list(request, failure, &mut read)? == DumpStatus::Interrupted {
            dumped = DumpStatus::Interrupted;
        }
    }
    Ok(dumped)
}

fn address_set(networks: Vec<IpNetwork>) -> AddressSet {
    let addresses: Vec<AddressSpec> = networks.into_iter().map(AddressSpec::masked).collect();
    addresses.iter().collect()
}
