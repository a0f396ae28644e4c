//! What a reconciler reports.

use std::time::Duration;

use super::Attribution;
use crate::engine::{Applied, Error, FlowChanges, Outcome};

/// What a [`Reconciler`](super::Reconciler) reports.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReconcileEvent {
    /// The rules differed from the policy and were repaired.
    Repaired(Repair),
    /// The rules were compared with the policy and did not differ.
    #[non_exhaustive]
    InSync {
        /// The result, with an empty plan.
        outcome: Outcome,
        /// The commits since the previous comparison.
        causes: Attribution,
        /// How long the comparison took.
        elapsed: Duration,
    },
    /// Other programs keep changing what is repaired, so that repairs are now as rare as they get. Each
    /// further [`Repair`] has `is_flapping` set, until [`ReconcileEvent::Stable`].
    #[non_exhaustive]
    Flapping {
        /// The commits before the latest repair.
        causes: Attribution,
        /// The time between two repairs from now on.
        pause: Duration,
    },
    /// Other programs have stopped changing what is repaired.
    #[non_exhaustive]
    Stable {
        /// The number of repairs since [`ReconcileEvent::Flapping`].
        repairs: u64,
    },
    /// An entry of the policy has opened or closed by its schedule, and established flows were judged again
    /// because the policy cuts those that are no longer allowed.
    #[non_exhaustive]
    Scheduled {
        /// What was done to them.
        flows: Result<FlowChanges, Error>,
    },
    /// The kernel dropped notifications. The rules are compared again.
    Overrun,
    /// The rules could not be compared or repaired. This is tried again, with growing pauses.
    Failed(Error),
}

/// A repair: what was done, and why.
#[derive(Debug)]
#[non_exhaustive]
pub struct Repair {
    /// What was done to the rules and to conntrack. The plan is not empty.
    pub applied: Applied,
    /// The commits since the previous comparison.
    pub causes: Attribution,
    /// Whether other programs had changed what dwnl installed, or may have. If not, the rules only
    /// follow what Docker publishes.
    pub is_drift: bool,
    /// Whether other programs have kept changing what is repaired since before this repair.
    pub is_flapping: bool,
}
