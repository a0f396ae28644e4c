//! The report of `explain`: whether a source gets in at a port, and why.

mod json;
mod sentences;

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use dwnl::engine::Explained;
use dwnl::explain::{Admission, Explanation, OpenFlow, Verdict};
use dwnl::policy::Diagnostics;
use dwnl::simulate::{Effect, Step};
use serde::{Serialize, Serializer};
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

use super::Report;
use super::count::{Count, Counts};
use super::format::Escaped;
use super::schedule::note;
use super::style::{ADDED, ERROR, HEADING, REMARK, WARNING};
use json::ExplainJson;

/// How wide the text is, in characters, and where it begins behind the labels.
const WIDTH: usize = 80;
const INDENT: usize = 11;

/// Whether a source gets in at a port, and why.
#[derive(Debug)]
pub struct Explain<'a> {
    explained: &'a Explained,
    policy: PolicyRead,
    is_verbose: bool,
}

/// The policy file, and whether it could be read.
#[derive(Clone, Debug)]
pub struct PolicyRead {
    /// Its path.
    pub path: String,
    /// The number of errors in it.
    pub error_count: usize,
}

impl PolicyRead {
    /// The file at this path.
    pub fn new(path: &Path, errors: Option<&Diagnostics>) -> PolicyRead {
        let error_count = errors.map_or(0, |errors| errors.0.len());
        PolicyRead { path: path.display().to_string(), error_count }
    }
}

impl<'a> Explain<'a> {
    /// The report of an explanation. `is_verbose`: whether the text has all steps.
    pub fn new(explained: &'a Explained, policy: PolicyRead, is_verbose: bool) -> Explain<'a> {
        Explain { explained, policy, is_verbose }
    }

    fn explanation(&self) -> &'a Explanation {
        &self.explained.explanation
    }
}

impl Serialize for Explain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ExplainJson::from(self).serialize(serializer)
    }
}

impl Report for Explain<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_verdict(out)?;
        self.write_policy(out)?;
        self.write_by_hand(out)?;
        labelled(out, "port", &sentences::publication(self.explanation()))?;
        self.write_kernel(out)?;
        self.write_rules(out)?;
        self.write_flows(out)
    }
}

impl Explain<'_> {
    fn write_verdict(&self, out: &mut dyn Write) -> io::Result<()> {
        let (style, word) = match self.explanation().verdict {
            Verdict::Allowed(_) => (ADDED.bold(), "allowed"),
            Verdict::Refused(_) => (ERROR, "refused"),
            _ => (WARNING, "unknown"),
        };
        writeln!(out, "{style}{word}{style:#}: {}", sentences::subject(self.explanation()))?;
        labelled(out, "why", &sentences::reason(self.explanation()))
    }

    fn write_policy(&self, out: &mut dyn Write) -> io::Result<()> {
        let PolicyRead { path, error_count } = &self.policy;
        let path = if path == "-" { "<stdin>" } else { path };
        let schedule = self.explanation().schedule.as_ref();
        let until = schedule.map(|(schedule, state)| format!(" {}", note(schedule, *state)));
        let until = until.unwrap_or_default();
        let text = match &self.explanation().admission {
            None => format!(
                "{path} has {}, so only the kernel is explained: see dwnl check",
                Count(*error_count, "error")
            ),
            Some(Admission::Admitted(origin)) => format!("{origin} allows it{until}"),
            Some(Admission::Denied(origin)) => format!("{origin} denies it{until}"),
            Some(Admission::NotAdmitted { nearest: None }) => {
                format!("{path}: no entry is for this source or port")
            }
            Some(Admission::NotAdmitted { nearest: Some(nearest) }) => {
                sentences::near_miss(nearest)
            }
            Some(_) => return Ok(()),
        };
        labelled(out, "policy", &text)
    }

    fn write_by_hand(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut label = "by hand";
        for grant in &self.explanation().by_hand {
            let text = format!("{} {}", grant.source, sentences::by_hand(grant));
            labelled(out, label, &text)?;
            label = "";
        }
        Ok(())
    }

    fn write_kernel(&self, out: &mut dyn Write) -> io::Result<()> {
        let text = match &self.explained.comparison {
            None => return Ok(()),
            Some(Err(error)) => format!("not compared with the policy: {error}"),
            Some(Ok(outcome)) if outcome.plan.is_empty() => "in sync with the policy".to_owned(),
            Some(Ok(outcome)) => {
                let changes = Counts::of(&outcome.plan).changes("to add", "to remove");
                format!("differs from the policy: {changes}")
            }
        };
        labelled(out, "kernel", &text)
    }

    fn write_rules(&self, out: &mut dyn Write) -> io::Result<()> {
        let is_shown = |step: &&Step| self.is_verbose || decides(&step.effect);
        let steps = self.explanation().steps.iter().filter(is_shown);
        let steps = steps.map(|it| (&it.chain, sentences::effect(&it.effect), &*it.text));
        let doubt = match &self.explanation().verdict {
            Verdict::Unknown(doubt) => Some(&**doubt),
            _ => None,
        };
        let doubt = doubt.and_then(|it| {
            Some((it.chain.as_ref()?, format!("not understood ({})", it.reason), &*it.text))
        });
        let mut label = "rules";
        for (chain, effect, text) in steps.chain(doubt) {
            labelled(out, label, &format!("{chain}: {effect}"))?;
            label = "";
            write_rule(out, text)?;
        }
        Ok(())
    }

    fn write_flows(&self, out: &mut dyn Write) -> io::Result<()> {
        /// Maximum number of flows that are shown.
        const SHOWN_MAX: usize = 3;
        let flows: &[OpenFlow] = match &self.explained.flows {
            Ok(flows) => flows,
            Err(error) => return labelled(out, "flows", &format!("not read: {error}")),
        };
        if flows.is_empty() {
            return labelled(out, "flows", "none open from this source to this port");
        }
        let mut label = "flows";
        for flow in flows.iter().take(SHOWN_MAX) {
            labelled(out, label, &sentences::flow(flow))?;
            label = "";
        }
        match flows.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => labelled(out, "", &format!("and {more} more")),
        }
    }
}

/// Whether a step is more than a remark on the way.
fn decides(effect: &Effect) -> bool {
    !matches!(effect, Effect::Return | Effect::Mark(_) | Effect::ConnectionMark(_))
}

/// The rule's text, further indented.
fn write_rule(out: &mut dyn Write, text: &str) -> io::Result<()> {
    let text = Escaped(text).to_string();
    for line in lines(&text, WIDTH - INDENT - 2) {
        writeln!(out, "{:INDENT$}  {REMARK}{line}{REMARK:#}", "")?;
    }
    Ok(())
}

/// A text behind a label, in lines of at most [`WIDTH`] characters where its words permit.
fn labelled(out: &mut dyn Write, label: &str, text: &str) -> io::Result<()> {
    write_label(out, label)?;
    let text = Escaped(text).to_string();
    let indent = format!("\n{:INDENT$}", "");
    writeln!(out, "{}", lines(&text, WIDTH - INDENT).join(&indent))
}

fn lines(text: &str, width: usize) -> Vec<Cow<'_, str>> {
    let options = Options::new(width)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    textwrap::wrap(text, options)
}

fn write_label(out: &mut dyn Write, label: &str) -> io::Result<()> {
    let label = if label.is_empty() { String::new() } else { format!("{label}:") };
    write!(out, "{HEADING}{label:<INDENT$}{HEADING:#}")
}
