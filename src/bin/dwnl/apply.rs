//! The report of an applied policy.

use std::time::Duration;

use dwnl::engine::{Applied, Outcome};
use dwnl::model::{ForeignTranslations, PublishedPort};
use dwnl::{Error, Policy};

use crate::report::{
    AccessReport, ApplyReport, Difference, GrantCounts, HostLabels, Operation, PolicyEffects,
    Tense, host_labels,
};
use crate::warnings::warnings;

/// What to report about an applied policy besides the changes.
#[derive(Clone, Default)]
pub struct Findings {
    /// Whether the policy is the last valid one, because the file has errors.
    pub is_fallback: bool,
    /// The warnings.
    pub warnings: Vec<String>,
    /// Published ports that no entry of the policy covers.
    pub uncovered: Vec<PublishedPort>,
    /// Port forwards of other programs.
    pub foreign_translations: Vec<ForeignTranslations>,
    /// What is allowed and denied by hand.
    pub by_hand: Option<GrantCounts>,
    /// The host names of the policy by their addresses.
    pub names: HostLabels,
}

impl Findings {
    /// The findings about a policy that was applied.
    pub fn of(policy: &Policy, applied: &Applied) -> Findings {
        let Outcome { plan, .. } = &applied.outcome;
        let mut warnings = warnings(policy, &applied.outcome);
        warnings.extend(applied.conntrack.as_ref().err().map(conntrack_warning));
        Findings {
            is_fallback: false,
            warnings,
            uncovered: applied.uncovered.clone(),
            foreign_translations: plan.foreign_translations.clone(),
            by_hand: None,
            names: host_labels(policy),
        }
    }

    /// Warns of a policy that was applied but could not be stored, with the reason.
    pub fn not_stored(&mut self, stored: Result<(), String>) {
        let warning = |reason| format!("policy applied, but it could not be stored: {reason}");
        self.warnings.extend(stored.err().map(warning));
    }
}

/// The report of an applied policy; with `verbose`, the changes are listed.
pub fn report<'a>(
    applied: &'a Applied,
    findings: Findings,
    elapsed: Duration,
    verbose: bool,
) -> ApplyReport<'a> {
    let Findings { is_fallback, warnings, uncovered, foreign_translations, by_hand, names } =
        findings;
    let Applied { outcome, conntrack, .. } = applied;
    let mut access = AccessReport::new(outcome, Tense::Done, verbose);
    access.names = names;
    let mut done = ApplyReport::new(Operation::Apply, outcome, elapsed);
    done.effects = Some(PolicyEffects {
        is_fallback,
        access,
        flows: conntrack.as_ref().ok().copied().into(),
        uncovered_ports: uncovered,
        foreign_translations,
        by_hand,
        warnings,
    });
    done.difference = verbose.then(|| Difference::new(&outcome.plan, true));
    done
}

fn conntrack_warning(error: &Error) -> String {
    format!("policy applied, but conntrack entries of existing flows could not be updated: {error}")
}
