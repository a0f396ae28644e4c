//! Brings the conntrack entries of existing flows in line with the policy: reads the host's addresses
//! and the flows, and deletes the entries that the policy contradicts.

pub(super) mod delete;
mod restore;

use std::collections::{BTreeSet, HashSet};

use ipnetwork::IpNetwork;

pub(super) use restore::FlowKey;

use super::connection::{Connection, DumpStatus};
use super::{Engine, Error, Outcome, retry_interrupted};
use crate::conntrack::{
    AddressSet, FlowAction, FlowClassifier, FlowState, PolicyMatcher, flow_action,
};
use crate::model::{
    AddressSpec, Docker, Flow, Grant, IpVersion, Name, PublishedPort, Status, Tuple,
};
use crate::netlink::{
    Request, RouteDump, decode_address, decode_flow, decode_link, decode_local_route,
};
use crate::policy::{Established, Policy};

/// How many conntrack entries an apply deleted. Only flows from outside (neither from the host nor from a
/// container) to a port that Docker publishes are considered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowChanges {
    /// Rejected flows without a reply that the policy now allows. Their next packet is judged again.
    pub cleared: usize,
    /// Established flows that the policy does not allow: with `established = "cut"` all of them, else
    /// only those that docker-proxy answered before the guard knew the port. A tombstone entry rejects
    /// what the server still sends.
    pub terminated: usize,
}

/// What an apply would do to the conntrack entries of existing flows. Counts the same flows as
/// [`FlowChanges`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowPreview {
    /// Rejected flows that would be judged again.
    pub cleared: usize,
    /// Established flows that would be terminated.
    pub terminated: usize,
    /// Established flows that would go on although the policy does not allow them.
    pub kept: usize,
}

/// A flow to a published port, and whether the policy may allow it.
struct Judged {
    state: FlowState,
    flow: Flow,
    is_allowed: bool,
}

impl Engine {
    /// Deletes the conntrack entries of flows on which the policy, which was applied with this outcome,
    /// decides differently: see [`FlowChanges`].
    ///
    /// Conntrack does not record the interface on which a flow arrived. An entry of the policy that
    /// requires an interface is assumed to allow the flow.
    ///
    /// # Errors
    /// See [`Error`]. Some flows may have been deleted; the rules are unchanged.
    pub(super) fn reconcile_conntrack(
        &mut self,
        policy: &Policy,
        outcome: &Outcome,
    ) -> Result<FlowChanges, Error> {
        let established = policy.revoke().established();
        let unanswered_alone = established == Established::Keep && outcome.learned.is_empty();
        let flows = self.judged_flows(policy, outcome, unanswered_alone)?;
        let stale = flows.into_iter().filter_map(|Judged { state, flow, is_allowed }| {
            Some((flow_action(state, is_allowed, established)?, flow))
        });
        let stale: Vec<_> = stale.collect();
        if stale.is_empty() {
            return Ok(FlowChanges::default());
        }
        delete::delete(&mut self.connections[0], &stale)
    }

    /// What [`Engine::reconcile_conntrack`] would do after an apply with this outcome.
    ///
    /// # Errors
    /// See [`Error`].
    pub(super) fn preview_conntrack(
        &mut self,
        policy: &Policy,
        outcome: &Outcome,
    ) -> Result<FlowPreview, Error> {
        let established = policy.revoke().established();
        let mut preview = FlowPreview::default();
        for Judged { state, is_allowed, .. } in self.judged_flows(policy, outcome, false)? {
            match flow_action(state, is_allowed, established) {
                Some(FlowAction::Clear) => preview.cleared += 1,
                Some(FlowAction::Terminate) => preview.terminated += 1,
                None if state == FlowState::Admitted && !is_allowed => preview.kept += 1,
                None => {}
            }
        }
        Ok(preview)
    }

    /// The flows to published ports, or only those without a reply.
    fn judged_flows(
        &mut self,
        policy: &Policy,
        outcome: &Outcome,
        unanswered_alone: bool,
    ) -> Result<Vec<Judged>, Error> {
        let Outcome { docker, learned, .. } = outcome;
        let Some(host) = self.classifier(docker, learned)? else {
            return Ok(Vec::new());
        };
        let candidates = candidates(&mut self.connections[0], &host, unanswered_alone)?;
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let matcher = PolicyMatcher::new(policy, host.ports());
        let judged = candidates.into_iter().map(|(state, flow)| {
            let is_allowed = matcher.allows(&flow.original);
            Judged { state, flow, is_allowed }
        });
        let mut judged: Vec<Judged> = judged.collect();
        if judged.iter().any(|it| !it.is_allowed) {
            let granted = self.granted_by_hand()?;
            for it in judged.iter_mut().filter(|it| !it.is_allowed) {
                it.is_allowed = granted.iter().any(|grant| is_of(&it.flow.original, grant));
            }
        }
        Ok(judged)
    }

    /// The classifier of flows on this host; `None` if Docker publishes no ports.
    pub(super) fn classifier(
        &mut self,
        docker: &Docker,
        learned: &[PublishedPort],
    ) -> Result<Option<FlowClassifier>, Error> {
        if docker.published.is_empty() {
            return Ok(None);
        }
        let local = local_addresses(&mut self.routes)?;
        let containers = networks(&mut self.routes, &docker.inside)?;
        Ok(Some(FlowClassifier::new(&docker.published, learned, local, containers)))
    }
}

/// Whether a grant or ban is for a flow with this original tuple.
pub(super) fn is_of(original: &Tuple, grant: &Grant) -> bool {
    let Tuple { source, protocol, destination_port, .. } = *original;
    (grant.source.first()..=grant.source.last()).contains(&source)
        && grant.ports.is_none_or(|ports| ports.has(protocol, destination_port))
}

/// The flows to published ports on which the policy may decide differently. A concurrent change may hide
/// an entry; this is unavoidable.
pub(super) fn candidates(
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
    Ok(address_set(local_networks(routes)?))
}

/// The networks whose addresses are the host's own.
pub(super) fn local_networks(routes: &mut Connection) -> Result<Vec<IpNetwork>, Error> {
    retry_interrupted(|local: &mut Vec<IpNetwork>| {
        list_both(routes, RouteDump::LocalRoutes, |message| {
            local.extend(decode_local_route(message))
        })
    })
}

/// The networks of these interfaces.
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

/// Lists objects of both IP versions.
pub(super) fn list_both(
    routes: &mut Connection,
    what: fn(IpVersion) -> RouteDump,
    mut read: impl FnMut(crate::netlink::Message),
) -> Result<DumpStatus, Error> {
    let mut dumped = DumpStatus::Complete;
    for version in IpVersion::ALL {
        let request = |sequence| Request::routes(what(version), sequence);
        let failure = |error| Err(Error::from_routing(error));
        if routes.list(request, failure, &mut read)? == DumpStatus::Interrupted {
            dumped = DumpStatus::Interrupted;
        }
    }
    Ok(dumped)
}

fn address_set(networks: Vec<IpNetwork>) -> AddressSet {
    networks.into_iter().map(AddressSpec::masked).collect()
}
