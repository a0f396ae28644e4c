//! What `watch` tells, one event after the other.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use dwnl::policy::Diagnostics;
use serde::Serialize;

use super::count::Count;
use super::format::{Elapsed, join_limited};
use super::{ApplyReport, Attribution, Check, Report, write_diagnostics, write_warning};
use crate::logging::Level;

/// Something that has happened; its serialization is a line of `watch --json`.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event<'a> {
    /// The policy has been put in force, and is kept so from now on.
    Start {
        /// The policy's path.
        policy: &'a Path,
        /// What was done.
        #[serde(flatten)]
        done: ApplyReport<'a>,
    },
    /// The policy has been read again and is in force as it is now.
    Reload {
        /// Whether it had errors until now.
        was_wrong: bool,
        /// What was done.
        #[serde(flatten)]
        done: ApplyReport<'a>,
    },
    /// What others had changed has been undone, or what they did has been followed.
    Repair {
        /// What others had done.
        #[serde(flatten)]
        causes: &'a Attribution,
        /// The tables, chains and sets that were repaired.
        places: Vec<String>,
        /// Whether it is one of many, so that it need not be told.
        is_contested: bool,
        /// What was done.
        #[serde(flatten)]
        done: ApplyReport<'a>,
    },
    /// What others had done called for no repair.
    Check {
        /// What others had done.
        #[serde(flatten)]
        causes: &'a Attribution,
        /// How long it took to find out, in microseconds.
        elapsed_us: u64,
    },
    /// Others go on changing what has just been repaired.
    Contest {
        /// What they did last.
        #[serde(flatten)]
        causes: &'a Attribution,
        /// The tables, chains and sets that were repaired last.
        places: Vec<String>,
        /// How many milliseconds lie between one repair and the next from now on.
        pause_ms: u64,
    },
    /// They do so no more.
    Calm {
        /// How often it was repaired meanwhile.
        repairs: u64,
    },
    /// The kernel could not tell of all that others have done.
    Lost,
    /// The policy that was read has errors: the one that is in force stays so.
    PolicyErrors {
        /// The errors for people.
        #[serde(skip)]
        diagnostics: &'a Diagnostics,
        /// The errors for programs.
        #[serde(flatten)]
        check: Check<'a>,
    },
    /// Something could not be done; it is tried again.
    Failure {
        /// What.
        action: &'static str,
        /// Why.
        error: String,
    },
    /// Nobody has read what was told, so that the latest was not.
    Untold {
        /// How many events.
        events: u64,
    },
    /// Something is not as it should be, but for the rules it does not matter.
    Warning {
        /// What.
        warning: &'a str,
    },
    /// The program ends; the rules stay.
    Stop,
}

