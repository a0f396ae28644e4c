//! The report of `apply` and `remove`.

use std::io::{self, Write};
use std::time::Duration;

use dwnl::engine::{FlowChanges, Outcome};
use dwnl::model::{ForeignTranslations, PublishedPort, Set};
use dwnl::plan::Change;
use serde::{Serialize, Serializer};

use super::count::{Count, Counted, Thousands};
use super::format::Elapsed;
use super::translations::write_left_out;
use super::{Difference, Report};

/// What was done to the kernel's ruleset.
#[derive(Debug, Serialize)]
pub struct ApplyReport<'a> {
    #[serde(skip)]
    deed: Operation,
    changed: bool,
    added: usize,
    removed: usize,
    unchanged: usize,
    generation: u32,
    attempts: u32,
    elapsed_us: u64,
    /// What became of the flows, where they are tended.
    #[serde(flatten)]
    pub flows: Option<Flows>,
    warnings: Vec<String>,
    /// The published ports that the policy does not mention, where a policy was applied.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "published")]
    pub unmentioned: Option<Vec<PublishedPort>>,
    /// Translations of other programs beside the jumps, where a policy was applied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(serialize_with = "super::translations::serialize")]
    pub foreign_translations: Vec<ForeignTranslations>,
    #[serde(skip)]
    counted: Counted,
    #[serde(skip)]
    chains_removed: usize,
    #[serde(skip)]
    sets_removed: usize,
    #[serde(skip)]
    elapsed: Duration,
    /// The changes, where they are to be told too.
    #[serde(rename = "changes", skip_serializing_if = "Option::is_none")]
    #[serde(serialize_with = "changes")]
    pub difference: Option<Difference<'a>>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// That the kernel holds the policy.
    Apply,
    /// That the kernel holds nothing of dwnl's.
    Remove,
}

/// How many flows did not outlast the change.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Flows {
    #[serde(rename = "flows_forgotten")]
    forgotten: usize,
    #[serde(rename = "flows_ended")]
    ended: usize,
}

impl From<FlowChanges> for Flows {
    fn from(tended: FlowChanges) -> Flows {
        Flows { forgotten: tended.cleared, ended: tended.terminated }
    }
}

impl<'a> ApplyReport<'a> {
    /// What the outcome, which has led to these sets, says after so long a time.
    pub fn new(
        deed: Operation,
        outcome: &Outcome,
        sets: &[Set],
        elapsed: Duration,
        warnings: Vec<String>,
    ) -> ApplyReport<'a> {
        let plan = &outcome.plan;
        let count = |is: fn(&&Change) -> bool| plan.changes.iter().filter(is).count();
        ApplyReport {
            deed,
            changed: !plan.is_empty(),
            added: plan.added(),
            removed: plan.removed(),
            unchanged: plan.unchanged,
            generation: outcome.generation,
            attempts: outcome.attempts,
            elapsed_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            flows: None,
            warnings,
            unmentioned: None,
            foreign_translations: Vec::new(),
            counted: Counted::of(plan, sets),
            chains_removed: count(|change| matches!(change, Change::DeleteChain(_))),
            sets_removed: count(|change| matches!(change, Change::DeleteSet { .. })),
            elapsed,
            difference: None,
        }
    }

    /// `1 rule added, 2 removed, 40 unchanged (generation 17, 1.2 ms)`
    pub(super) fn summary(&self) -> String {
        let (removed, unchanged) = (Thousands(self.removed), Thousands(self.unchanged));
        let added = self.counted.count(self.added);
        let circumstances = self.details();
        format!("{added} added, {removed} removed, {unchanged} unchanged {circumstances}")
    }

    /// `(generation 17, 1.2 ms)`; the attempts are told where one was not enough.
    fn details(&self) -> String {
        let ApplyReport { generation, attempts, elapsed, .. } = self;
        let elapsed = Elapsed(*elapsed);
        match attempts {
            0 | 1 => format!("(generation {generation}, {elapsed})"),
            attempts => format!("(generation {generation}, {elapsed}, {attempts} attempts)"),
        }
    }
}

fn published<S: Serializer>(
    published: &Option<Vec<PublishedPort>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(published.iter().flatten().map(ToString::to_string))
}

fn changes<S: Serializer>(
    difference: &Option<Difference>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    difference.as_ref().map(Difference::changes).serialize(serializer)
}

impl Report for ApplyReport<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_difference(out)?;
        self.write_deed(out)?;
        self.write_consequences(out)
    }
}

