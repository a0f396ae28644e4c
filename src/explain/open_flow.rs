//! What becomes of the flows that a source already has to a port.

use std::net::{IpAddr, SocketAddr};

use crate::conntrack::{FlowAction, FlowState, flow_action};
use crate::model::{Flow, Status};
use crate::policy::Established;

/// A flow of the source to the port, as connection tracking has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFlow {
    /// The source's port.
    pub source_port: u16,
    /// The address that the source called.
    pub destination: IpAddr,
    /// Who answers, or is expected to: the container where the flow is translated.
    pub server: SocketAddr,
    /// Whether there were packets in both directions.
    pub is_answered: bool,
    /// Whether its destination is translated.
    pub is_translated: bool,
    /// How long the entry lasts if no more packets come, in seconds.
    pub expires_in: u32,
    /// What becomes of it.
    pub fate: FlowFate,
}

/// What becomes of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlowFate {
    /// It goes on as it began, and the policy allows it, or does not judge it.
    GoesOn,
    /// It goes on although the policy does not allow it: `established = "keep"`.
    Kept,
    /// The next apply ends it.
    Terminated,
    /// It was refused, and its packets stay refused until the entry expires or an apply clears it,
    /// because the policy allows it now.
    Stale,
    /// It was refused, and the policy does not allow it.
    Refused,
}

impl OpenFlow {
    /// The flow. `judged`: its state, if it is one from outside to a published port, and whether the policy
    /// allows it.
    pub(crate) fn new(
        flow: &Flow,
        judged: Option<(FlowState, bool)>,
        established: Established,
    ) -> OpenFlow {
        let Flow { original, reply, status, timeout, .. } = flow;
        OpenFlow {
            source_port: original.source_port,
            destination: original.destination,
            server: SocketAddr::new(reply.source, reply.source_port),
            is_answered: status.has(Status::SEEN_REPLY),
            is_translated: status.has(Status::DESTINATION_NAT),
            expires_in: *timeout,
            fate: judged.map_or(FlowFate::GoesOn, |(state, is_allowed)| {
                fate(state, is_allowed, established)
            }),
        }
    }
}

fn fate(state: FlowState, is_allowed: bool, established: Established) -> FlowFate {
    match flow_action(state, is_allowed, established) {
        Some(FlowAction::Clear) => FlowFate::Stale,
        Some(FlowAction::Terminate) => FlowFate::Terminated,
        None if state == FlowState::Rejected => FlowFate::Refused,
        None if is_allowed => FlowFate::GoesOn,
        None => FlowFate::Kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_and_the_state_decide() {
        use FlowState::{Admitted, Rejected, Unjudged};
        for (state, is_allowed, established, expected) in [
            (Admitted, true, Established::Cut, FlowFate::GoesOn),
            (Admitted, false, Established::Keep, FlowFate::Kept),
            (Admitted, false, Established::Cut, FlowFate::Terminated),
            (Unjudged, false, Established::Keep, FlowFate::Terminated),
            (Rejected, true, Established::Keep, FlowFate::Stale),
            (Rejected, false, Established::Cut, FlowFate::Refused),
        ] {
            assert_eq!(fate(state, is_allowed, established), expected, "{state:?} {is_allowed}");
        }
    }
}
