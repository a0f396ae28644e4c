//! What the program reports of a policy that was applied.

use std::time::Duration;

use dwnl::engine::{Applied, Outcome};
use dwnl::model::{ForeignTranslations, PublishedPort, Set};
use dwnl::{Error, Policy};

use crate::report::{ApplyReport, Difference, Flows, Operation};
use crate::warnings::warnings;

/// What an operator has to know of an applied policy besides the changes.
#[derive(Clone, Default)]
pub struct Findings {
    /// The warnings.
    pub warnings: Vec<String>,
    /// The published ports that no entry of the policy covers.
    pub uncovered: Vec<PublishedPort>,
    /// The translations of other programs.
    pub foreign_translations: Vec<ForeignTranslations>,
}

impl Findings {
    /// Those about a policy that was applied.
    pub fn of(policy: &Policy, applied: &Applied) -> Findings {
        let Outcome { plan, .. } = &applied.outcome;
        let mut warnings = warnings(policy, &applied.outcome);
        warnings.extend(applied.conntrack.as_ref().err().map(conntrack_warning));
        Findings {
            warnings,
            uncovered: applied.uncovered.clone(),
            foreign_translations: plan.foreign_translations.clone(),
        }
    }
}

/// The report of a policy that compiles to these sets; `verbose`: with the changes.
pub fn report<'a>(
    applied: &'a Applied,
    findings: Findings,
    sets: &[Set],
    elapsed: Duration,
    verbose: bool,
) -> ApplyReport<'a> {
    let Findings { warnings, uncovered, foreign_translations } = findings;
    let Applied { outcome, conntrack, .. } = applied;
    let mut done = ApplyReport::new(Operation::Apply, outcome, sets, elapsed, warnings);
    done.unmentioned = Some(uncovered);
    done.foreign_translations = foreign_translations;
    done.flows = conntrack.as_ref().ok().copied().map(Flows::from);
    done.difference = verbose.then(|| Difference::new(&outcome.plan, &[], true));
    done
}

fn conntrack_warning(error: &Error) -> String {
    format!("the policy is applied, but not all flows that were there before are tended: {error}")
}