impl<'a> Event<'a> {
    /// The policy that was read has these errors.
    pub fn policy_errors(diagnostics: &'a Diagnostics) -> Event<'a> {
        Event::PolicyErrors { diagnostics, check: Check::failed(diagnostics) }
    }

    /// How important it is.
    pub fn level(&self) -> Level {
        match self {
            Event::Contest { .. }
            | Event::PolicyErrors { .. }
            | Event::Failure { .. }
            | Event::Untold { .. }
            | Event::Warning { .. } => Level::Warning,
            Event::Repair { is_contested: false, .. } | Event::Calm { .. } => Level::Notice,
            Event::Start { .. } | Event::Reload { .. } | Event::Lost | Event::Stop => Level::Info,
            Event::Repair { is_contested: true, .. } | Event::Check { .. } => Level::Debug,
        }
    }
}

impl Report for Event<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Event::Start { policy, done } => {
                writeln!(out, "watching over {}", policy.display())?;
                done.write(out)
            }
            Event::Reload { was_wrong, done } => {
                let mended = if *was_wrong { ", and has no errors any more" } else { "" };
                writeln!(out, "the policy was read again{mended}")?;
                done.write(out)
            }
            Event::Repair { causes, places, done, .. } => {
                let (places, summary) = (join_limited(places), done.summary());
                writeln!(out, "repaired {places}: {summary}{}", causes.words())?;
                done.write_difference(out)?;
                done.write_consequences(out)
            }
            Event::Check { causes, elapsed_us } => {
                let elapsed = Elapsed(Duration::from_micros(*elapsed_us));
                writeln!(out, "nothing to repair ({elapsed}){}", causes.words())
            }
            Event::Contest { causes, places, pause_ms } => {
                let (culprit, places) = (causes.author(), join_limited(places));
                let sentence = format!(
                    "{culprit} keeps changing {places}: repairing at most every {pause_ms} ms from \
                     now on, and telling of it no more until it stops"
                );
                write_warning(out, &sentence)
            }
            Event::Calm { repairs } => {
                let repairs = Count(*repairs as usize, "repair");
                writeln!(out, "others have stopped changing what is repaired: {repairs} meanwhile")
            }
            Event::Lost => writeln!(out, "the kernel lost notifications: everything is checked"),
            Event::PolicyErrors { diagnostics, .. } => {
                let errors = Count(diagnostics.0.len(), "error");
                write_warning(
                    out,
                    &format!("the policy has {errors}: the last good one stays in force"),
                )?;
                write_diagnostics(out, diagnostics)
            }
            Event::Failure { action, error } => write_warning(out, &format!("{action}: {error}")),
            Event::Untold { events } => {
                let events = Count(*events as usize, "event");
                write_warning(
                    out,
                    &format!("{events} could not be told, because nobody was reading"),
                )
            }
            Event::Warning { warning } => write_warning(out, warning),
            Event::Stop => writeln!(out, "stopped: the rules stay in place"),
        }
    }
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
        ApplyReport::new(Operation::Apply, outcome, &[], Duration::from_micros(1_234), Vec::new())
    }

    fn repair(causes: &Attribution, is_contested: bool) -> String {
        let outcome = outcome();
        let places = Difference::new(&outcome.plan, &[], false).places();
        let done = done(&outcome);
        text(&Event::Repair { causes, places, is_contested, done })
    }

    #[test]
    fn a_repair_is_a_line_that_says_who_did_what() {
        assert_eq!(
            repair(&causes(1), false),
            "repaired ip nat DOCKER-BLOCK: 1 rule added, 0 removed, 40 unchanged (generation 17, \
             1.2 ms), after process nft (pid 1) deleted table inet dwnl\n"
        );
        assert!(repair(&causes(0), false).ends_with("(generation 17, 1.2 ms)\n"));
    }

    #[test]
    fn a_verbose_repair_tells_the_changes_too() {
        let outcome = outcome();
        let mut done = done(&outcome);
        done.difference = Some(Difference::new(&outcome.plan, &[], true));
        let causes = causes(1);
        let event =
            Event::Repair { causes: &causes, places: Vec::new(), is_contested: false, done };
        assert!(text(&event).ends_with(
            "deleted table inet dwnl\nip nat DOCKER-BLOCK\n\
             + -A DOCKER-BLOCK -p tcp -m tcp --dport 443 -j DOCKER\n"
        ));
    }

    #[test]
    fn events_are_one_object_each_for_programs() {
        let (outcome, causes) = (outcome(), causes(1));
        let places = vec!["ip nat DOCKER-BLOCK".to_owned()];
        let done = done(&outcome);
        let event = Event::Repair { causes: &causes, places, is_contested: false, done };
        assert_eq!(
            json(&event),
            concat!(
                r#"{"event":"repair","commits":[{"process":"nft","pid":1,"generation":16,"#,
                r#""times":1,"text":"process nft (pid 1) deleted table inet dwnl"}],"further_commits":0,"#,
                r#""places":["ip nat DOCKER-BLOCK"],"is_contested":false,"changed":true,"added":1,"#,
                r#""removed":0,"unchanged":40,"generation":17,"attempts":1,"elapsed_us":1234,"#,
                r#""warnings":[]}"#
            )
        );
        assert_eq!(json(&Event::Stop), r#"{"event":"stop"}"#);
    }

    #[test]
    fn a_contest_and_its_end_are_told() {
        let causes = causes(2);
        let places = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        assert_eq!(
            text(&Event::Contest { causes: &causes, places, pause_ms: 500 }),
            "warning: process nft (pid 1) keeps changing a, b, c and 2 others: repairing at most \
             every 500 ms from now on, and telling of it no more until it stops\n"
        );
        assert_eq!(
            text(&Event::Calm { repairs: 1 }),
            "others have stopped changing what is repaired: 1 repair meanwhile\n"
        );
    }

    #[test]
    fn a_wrong_policy_is_told_with_all_its_errors() {
        let diagnostics = Diagnostics(vec![Diagnostic {
            at: Location { file: "p.toml".into(), line: 3, column: 9 },
            message: "unknown group `ofice`".to_owned(),
            help: None,
            excerpt: String::new(),
            width: 7,
        }]);
        let event = Event::policy_errors(&diagnostics);
        assert_eq!(
            text(&event),
            "warning: the policy has 1 error: the last good one stays in force\n\
             p.toml:3:9: unknown group `ofice`\n"
        );
        assert!(json(&event).starts_with(r#"{"event":"policy-errors","ok":false,"#));
    }
}