impl ApplyReport<'_> {
    /// Writes the changes, where they are to be told.
    pub(super) fn write_difference(&self, out: &mut dyn Write) -> io::Result<()> {
        self.difference.as_ref().map_or(Ok(()), |difference| difference.write_changes(out))
    }

    /// Writes what has become of the second jump, ports and flows.
    pub(super) fn write_consequences(&self, out: &mut dyn Write) -> io::Result<()> {
        write_left_out(out, &self.foreign_translations)?;
        for published in self.unmentioned.iter().flatten() {
            writeln!(
                out,
                "open to nobody: {published}, which Docker publishes and no entry names"
            )?;
        }
        self.write_flows(out)
    }

    fn write_deed(&self, out: &mut dyn Write) -> io::Result<()> {
        let ApplyReport { counted, generation, .. } = self;
        match (self.changed, self.deed) {
            (true, Operation::Apply) => writeln!(out, "applied: {}", self.summary()),
            (true, Operation::Remove) => {
                let rules = counted.count(self.removed);
                let chains = Count(self.chains_removed, "chain");
                let containers = match self.sets_removed {
                    0 => format!(" and {chains}"),
                    sets => format!(", {chains} and {}", Count(sets, "set")),
                };
                writeln!(out, "removed: {rules}{containers} {}", self.details())
            }
            (false, Operation::Apply) => {
                let standing = counted.up_to_date(self.unchanged);
                writeln!(out, "nothing to do: {standing} (generation {generation})")
            }
            (false, Operation::Remove) => {
                writeln!(out, "nothing to do: not installed (generation {generation})")
            }
        }
    }

    /// What an apply that left all flows alone says nothing about.
    fn write_flows(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.flows {
            None | Some(Flows { forgotten: 0, ended: 0 }) => Ok(()),
            Some(Flows { forgotten, ended }) => {
                let forgotten = Count(forgotten, "refused flow");
                writeln!(out, "{forgotten} forgotten, {} ended", Count(ended, "open flow"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dwnl::model::{Family, Ports, Position, Protocol, RuleContent};

    use super::super::test_support::{allow, json, large_group, outcome, path, set_path, text};
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
        let done = ApplyReport::new(
            Operation::Apply,
            &outcome,
            &[],
            ELAPSED,
            vec!["no effect".to_owned()],
        );
        assert_eq!(
            text(&done),
            "applied: 1 rule added, 2 removed, 40 unchanged (generation 17, 1.2 ms)\n"
        );
        assert_eq!(
            json(&done),
            concat!(
                r#"{"changed":true,"added":1,"removed":2,"unchanged":40,"generation":17,"#,
                r#""attempts":1,"elapsed_us":1234,"warnings":["no effect"]}"#
            )
        );
    }

    #[test]
    fn a_verbose_apply_tells_the_changes_too() {
        let outcome = outcome(change(), 1);
        let mut done = ApplyReport::new(Operation::Apply, &outcome, &[], ELAPSED, Vec::new());
        done.difference = Some(Difference::new(&outcome.plan, &[], true));
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
    fn a_verbose_apply_tells_programs_the_changes_too() {
        let outcome = outcome(vec![Change::DeleteChain(path(Family::Ip, "DOCKER-BLOCK"))], 1);
        let mut done = ApplyReport::new(Operation::Apply, &outcome, &[], ELAPSED, Vec::new());
        done.difference = Some(Difference::new(&outcome.plan, &[], true));
        let changes = concat!(
            r#""changes":[{"op":"delete-chain","family":"ip","table":"nat","#,
            r#""chain":"DOCKER-BLOCK"}]}"#
        );
        assert!(json(&done).ends_with(changes), "{}", json(&done));
    }

    #[test]
    fn elements_and_sets_are_counted() {
        let applied = outcome(Vec::new(), 1);
        let sets = large_group().sets;
        let done = ApplyReport::new(Operation::Apply, &applied, &sets, ELAPSED, Vec::new());
        assert_eq!(text(&done), "nothing to do: 40 rules and elements stand (generation 17)\n");
        let mut changes = change();
        changes.push(Change::DeleteSet { set: set_path("cdn-4"), elements: 99_998 });
        let removed = outcome(changes, 1);
        let done = ApplyReport::new(Operation::Remove, &removed, &[], ELAPSED, Vec::new());
        assert_eq!(
            text(&done),
            "removed: 100,000 rules and elements, 1 chain and 1 set (generation 17, 1.2 ms)\n"
        );
    }

    #[test]
    fn what_became_of_flows_is_told() {
        let outcome = outcome(Vec::new(), 1);
        let done = |forgotten, ended| {
            let mut done = ApplyReport::new(Operation::Apply, &outcome, &[], ELAPSED, Vec::new());
            let mut changes = FlowChanges::default();
            (changes.cleared, changes.terminated) = (forgotten, ended);
            done.flows = Some(changes.into());
            done
        };
        assert_eq!(text(&done(0, 0)), "nothing to do: 40 rules stand (generation 17)\n");
        assert_eq!(
            text(&done(1, 1_200)),
            "nothing to do: 40 rules stand (generation 17)\n\
             1 refused flow forgotten, 1,200 open flows ended\n"
        );
        let json = json(&done(0, 2));
        assert!(json.contains(r#""flows_forgotten":0,"flows_ended":2,"#), "{json}");
    }

    #[test]
    fn ports_that_nobody_can_reach_are_told() {
        let outcome = outcome(Vec::new(), 1);
        let mut done = ApplyReport::new(Operation::Apply, &outcome, &[], ELAPSED, Vec::new());
        let ports = Ports::new(Protocol::Tcp, 8080, 8081).expect("ports");
        let address = "203.0.113.5".parse().expect("an address");
        let published = PublishedPort { address: Some(address), family: Family::Ip, ports };
        done.unmentioned = Some(vec![published]);
        assert_eq!(
            text(&done),
            "nothing to do: 40 rules stand (generation 17)\n\
             open to nobody: 8080-8081/tcp on 203.0.113.5, which Docker publishes and no entry names\n"
        );
        assert!(json(&done).contains(r#""unmentioned":["8080-8081/tcp on 203.0.113.5"]"#));
    }

    #[test]
    fn attempts_are_told_where_one_was_not_enough() {
        let done =
            ApplyReport::new(Operation::Remove, &outcome(change(), 3), &[], ELAPSED, Vec::new());
        assert_eq!(
            text(&done),
            "removed: 2 rules and 1 chain (generation 17, 1.2 ms, 3 attempts)\n"
        );
    }

    #[test]
    fn doing_nothing_is_told() {
        let outcome = outcome(Vec::new(), 1);
        let text = |deed| text(&ApplyReport::new(deed, &outcome, &[], ELAPSED, Vec::new()));
        assert_eq!(text(Operation::Apply), "nothing to do: 40 rules stand (generation 17)\n");
        assert_eq!(text(Operation::Remove), "nothing to do: not installed (generation 17)\n");
    }
}
