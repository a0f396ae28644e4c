//! The events of `watch`.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use dwnl::policy::Diagnostics;
use serde::{Serialize, Serializer};

use super::count::Count;
use super::format::{Elapsed, Escaped, join_limited};
use super::indented::Indented;
use super::names::{NameChange, sentence};
use super::{
    ApplyReport, Attribution, Check, Report, fallback_sentence, write_diagnostics, write_error,
    write_warning,
};
use crate::logging::Level;
use crate::state::Fallback;

/// An event: a line of `watch --json`, and a line of the log with its details indented below it.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// The policy was applied for the first time.
    Start {
        /// The path of the policy.
        #[serde(serialize_with = "path")]
        policy: &'a Path,
        /// The changes.
        #[serde(flatten)]
        done: ApplyReport<'a>,
    },
    /// The policy was read and applied again.
    Reload {
        /// Whether the policy that was read before had errors.
        had_errors: bool,
        /// The changes.
        #[serde(flatten)]
        done: ApplyReport<'a>,
    },
    /// A policy was read and applied on trial.
    Trial {
        /// Until when it has to be confirmed.
        confirm_until: String,
        /// The changes.
        #[serde(flatten)]
        done: ApplyReport<'a>,
    },
    /// The policy on trial stays in force.
    Confirmed,
    /// The policy before the one on trial is in force again.
    RolledBack {
        /// Why.
        reason: RollbackReason,
        /// The changes.
        #[serde(flatten)]
        done: ApplyReport<'a>,
    },
    /// Names in the policy have other addresses, and the policy was applied with them.
    Names {
        /// The names.
        names: Vec<NameChange>,
        /// The changes.
        #[serde(flatten)]
        done: ApplyReport<'a>,
    },
    /// The policy now has other ports of containers.
    Containers {
        /// The changes.
        #[serde(flatten)]
        done: ApplyReport<'a>,
    },
    /// A name that could not be resolved is resolved again.
    Resolved {
        /// The name.
        name: &'a str,
    },
    /// With `--manual`: the policy's files have changed, and are not applied yet.
    Changed {
        /// The path of the policy.
        #[serde(serialize_with = "path")]
        policy: &'a Path,
    },
    /// Drift was repaired, or the rules now follow what Docker published.
    Repair {
        /// The commits of other programs before the repair.
        #[serde(flatten)]
        causes: &'a Attribution,
        /// The tables, chains and sets that were repaired.
        objects: Vec<String>,
        /// Whether another program keeps changing them, so that repairs are limited.
        is_flapping: bool,
        /// In a repair of several transactions, the time until the guard was in force again in
        /// microseconds.
        protected_us: Option<u64>,
        /// The changes.
        #[serde(flatten)]
        done: ApplyReport<'a>,
    },
    /// A check found no drift.
    Check {
        /// The commits of other programs before the check.
        #[serde(flatten)]
        causes: &'a Attribution,
        /// The duration of the check in microseconds.
        elapsed_us: u64,
    },
    /// Another program keeps changing what is repaired.
    Flapping {
        /// The last commits of other programs.
        #[serde(flatten)]
        causes: &'a Attribution,
        /// The tables, chains and sets that were repaired last.
        objects: Vec<String>,
        /// The minimum time between two repairs in milliseconds.
        repair_interval_ms: u64,
    },
    /// The other program has stopped.
    Stable {
        /// The tables, chains and sets that were repaired last.
        objects: Vec<String>,
        /// The number of repairs while it lasted.
        repairs: u64,
    },
    /// An entry does not apply any more by its schedule, and the policy cuts established flows.
    Schedule {
        /// The number of established flows that were terminated.
        flows_terminated: usize,
    },
    /// Netlink notifications were lost.
    Overrun,
    /// The policy has errors. The last valid policy stays in force.
    PolicyErrors {
        /// The errors as text.
        #[serde(skip)]
        diagnostics: &'a Diagnostics,
        /// The errors as JSON.
        #[serde(flatten)]
        check: Check<'a>,
    },
    /// The policy had errors at the start. The last valid policy is put in force instead.
    Fallback {
        /// What replaces the policy, and why.
        #[serde(skip)]
        fallback: &'a Fallback,
        /// The path of the file that the last valid policy was read from.
        #[serde(serialize_with = "path")]
        source: &'a Path,
        /// Since when it has been in force.
        applied_at: &'a str,
        /// The errors as JSON.
        #[serde(flatten)]
        check: Check<'a>,
    },
    /// An action failed; it is retried.
    Failure {
        /// The action, as an infinitive: `repair the rules`.
        action: &'static str,
        /// The cause.
        error: String,
    },
    /// Messages were dropped, because their reader did not keep up.
    Dropped {
        /// The number of messages.
        messages: u64,
    },
    /// A warning that has no effect on the rules.
    Warning {
        /// The sentence.
        message: &'a str,
    },
    /// The program ends; the rules stay.
    Stop,
}

