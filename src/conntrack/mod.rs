//! Decides which conntrack entries a policy contradicts. Pure values, no input or output.
//!
//! Conntrack decides on the translation of a flow by its first packet. A rejected flow keeps its
//! untranslated entry while its packets arrive, and an admitted flow continues when its source is no longer
//! allowed. [`FlowClassifier`] selects the flows to published ports, [`PolicyMatcher`] decides whether the
//! policy allows a flow, and [`flow_action`] what to do with it.

mod address_set;
mod classifier;
mod policy_matcher;
mod rule_matcher;
#[cfg(test)]
mod tests;

use crate::policy::Established;

pub(crate) use address_set::AddressSet;
pub(crate) use classifier::{FlowClassifier, FlowState};
pub(crate) use policy_matcher::PolicyMatcher;
pub(crate) use rule_matcher::RuleMatcher;

/// What to do with a flow. Either action deletes its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowAction {
    /// It was rejected: its next packet is judged as a first packet.
    Clear,
    /// It was admitted: it ends.
    Terminate,
}

/// What to do with a flow, if anything. `is_allowed`: whether the policy may allow it.
pub(crate) fn flow_action(
    state: FlowState,
    is_allowed: bool,
    established: Established,
) -> Option<FlowAction> {
    match (state, is_allowed, established) {
        (FlowState::Rejected, true, _) => Some(FlowAction::Clear),
        (FlowState::Admitted, false, Established::Cut) | (FlowState::Unjudged, false, _) => {
            Some(FlowAction::Terminate)
        }
        _ => None,
    }
}
