//! The report of `apply` and `remove`.

use std::io::{self, Write};
use std::time::Duration;

use dwnl::engine::{FlowChanges, Outcome};
use dwnl::model::{ForeignTranslations, PublishedPort};
use dwnl::plan::Change;
use serde::{Serialize, Serializer};

use super::count::{Count, Counts};
use super::foreign_translations::{self, write_left_out};
use super::format::{self, Elapsed};
use super::grants::{GrantCounts, write_by_hand};
use super::published::{serialize_published, write_uncovered};
use super::{AccessReport, Difference, Report};

/// The changes that were made to the kernel's ruleset.
#[derive(Debug, Serialize)]
pub struct ApplyReport<'a> {
    #[serde(skip)]
    operation: Operation,
    has_changes: bool,
    #[serde(flatten)]
    counts: Counts,
    generation: u32,
    attempts: u32,
    elapsed_us: u64,
    /// The effects of the policy besides its rules; `None` for `remove`.
    #[serde(flatten)]
    pub effects: Option<PolicyEffects>,
    /// The changes, if they are to be listed.
    #[serde(rename = "changes", serialize_with = "changes")]
    pub difference: Option<Difference<'a>>,
    #[serde(skip)]
    chains_removed: usize,
    #[serde(skip)]
    sets_removed: usize,
    #[serde(skip)]
    elapsed: Duration,
}

/// The operation that changed the ruleset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The kernel was made to match the policy.
    Apply,
    /// Everything that dwnl installed was removed.
    Remove,
}

/// The effects of a policy besides its rules.
#[derive(Debug, Serialize)]
pub struct PolicyEffects {
    /// Whether the policy is the last valid one, because the file has errors.
    pub is_fallback: bool,
    /// Which sources gained and lost access.
    #[serde(flatten)]
    pub access: AccessReport,
    /// The changes of conntrack entries; `None` if they could not be updated.
    #[serde(flatten)]
    pub flows: Flows,
    /// Published ports that no entry of the policy covers.
    #[serde(serialize_with = "serialize_published")]
    pub uncovered_ports: Vec<PublishedPort>,
    /// Port forwards of other programs in the chains of dwnl's jumps.
    #[serde(serialize_with = "foreign_translations::serialize")]
    pub foreign_translations: Vec<ForeignTranslations>,
    /// What is allowed and denied by hand; `None` if nothing is.
    pub by_hand: Option<GrantCounts>,
    /// Warnings for the operator.
    pub warnings: Vec<String>,
}

/// The changes of conntrack entries.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Flows {
    #[serde(rename = "flows_cleared")]
    cleared: Option<usize>,
    #[serde(rename = "flows_terminated")]
    terminated: Option<usize>,
}

impl From<Option<FlowChanges>> for Flows {
    fn from(changes: Option<FlowChanges>) -> Flows {
        Flows {
            cleared: changes.map(|changes| changes.cleared),
            terminated: changes.map(|changes| changes.terminated),
        }
    }
}

impl<'a> ApplyReport<'a> {
    /// Builds the report of an outcome; `elapsed` is the total run time.
    pub fn new(operation: Operation, outcome: &Outcome, elapsed: Duration) -> ApplyReport<'a> {
        let plan = &outcome.plan;
        let count = |is: fn(&&Change) -> bool| plan.changes.iter().filter(is).count();
        ApplyReport {
            operation,
            has_changes: !plan.is_empty(),
            counts: Counts::of(plan),
            generation: outcome.generation,
            attempts: outcome.attempts,
            elapsed_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            effects: None,
            difference: None,
            chains_removed: count(|change| matches!(change, Change::DeleteChain(_))),
            sets_removed: count(|change| matches!(change, Change::DeleteSet { .. })),
            elapsed,
        }
    }

    /// `1 rule added, 2 removed, 40 unchanged (generation 17, 1.2 ms)`
    pub(super) fn summary(&self) -> String {
        format!("{} {}", self.counts.changes("added", "removed"), self.details())
    }

    /// `(generation 17, 1.2 ms)`, and the number of attempts if there was more than one.
    fn details(&self) -> String {
        let ApplyReport { generation, attempts, elapsed, .. } = self;
        let elapsed = Elapsed(*elapsed);
        match attempts {
            0 | 1 => format!("(generation {generation}, {elapsed})"),
            attempts => format!("(generation {generation}, {elapsed}, {attempts} attempts)"),
        }
    }

    /// `2 rules and 1 chain`, `2 rules, 100 set elements, 1 chain and 1 set`
    fn removed(&self) -> String {
        let Counts { rules_removed, elements_removed, .. } = self.counts;
        let some = |number, noun| (number > 0).then(|| Count(number, noun).to_string());
        let mut parts = vec![Count(rules_removed, "rule").to_string()];
        parts.extend(some(elements_removed, "set element"));
        parts.push(Count(self.chains_removed, "chain").to_string());
        parts.extend(some(self.sets_removed, "set"));
        format::join_and(&parts)
    }
}