/// Why a policy on trial does not stay in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackReason {
    /// It was not confirmed in time.
    TimeOver,
    /// A client asked for it.
    Requested,
    /// The program ends.
    Stopped,
}

impl<'a> Event<'a> {
    /// A policy with these errors.
    pub fn policy_errors(diagnostics: &'a Diagnostics) -> Event<'a> {
        Event::PolicyErrors { diagnostics, check: Check::failed(diagnostics) }
    }

    /// The last valid policy in place of one with errors.
    pub fn fallback(fallback: &'a Fallback) -> Event<'a> {
        let Fallback { errors, source, applied_at } = fallback;
        Event::Fallback { fallback, source, applied_at, check: Check::failed(errors) }
    }

    /// The severity.
    pub fn level(&self) -> Level {
        match self {
            Event::Fallback { .. } => Level::Error,
            Event::Flapping { .. }
            | Event::PolicyErrors { .. }
            | Event::Failure { .. }
            | Event::Dropped { .. }
            | Event::Warning { .. } => Level::Warning,
            Event::Repair { is_flapping: false, .. }
            | Event::Stable { .. }
            | Event::RolledBack { .. } => Level::Notice,
            Event::Start { .. }
            | Event::Reload { .. }
            | Event::Trial { .. }
            | Event::Confirmed
            | Event::Names { .. }
            | Event::Resolved { .. }
            | Event::Containers { .. }
            | Event::Changed { .. }
            | Event::Schedule { .. }
            | Event::Overrun
            | Event::Stop => Level::Info,
            Event::Repair { is_flapping: true, .. } | Event::Check { .. } => Level::Debug,
        }
    }

    fn write_headline(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Event::Start { policy, .. } => {
                writeln!(out, "watching {}", Escaped(policy.display()))
            }
            Event::Reload { had_errors: false, .. } => writeln!(out, "policy reloaded"),
            Event::Reload { had_errors: true, .. } => {
                writeln!(out, "policy reloaded (errors fixed)")
            }
            Event::Trial { confirm_until, .. } => {
                writeln!(out, "policy reloaded on trial, to be confirmed until {confirm_until}")
            }
            Event::Confirmed => writeln!(out, "confirmed: the policy stays in force"),
            Event::RolledBack { reason, .. } => {
                let reason = match reason {
                    RollbackReason::TimeOver => "not confirmed in time",
                    RollbackReason::Requested => "rolled back",
                    RollbackReason::Stopped => "stopped before the policy was confirmed",
                };
                writeln!(
                    out,
                    "{reason}; the policy before is in force again, and the file is not applied until it \
                     changes or a reload is requested"
                )
            }
            Event::Names { names, .. } => writeln!(out, "{}", Escaped(sentence(names))),
            Event::Resolved { name } => writeln!(out, "{} is resolved again", Escaped(name)),
            Event::Containers { .. } => writeln!(out, "ports of containers have changed"),
            Event::Changed { policy } => {
                let policy = Escaped(policy.display());
                writeln!(out, "{policy} has changed; apply it with `dwnl apply` or SIGHUP")
            }
            Event::Repair { causes, objects, protected_us, done, .. } => {
                let (objects, summary) = (join_limited(objects), done.summary());
                write!(out, "repaired {objects}: {summary}")?;
                if let Some(protected) = protected_us.map(Duration::from_micros) {
                    write!(out, ", guard in force after {}", Elapsed(protected))?;
                }
                writeln!(out, "{}", causes.words())
            }
            Event::Check { causes, elapsed_us } => {
                let elapsed = Elapsed(Duration::from_micros(*elapsed_us));
                writeln!(out, "no drift found ({elapsed}){}", causes.words())
            }
            Event::Stable { objects, repairs } => {
                let verb = if objects.len() == 1 { "is" } else { "are" };
                let (objects, repairs) =
                    (join_limited(objects), Count(*repairs as usize, "repair"));
                writeln!(out, "{objects} {verb} stable again after {repairs}")
            }
            Event::Schedule { flows_terminated } => {
                let flows = Count(*flows_terminated, "established flow");
                writeln!(out, "{flows} terminated: the schedule of an entry has closed")
            }
            Event::Overrun => {
                writeln!(out, "netlink notifications lost (buffer overrun); re-checking everything")
            }
            Event::Fallback { fallback, .. } => write_error(out, &fallback_sentence(fallback)),
            Event::Stop => writeln!(out, "stopped; the rules stay in place"),
            Event::Flapping { .. }
            | Event::PolicyErrors { .. }
            | Event::Failure { .. }
            | Event::Dropped { .. }
            | Event::Warning { .. } => write_warning(out, &self.warning()),
        }
    }

    /// The sentence of an event that is a warning.
    fn warning(&self) -> String {
        match self {
            Event::Flapping { causes, objects, repair_interval_ms } => {
                let (author, objects) = (causes.author(), join_limited(objects));
                format!(
                    "{author} keeps changing {objects}; limiting repairs to one every \
                     {repair_interval_ms} ms and suppressing further messages until it stops"
                )
            }
            Event::PolicyErrors { diagnostics, .. } => {
                let errors = Count(diagnostics.0.len(), "error");
                format!("policy has {errors}; keeping the last valid policy")
            }
            Event::Failure { action, error } => format!("cannot {action}: {error}"),
            Event::Dropped { messages } => {
                let messages = Count(*messages as usize, "log message");
                format!("dropped {messages}: the reader did not keep up")
            }
            Event::Warning { message } => (*message).to_owned(),
            _ => String::new(),
        }
    }

    fn write_details(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Event::Start { done, .. }
            | Event::Reload { done, .. }
            | Event::Trial { done, .. }
            | Event::RolledBack { done, .. }
            | Event::Names { done, .. }
            | Event::Containers { done } => done.write(out),
            Event::Repair { done, .. } => {
                done.write_difference(out)?;
                done.write_effects(out)
            }
            Event::PolicyErrors { diagnostics, .. } => write_diagnostics(out, diagnostics),
            Event::Fallback { fallback, .. } => write_diagnostics(out, &fallback.errors),
            _ => Ok(()),
        }
    }
}

