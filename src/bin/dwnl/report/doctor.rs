//! The report of `doctor`: what was found on the host, and what to do about it.

use std::io::{self, Write};

use anstyle::Style;
use serde::Serialize;

use super::Report;
use super::count::Count;
use super::format::{Escaped, join_and};
use super::style::{ADDED, ERROR, HEADING, REMARK, WARNING};

/// The width to which lines are wrapped, in characters.
const WIDTH: usize = 80;
/// The column at which sentences begin.
const INDENT: usize = 11;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// A source may not get in although it should, or protection may fail later.
    Warning,
    /// Published ports are open, or dwnl does not work.
    Problem,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// What the kernel offers.
    Kernel,
    /// Settings of the network namespace.
    Network,
    /// Docker.
    Docker,
    /// dwnl itself: policy, rules, services.
    Dwnl,
    /// Other programs that write rules.
    Programs,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What the check is about.
    pub area: Area,
    /// The check.
    pub check: &'static str,
    /// How serious it is.
    pub level: Level,
    /// What was found, one sentence without a full stop.
    pub summary: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Finding {
    /// A check that found nothing to do.
    pub fn ok(area: Area, check: &'static str, summary: impl Into<String>) -> Finding {
        Finding { area, check, level: Level::Ok, summary: summary.into(), advice: None }
    }

    /// A check that found something of this level.
    pub fn new(
        level: Level,
        (area, check): (Area, &'static str),
        summary: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        Finding { area, check, level, summary: summary.into(), advice: Some(advice.into()) }
    }
}

/// All findings.
#[derive(Debug, Serialize)]
pub struct Doctor {
    /// The most serious level.
    pub level: Level,
    /// The findings, area by area.
    pub findings: Vec<Finding>,
}

impl Doctor {
    /// The report of these findings, which are in the order of their areas.
    pub fn new(findings: Vec<Finding>) -> Doctor {
        let level = findings.iter().map(|it| it.level).max().unwrap_or(Level::Ok);
        Doctor { level, findings }
    }

    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|it| it.level == level).count()
    }
}

impl Report for Doctor {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut last = None;
        for finding in &self.findings {
            if last.replace(finding.area) != Some(finding.area) {
                writeln!(out, "{HEADING}{}{HEADING:#}", finding.area.heading())?;
            }
            finding.write(out)?;
        }
        let counts =
            [(Level::Problem, "problem"), (Level::Warning, "warning"), (Level::Note, "note")]
                .map(|(level, noun)| Count(self.count(level), noun).to_string());
        writeln!(out, "{}", join_and(&counts))
    }
}

impl Finding {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let style = self.level.style();
        let (word, gap) = (self.level.word(), INDENT - 2);
        let summary = wrap(&Escaped(&self.summary).to_string());
        write!(out, "  {style}{word}{style:#}{:1$}", "", gap - word.len())?;
        writeln!(out, "{}", summary.join(&line_break()))?;
        let Some(advice) = &self.advice else { return Ok(()) };
        for line in wrap(&Escaped(advice).to_string()) {
            writeln!(out, "{:INDENT$}{REMARK}{line}{REMARK:#}", "")?;
        }
        Ok(())
    }
}

fn line_break() -> String {
    format!("\n{:INDENT$}", "")
}

/// The words of a text in lines that fit behind the indent. A longer word has a line of its own.
fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if INDENT + line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

impl Area {
    fn heading(self) -> &'static str {
        match self {
            Area::Kernel => "kernel",
            Area::Network => "network",
            Area::Docker => "Docker",
            Area::Dwnl => "dwnl",
            Area::Programs => "other programs",
        }
    }
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Problem => "problem",
        }
    }

    fn style(self) -> Style {
        match self {
            Level::Ok => ADDED,
            Level::Note => HEADING,
            Level::Warning => WARNING,
            Level::Problem => ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{json, text};
    use super::*;

    fn report() -> Doctor {
        let check = (Area::Docker, "backend");
        Doctor::new(vec![
            Finding::ok(Area::Kernel, "nf_tables", "nf_tables answers"),
            Finding::new(Level::Note, check, "a\u{1b}b", "c"),
            Finding::new(
                Level::Warning,
                check,
                "a summary that is so long that it does not fit into a line of eighty characters, \
                 so that it is wrapped",
                "do this",
            ),
        ])
    }

    #[test]
    fn lines_are_wrapped_and_counted() {
        assert_eq!(
            text(&report()),
            "\
kernel
  ok       nf_tables answers
Docker
  note     a\\u{1b}b
           c
  warning  a summary that is so long that it does not fit into a line of eighty
           characters, so that it is wrapped
           do this
0 problems, 1 warning and 1 note
"
        );
    }

    #[test]
    fn the_most_serious_level_is_that_of_the_report() {
        assert_eq!(report().level, Level::Warning);
        assert_eq!(Doctor::new(Vec::new()).level, Level::Ok);
        let finding = Finding::ok(Area::Dwnl, "watch", "runs");
        assert_eq!(
            json(&Doctor::new(vec![finding])),
            r#"{"level":"ok","findings":[{"area":"dwnl","check":"watch","level":"ok","summary":"runs","advice":null}]}"#
        );
    }

    #[test]
    fn a_long_word_has_a_line_of_its_own() {
        let word = "x".repeat(100);
        assert_eq!(wrap(&format!("a {word} b")), ["a", &word, "b"]);
    }
}