fn changes<S: Serializer>(
    difference: &Option<Difference>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    difference.as_ref().map(Difference::changes).serialize(serializer)
}

impl Report for ApplyReport<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_access(out)?;
        self.write_difference(out)?;
        self.write_summary(out)?;
        self.write_effects(out)
    }
}

impl ApplyReport<'_> {
    /// Writes which sources gained and lost access.
    pub(super) fn write_access(&self, out: &mut dyn Write) -> io::Result<()> {
        self.effects.as_ref().map_or(Ok(()), |effects| effects.access.write(out))
    }

    /// Writes the changes, if they are to be listed.
    pub(super) fn write_difference(&self, out: &mut dyn Write) -> io::Result<()> {
        self.difference.as_ref().map_or(Ok(()), |difference| difference.write_changes(out))
    }

    /// Writes what follows from the policy for ports, flows and the RETURN rule.
    pub(super) fn write_effects(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(effects) = &self.effects else { return Ok(()) };
        write_by_hand(out, effects.by_hand.as_ref())?;
        write_left_out(out, &effects.foreign_translations)?;
        write_uncovered(out, &effects.uncovered_ports)?;
        effects.flows.write(out)
    }

    fn write_summary(&self, out: &mut dyn Write) -> io::Result<()> {
        let ApplyReport { counts, generation, .. } = self;
        match (self.has_changes, self.operation) {
            (true, Operation::Apply) => writeln!(out, "applied: {}", self.summary()),
            (true, Operation::Remove) => {
                writeln!(out, "removed: {} {}", self.removed(), self.details())
            }
            (false, Operation::Apply) => {
                writeln!(out, "up to date: {} (generation {generation})", counts.unchanged())
            }
            (false, Operation::Remove) => {
                writeln!(out, "nothing to remove: not installed (generation {generation})")
            }
        }
    }
}

impl Flows {
    /// Writes nothing if no conntrack entry was changed.
    fn write(self, out: &mut dyn Write) -> io::Result<()> {
        let (cleared, terminated) = (self.cleared.unwrap_or(0), self.terminated.unwrap_or(0));
        if cleared == 0 && terminated == 0 {
            return Ok(());
        }
        let cleared = Count(cleared, "rejected flow");
        let terminated = Count(terminated, "established flow");
        writeln!(out, "conntrack: {cleared} cleared, {terminated} terminated")
    }
}

#[cfg(test)]
mod tests {
    use dwnl::model::{Family, Ports, Position, Protocol, RuleContent};

    use super::super::Tense;
    use super::super::test_support::{allow, json, outcome, path, set_path, text};
    use super::*;

    const ELAPSED: Duration = Duration::from_micros(1_234);

    fn change() -> Vec<Change> {
        let chain = path(Family::Ip, "DOCKER-BLOCK");
        let content = RuleContent::Known(allow(None, 80));
        vec![
            Change::AddRule {
                chain: chain.clone(),
                place: Position::Append,
                rule: allow(None, 443),
                origin: None,
            },
            Change::FlushChain { chain: chain.clone(), contents: vec![content.clone(), content] },
            Change::DeleteChain(chain),
        ]
    }

    #[test]
    fn an_apply_counts_its_rules() {
        let outcome = outcome(change(), 1);
        let done = ApplyReport::new(Operation::Apply, &outcome, ELAPSED);
        assert_eq!(
            text(&done),
            "applied: 1 rule added, 2 removed, 40 unchanged (generation 17, 1.2 ms)\n"
        );
        assert_eq!(
            json(&done),
            concat!(
                r#"{"has_changes":true,"rules_added":1,"rules_removed":2,"rules_unchanged":40,"#,
                r#""elements_added":0,"elements_removed":0,"elements_unchanged":0,"#,
                r#""generation":17,"attempts":1,"elapsed_us":1234,"changes":null}"#
            )
        );
    }

    #[test]
    fn a_verbose_apply_lists_the_changes() {
        let outcome = outcome(change(), 1);
        let mut done = ApplyReport::new(Operation::Apply, &outcome, ELAPSED);
        done.difference = Some(Difference::new(&outcome.plan, true));
        assert_eq!(
            text(&done),
            "\
ip nat DOCKER-BLOCK (chain deleted)
+ -A DOCKER-BLOCK -p tcp -m tcp --dport 443 -j DOCKER
- -A DOCKER-BLOCK -p tcp -m tcp --dport 80 -j DOCKER
- -A DOCKER-BLOCK -p tcp -m tcp --dport 80 -j DOCKER
applied: 1 rule added, 2 removed, 40 unchanged (generation 17, 1.2 ms)
"
        );
    }