impl Report for Event<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_headline(out)?;
        self.write_details(&mut Indented::new(out))
    }
}

/// Serializes a path; bytes that are not UTF-8 are replaced.
fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

#[cfg(test)]
mod tests {
    use dwnl::engine::Outcome;
    use dwnl::model::{Family, Location, Position};
    use dwnl::plan::Change;
    use dwnl::policy::Diagnostic;

    use super::super::attribution::tests::causes;
    use super::super::test_support::{self, allow, json, path, text};
    use super::super::{Difference, Operation};
    use super::*;

    fn outcome() -> Outcome {
        let chain = path(Family::Ip, "DOCKER-BLOCK");
        let rule = allow(None, 443);
        let changes = vec![Change::AddRule { chain, place: Position::Append, rule, origin: None }];
        test_support::outcome(changes, 1)
    }

    fn done(outcome: &Outcome) -> ApplyReport<'_> {
        ApplyReport::new(Operation::Apply, outcome, Duration::from_micros(1_234))
    }

    fn repair(causes: &Attribution, protected_us: Option<u64>) -> String {
        let outcome = outcome();
        let objects = Difference::new(&outcome.plan, false).objects();
        let done = done(&outcome);
        text(&Event::Repair { causes, objects, is_flapping: false, protected_us, done })
    }

    #[test]
    fn a_repair_is_a_line_that_says_who_did_what() {
        assert_eq!(
            repair(&causes(1), None),
            "repaired ip nat DOCKER-BLOCK: 1 rule added, 0 removed, 40 unchanged (generation 17, \
             1.2 ms), after process nft (pid 1) deleted table inet dwnl\n"
        );
        assert!(repair(&causes(0), None).ends_with("(generation 17, 1.2 ms)\n"));
        assert!(
            repair(&causes(0), Some(340))
                .ends_with("(generation 17, 1.2 ms), guard in force after 0.3 ms\n")
        );
    }

    #[test]
    fn a_verbose_repair_lists_the_changes_below_it() {
        let outcome = outcome();
        let mut done = done(&outcome);
        done.difference = Some(Difference::new(&outcome.plan, true));
        let causes = causes(1);
        let objects = Vec::new();
        let (is_flapping, protected_us) = (false, None);
        let event = Event::Repair { causes: &causes, objects, is_flapping, protected_us, done };
        assert!(text(&event).ends_with(
            "deleted table inet dwnl\n  ip nat DOCKER-BLOCK\n  \
             + -A DOCKER-BLOCK -p tcp -m tcp --dport 443 -j DOCKER\n"
        ));
    }

    #[test]
    fn a_changed_file_is_a_line_that_says_what_to_do() {
        assert_eq!(
            text(&Event::Changed { policy: Path::new("p.toml") }),
            "p.toml has changed; apply it with `dwnl apply` or SIGHUP\n"
        );
    }

    #[test]
    fn a_start_is_a_line_with_a_summary_below_it() {
        let outcome = outcome();
        let event = Event::Start { policy: Path::new("p.toml"), done: done(&outcome) };
        assert_eq!(
            text(&event),
            "watching p.toml\n  applied: 1 rule added, 0 removed, 40 unchanged (generation 17, 1.2 \
             ms)\n"
        );
    }

    #[test]
    fn every_event_is_an_object_in_json() {
        let (outcome, causes) = (outcome(), causes(1));
        let objects = vec!["ip nat DOCKER-BLOCK".to_owned()];
        let done = done(&outcome);
        let (is_flapping, protected_us) = (false, Some(340));
        let event = Event::Repair { causes: &causes, objects, is_flapping, protected_us, done };
        assert_eq!(
            json(&event),
            concat!(
                r#"{"event":"repair","commits":[{"process":"nft","pid":1,"generation":16,"#,
                r#""commit_count":1,"summary":"process nft (pid 1) deleted table inet dwnl"}],"#,
                r#""more_commits":0,"objects":["ip nat DOCKER-BLOCK"],"is_flapping":false,"protected_us":340,"#,
                r#""has_changes":true,"rules_added":1,"rules_removed":0,"rules_unchanged":40,"#,
                r#""elements_added":0,"elements_removed":0,"elements_unchanged":0,"#,
                r#""generation":17,"attempts":1,"elapsed_us":1234,"changes":null}"#
            )
        );
        assert_eq!(json(&Event::Stop), r#"{"event":"stop"}"#);
    }

    #[test]
    fn flapping_and_its_end_are_reported() {
        let causes = causes(2);
        let objects = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        assert_eq!(
            text(&Event::Flapping { causes: &causes, objects, repair_interval_ms: 500 }),
            "warning: process nft (pid 1) keeps changing a, b, c and 2 others; limiting repairs to \
             one every 500 ms and suppressing further messages until it stops\n"
        );
        assert_eq!(
            text(&Event::Stable { objects: vec!["a".to_owned()], repairs: 1 }),
            "a is stable again after 1 repair\n"
        );
    }

    #[test]
    fn a_policy_with_errors_is_a_line_with_all_errors_below_it() {
        let diagnostic = |line, message: &str| Diagnostic {
            at: Location { file: "p.toml".into(), line, column: 9 },
            message: message.to_owned(),
            help: None,
            excerpt: String::new(),
            width: 7,
        };
        let diagnostics =
            Diagnostics(vec![diagnostic(3, "unknown group `ofice`"), diagnostic(4, "bad port")]);
        let event = Event::policy_errors(&diagnostics);
        assert_eq!(
            text(&event),
            "warning: policy has 2 errors; keeping the last valid policy\n  \
             p.toml:3:9: unknown group `ofice`\n  p.toml:4:9: bad port\n"
        );
        assert!(json(&event).starts_with(r#"{"event":"policy_errors","is_valid":false,"#));
    }
}
