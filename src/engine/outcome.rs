//! The results of applying and removing.

use std::time::Duration;

use crate::access::{Access, AccessDiff, Cause};
use crate::compile::{Limitation, limitations, unknown_ports};
use crate::model::{Docker, PublishedPort, Ruleset, Snapshot};
use crate::plan::Plan;

/// What [`Engine::apply`](super::Engine::apply) and [`Engine::remove`](super::Engine::remove) did to the
/// ruleset, or [`Engine::preview`](super::Engine::preview) would do.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// The plan that was committed; empty if the kernel was as desired and nothing was sent.
    pub plan: Plan,
    /// Which sources gain and lose access.
    pub access: AccessDiff,
    /// Why the kernel differed; `None` if it did not.
    pub cause: Option<Cause>,
    /// The generation of the ruleset afterwards.
    pub generation: u32,
    /// What was discovered of Docker: published ports, bridges, networks.
    pub docker: Docker,
    /// The published ports that the installed guard did not know before. It did not judge flows to them
    /// until now. Empty if no guard was installed.
    pub learned: Vec<PublishedPort>,
    /// The guarantees of the guard that this host cannot provide.
    pub limitations: Vec<Limitation>,
    /// How often the ruleset was dumped: 1, and one more for each concurrent change by another program.
    pub attempts: u32,
    /// For a repair in several transactions (see [`Engine::repair`](super::Engine::repair)): how long it
    /// took until the first of them had put the guard back in force.
    pub protected: Option<Duration>,
}

impl Outcome {
    /// The outcome of a plan that was made from this snapshot; `desired` is the resolved ruleset.
    pub(super) fn new(
        plan: Plan,
        generation: u32,
        desired: &Ruleset,
        snapshot: Snapshot,
        attempts: u32,
    ) -> Outcome {
        let access = match plan.is_empty() {
            true => AccessDiff::default(),
            false => Access::of_snapshot(&snapshot).diff(&Access::of_ruleset(desired)),
        };
        let cause = Cause::of(&plan, &access);
        let learned = unknown_ports(&snapshot);
        let Snapshot { docker, host, .. } = snapshot;
        let limitations = desired.guard.as_ref().map(|scope| limitations(scope, &docker, &host));
        Outcome {
            plan,
            access,
            cause,
            generation,
            docker,
            learned,
            limitations: limitations.unwrap_or_default(),
            attempts,
            protected: None,
        }
    }

    /// The same, but compared with what the kernel held at another time.
    pub(super) fn since(self, before: &Snapshot, desired: &Ruleset) -> Outcome {
        let access = Access::of_snapshot(before).diff(&Access::of_ruleset(desired));
        let cause = Cause::of(&self.plan, &access);
        Outcome { access, cause, learned: unknown_ports(before), ..self }
    }
}
