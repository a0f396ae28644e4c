//! Reads the flows that a source has to a port.

use crate::conntrack::{FlowClassifier, PolicyMatcher};
use crate::engine::Error;
use crate::engine::connection::Connection;
use crate::explain::{OpenFlow, Packet};
use crate::model::Flow;
use crate::netlink::{Request, decode_flow};
use crate::policy::{Established, Policy};

/// The flows of the packet's source to its destination and port, sorted by the source's port. `judge`:
/// what the policy is compared with, if there is one and Docker publishes ports.
pub(super) fn open_flows(
    connection: &mut Connection,
    packet: &Packet,
    judge: Option<(&Policy, &FlowClassifier)>,
) -> Result<Vec<OpenFlow>, Error> {
    let flows = flows(connection, packet)?;
    let established = judge.map_or(Established::Keep, |(policy, _)| policy.revoke().established());
    let port = [(packet.protocol, packet.port)];
    let judge = judge.map(|(policy, host)| (host, PolicyMatcher::new(policy, port.into_iter())));
    let open = flows.iter().map(|flow| {
        let judged = judge
            .as_ref()
            .and_then(|(host, policy)| Some((host.state(flow)?, policy.allows(&flow.original))));
        OpenFlow::new(flow, judged, established)
    });
    let mut open: Vec<OpenFlow> = open.collect();
    open.sort_by_key(|flow| flow.source_port);
    Ok(open)
}

fn flows(connection: &mut Connection, packet: &Packet) -> Result<Vec<Flow>, Error> {
    let is_asked = |flow: &Flow| {
        let original = &flow.original;
        (original.source, original.destination) == (packet.source, packet.destination)
            && (original.protocol, original.destination_port) == (packet.protocol, packet.port)
    };
    let mut found = Vec::new();
    let request = |sequence| Request::flows(None, sequence);
    let failure = |error| Err(Error::from_conntrack(error));
    connection.list(request, failure, |message| {
        found.extend(decode_flow(message).filter(is_asked));
    })?;
    Ok(found)
}
