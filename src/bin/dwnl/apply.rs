//! What follows from a policy that has been applied: flows are tended, and it is told what was done.

use std::time::{Duration, Instant};

use dwnl::engine::{FlowChanges, Outcome};
use dwnl::model::{ForeignTranslations, PublishedPort, Set};
use dwnl::{Engine, Error, Policy, uncovered_ports};

use crate::report::{ApplyReport, Difference, Flows, Operation};
use crate::warnings::warnings;

/// What came of applying a policy.
pub struct Applied {
    /// What was done to the ruleset.
    pub outcome: Outcome,
    /// The published ports that the policy does not mention.
    pub uncovered: Vec<PublishedPort>,
    /// The translations of other programs that the report is to tell of.
    pub foreign_translations: Vec<ForeignTranslations>,
    /// How long all of it took.
    pub elapsed: Duration,
    /// What the operator has to be warned of.
    pub warnings: Vec<String>,
    tended: Option<FlowChanges>,
}

impl Applied {
    /// Tends the flows after a policy was applied with this outcome. That it does not succeed is
    /// worth a warning: the rules are in force all the same.
    pub fn new(
        engine: &mut Engine,
        policy: &Policy,
        outcome: Outcome,
        started: Instant,
    ) -> Applied {
        let mut warnings = warnings(policy, &outcome);
        let tended = engine.reconcile_conntrack(policy, &outcome);
        let tended = tended.map_err(|error| warnings.push(conntrack_warning(&error))).ok();
        let uncovered = uncovered_ports(policy, &outcome.docker);
        let foreign_translations = outcome.plan.foreign_translations.clone();
        let elapsed = started.elapsed();
        Applied { outcome, uncovered, foreign_translations, elapsed, warnings, tended }
    }

    /// The report of it, where the policy leads to these sets; `verbose`: with the changes.
    pub fn report(&self, sets: &[Set], verbose: bool) -> ApplyReport<'_> {
        let warnings = self.warnings.clone();
        let mut done =
            ApplyReport::new(Operation::Apply, &self.outcome, sets, self.elapsed, warnings);
        done.unmentioned = Some(self.uncovered.clone());
        done.foreign_translations = self.foreign_translations.clone();
        done.flows = self.tended.map(Flows::from);
        done.difference = verbose.then(|| Difference::new(&self.outcome.plan, &[], true));
        done
    }
}

fn conntrack_warning(error: &Error) -> String {
    format!("the policy is applied, but not all flows that were there before are tended: {error}")
}
