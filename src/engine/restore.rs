//! Restores what dwnl had installed: rules, sets, and the conntrack entries of flows.

use std::collections::HashSet;
use std::time::Instant;

use super::conntrack::FlowKey;
use super::grants::Carried;
use super::{Applied, Engine, Error, FlowChanges};
use crate::compile::{Installed, installed};
use crate::model::{Ruleset, Snapshot};
use crate::plan::Plan;

/// What dwnl had installed at one moment, for [`Engine::restore`]. It belongs to the network namespace
/// of the engine that took it; any engine there can restore it.
#[derive(Clone, Debug)]
pub struct RestorePoint {
    /// The resolved ruleset; `None` if nothing was installed.
    ruleset: Option<Ruleset>,
    unrestorable: Vec<String>,
    /// The flows to published ports that were admitted.
    flows: HashSet<FlowKey>,
    /// The grants and bans by hand.
    grants: Carried,
}

impl RestorePoint {
    /// What cannot be restored, because dwnl never creates it: foreign rules and objects in dwnl's own
    /// chains and tables, in words. The next apply of any policy removes them.
    pub fn unrestorable(&self) -> &[String] {
        &self.unrestorable
    }

    /// Whether dwnl had installed nothing, so that restoring removes everything.
    pub fn is_empty(&self) -> bool {
        self.ruleset.is_none()
    }
}

impl Engine {
    /// Records what dwnl has installed, and which flows to published ports are admitted. Changes
    /// nothing.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn restore_point(&mut self) -> Result<RestorePoint, Error> {
        let snapshot = self.snapshot()?;
        let Installed { ruleset, unrestorable } = installed(&snapshot);
        let flows = self.admitted_flows(&snapshot.docker)?;
        let grants = self.grants_of(&snapshot)?;
        Ok(RestorePoint { ruleset, unrestorable, flows, grants })
    }

    /// Makes the kernel hold again what it held at the restore point, with the transactions and retries of
    /// [`Engine::apply`]. Rules and sets that are unchanged keep their counters; the others start at zero.
    ///
    /// Then deletes conntrack entries on which the restored rules decide differently: rejected flows
    /// that they admit, and flows that were admitted since and that they do not. Flows that were
    /// terminated since cannot be restored.
    ///
    /// # Errors
    /// See [`Error`]. The ruleset is unchanged.
    pub fn restore(&mut self, point: &RestorePoint) -> Result<Applied, Error> {
        let started = Instant::now();
        let outcome = match &point.ruleset {
            None => self.remove()?,
            Some(ruleset) => {
                let plan =
                    |snapshot: &Snapshot| Ok((Plan::diff(ruleset, snapshot)?, ruleset.clone()));
                // If the sets were deleted since, they hold again what they held.
                let carried = self.carry(&point.grants);
                let outcome = self.converge(Engine::current, plan);
                self.put_back(carried);
                outcome?
            }
        };
        let ruleset = point.ruleset.as_ref();
        let conntrack = self.restore_conntrack(ruleset, &point.flows, &outcome.docker);
        Ok(Applied { outcome, conntrack, uncovered: Vec::new(), elapsed: started.elapsed() })
    }

    /// Calls `apply`, which puts the policy back in force that was so at the restore point. Commits that
    /// create the sets of grants and bans fill them with what they held then. Then judges the flows as
    /// [`Engine::restore`] does.
    pub(crate) fn apply_as_before(
        &mut self,
        point: &RestorePoint,
        apply: impl FnOnce(&mut Engine) -> Result<Applied, Error>,
    ) -> Result<Applied, Error> {
        let carried = self.carry(&point.grants);
        let applied = apply(self);
        self.put_back(carried);
        let mut applied = applied?;
        let ruleset = point.ruleset.as_ref();
        let restored = self.restore_conntrack(ruleset, &point.flows, &applied.outcome.docker);
        applied.conntrack = applied.conntrack.and_then(|changes| {
            let FlowChanges { cleared, terminated } = restored?;
            Ok(FlowChanges {
                cleared: changes.cleared + cleared,
                terminated: changes.terminated + terminated,
            })
        });
        Ok(applied)
    }
}
