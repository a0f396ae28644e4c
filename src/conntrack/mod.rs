//! What becomes of the flows that a change of the policy leaves behind: pure values, no input or
//! output.
//!
//! Connection tracking decides on the translation of a flow by its first packet. A flow that was
//! refused keeps its untranslated entry as long as its packets come, and one that was let in goes on
//! when its source is no longer allowed. [`FlowClassifier`] tells the flows to published ports from all others,
//! [`PolicyMatcher`] whether the policy lets a flow in, and [`flow_action`] what follows.

mod address_set;
mod classifier;
mod policy_matcher;
#[cfg(test)]
mod tests;

use crate::policy::Established;

pub(crate) use address_set::AddressSet;
pub(crate) use classifier::{FlowClassifier, FlowState};
pub(crate) use policy_matcher::PolicyMatcher;

/// What becomes of a flow. Both times its entry is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowAction {
    /// It was refused: its next packet is judged as if it were its first.
    Clear,
    /// It was let in: it has come to its end.
    Terminate,
}

/// What becomes of a flow that the policy, as far as is known, lets in or does not.
pub(crate) fn flow_action(
    state: FlowState,
    may_enter: bool,
    established: Established,
) -> Option<FlowAction> {
    match (state, may_enter, established) {
        (FlowState::Rejected, true, _) => Some(FlowAction::Clear),
        (FlowState::Admitted, false, Established::Cut) | (FlowState::Unjudged, false, _) => {
            Some(FlowAction::Terminate)
        }
        _ => None,
    }
}