    #[test]
    fn a_verbose_apply_lists_the_changes_in_json() {
        let outcome = outcome(vec![Change::DeleteChain(path(Family::Ip, "DOCKER-BLOCK"))], 1);
        let mut done = ApplyReport::new(Operation::Apply, &outcome, ELAPSED);
        done.difference = Some(Difference::new(&outcome.plan, true));
        let changes = concat!(
            r#""changes":[{"op":"delete_chain","family":"ip","table":"nat","#,
            r#""chain":"DOCKER-BLOCK"}]}"#
        );
        assert!(json(&done).ends_with(changes), "{}", json(&done));
    }

    #[test]
    fn elements_and_sets_are_counted() {
        let mut applied = outcome(Vec::new(), 1);
        applied.plan.unchanged = 100_040;
        applied.plan.unchanged_elements = 100_000;
        let done = ApplyReport::new(Operation::Apply, &applied, ELAPSED);
        assert_eq!(text(&done), "up to date: 40 rules, 100,000 set elements (generation 17)\n");
        let mut changes = change();
        changes.push(Change::DeleteSet { set: set_path("cdn-4"), elements: 99_998 });
        let removed = outcome(changes, 1);
        let done = ApplyReport::new(Operation::Remove, &removed, ELAPSED);
        assert_eq!(
            text(&done),
            "removed: 2 rules, 99,998 set elements, 1 chain and 1 set (generation 17, 1.2 ms)\n"
        );
    }

    fn applied(outcome: &Outcome, flows: Option<FlowChanges>) -> ApplyReport<'_> {
        let mut done = ApplyReport::new(Operation::Apply, outcome, ELAPSED);
        done.effects = Some(PolicyEffects {
            is_fallback: false,
            access: AccessReport::new(outcome, Tense::Done, false),
            flows: flows.into(),
            uncovered_ports: Vec::new(),
            foreign_translations: Vec::new(),
            by_hand: None,
            warnings: vec!["no effect".to_owned()],
        });
        done
    }

    #[test]
    fn changes_of_conntrack_entries_are_reported() {
        let outcome = outcome(Vec::new(), 1);
        let done = |cleared, terminated| {
            let mut changes = FlowChanges::default();
            (changes.cleared, changes.terminated) = (cleared, terminated);
            applied(&outcome, Some(changes))
        };
        assert_eq!(text(&done(0, 0)), "up to date: 40 rules (generation 17)\n");
        assert_eq!(
            text(&done(1, 1_200)),
            "up to date: 40 rules (generation 17)\n\
             conntrack: 1 rejected flow cleared, 1,200 established flows terminated\n"
        );
        let changed = json(&done(0, 2));
        assert!(changed.contains(r#""flows_cleared":0,"flows_terminated":2,"#), "{changed}");
        let failed = json(&applied(&outcome, None));
        assert!(failed.contains(r#""flows_cleared":null,"flows_terminated":null,"#), "{failed}");
    }

    #[test]
    fn uncovered_ports_are_reported() {
        let outcome = outcome(Vec::new(), 1);
        let mut done = applied(&outcome, None);
        let ports = Ports::new(Protocol::Tcp, 8080, 8081).expect("ports");
        let address = "203.0.113.5".parse().expect("an address");
        let published = PublishedPort { address: Some(address), family: Family::Ip, ports };
        done.effects.as_mut().expect("effects").uncovered_ports = vec![published];
        assert_eq!(
            text(&done),
            "up to date: 40 rules (generation 17)\n\
             blocked: Docker publishes 8080-8081/tcp on 203.0.113.5 but no policy entry covers it\n"
        );
        let effects = concat!(
            r#""uncovered_ports":[{"ports":"8080-8081/tcp","address":"203.0.113.5"}],"#,
            r#""foreign_translations":[],"by_hand":null,"warnings":["no effect"],"changes":null}"#
        );
        assert!(json(&done).ends_with(effects), "{}", json(&done));
    }

    #[test]
    fn several_attempts_are_reported() {
        let done = ApplyReport::new(Operation::Remove, &outcome(change(), 3), ELAPSED);
        assert_eq!(
            text(&done),
            "removed: 2 rules and 1 chain (generation 17, 1.2 ms, 3 attempts)\n"
        );
    }

    #[test]
    fn an_operation_without_changes_is_reported() {
        let outcome = outcome(Vec::new(), 1);
        let text = |operation| text(&ApplyReport::new(operation, &outcome, ELAPSED));
        assert_eq!(text(Operation::Apply), "up to date: 40 rules (generation 17)\n");
        assert_eq!(text(Operation::Remove), "nothing to remove: not installed (generation 17)\n");
    }
}
