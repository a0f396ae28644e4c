//! What becomes of the flows that a change of the policy leaves behind: pure values, no input or
//! output.
//!
//! Connection tracking decides on the translation of a flow by its first packet. A flow that was
//! refused keeps its untranslated entry as long as its packets come, and one that was let in goes on
//! when its source is no longer allowed. [`Host`] tells the flows to published ports from all others,
//! [`Admission`] whether the policy lets a flow in, and [`fate`] what follows.

mod address_set;
mod classifier;
mod policy_matcher;
#[cfg(test)]
mod tests;

use crate::policy::Established;

pub(crate) use address_set::AddressSet;
pub(crate) use classifier::{Host, State};
pub(crate) use policy_matcher::Admission;

/// What becomes of a flow. Both times its entry is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was refused: its next packet is judged as if it were its first.
    Forgotten,
    /// It was let in: it has come to its end.
    Ended,
}

/// What becomes of a flow that the policy, as far as is known, lets in or does not.
pub(crate) fn fate(state: State, may_enter: bool, established: Established) -> Option<Fate> {
    match (state, may_enter, established) {
        (State::Refused, true, _) => Some(Fate::Forgotten),
        (State::LetIn, false, Established::Cut) | (State::Unjudged, false, _) => Some(Fate::Ended),
        _ => None,
    }
}
