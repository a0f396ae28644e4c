//! The output of the program: reports go to standard output as text or JSON, everything else goes
//! to standard error.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use anstream::AutoStream;
use anyhow::Context;
use clap::ColorChoice;
use dwnl::policy::{Diagnostics, PolicyWarning};
use serde::Serialize;

use super::args::Options;
use super::spinner::Spinner;
use crate::control;
use crate::logging::{Level, StderrLog};
use crate::report::{self, Check, Count, Failure, JsonObject, Report};
use crate::state::Fallback;
use crate::watch::Log;
use crate::wrap::{Wrapping, terminal_width};

/// The exit status if the operation failed.
pub const FAILED: u8 = 1;
/// Maximum number of warnings that are printed, unless all are to be shown.
const WARNINGS_MAX: usize = 10;
/// The exit status if the policy is invalid.
pub const INVALID: u8 = 2;

/// The two output streams, and how much to write to them.
pub struct Console {
    json: bool,
    quiet: bool,
    verbose: bool,
    stderr: StderrLog,
}

impl Console {
    /// A console with these options.
    pub fn new(options: &Options) -> Console {
        match options.color {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
        }
        .write_global();
        let Options { json, quiet, verbose, .. } = *options;
        Console { json, quiet, verbose, stderr: StderrLog::new() }
    }

    /// Whether to show more detail.
    pub fn verbose(&self) -> bool {
        self.verbose
    }

    /// Whether reports are JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether reports are text, and printed.
    pub fn is_text(&self) -> bool {
        !self.json && !self.quiet
    }

    /// Asks the operator for something, even if the output is quiet.
    pub fn prompt(&self, text: &str) {
        self.stderr.write(Level::Notice, |out| writeln!(out, "{text}"));
    }

    /// The log of `watch`.
    pub fn log(&self) -> Log {
        let least = match self {
            Console { quiet: true, .. } => Level::Warning,
            Console { verbose: true, .. } => Level::Debug,
            Console { .. } => Level::Info,
        };
        Log::new(self.stderr, least, self.json)
    }

    /// Prints a report as text or JSON. A closed pipe is not an error.
    pub fn report(&self, report: &impl Report) -> anyhow::Result<()> {
        self.emit(report).map(drop)
    }

    /// Prints one of several reports, and returns whether the next one can still be read: a closed pipe
    /// is not an error.
    pub fn emit(&self, report: &impl Report) -> anyhow::Result<bool> {
        let printed = match self {
            Console { quiet: true, .. } => Ok(()),
            Console { json: true, .. } => print_json(report),
            Console { .. } => print_text(report),
        };
        is_read(printed)
    }

    /// Prints a report of something that happens now, as text or as an object with the time. Returns
    /// whether anybody still reads it.
    pub fn line(&self, report: &impl Report) -> anyhow::Result<bool> {
        let printed = match self {
            Console { quiet: true, .. } => Ok(()),
            Console { json: true, .. } => {
                writeln!(io::stdout(), "{}", JsonObject::at(SystemTime::now(), report).to_text())
            }
            Console { .. } => print_text(report),
        };
        is_read(printed)
    }

    /// Prints the report of another process after the line `by`, and returns its exit status.
    pub fn relay(&self, by: &str, report: &control::Report) -> anyhow::Result<ExitCode> {
        let control::Report { status, text, json, warnings, errors } = report;
        self.warn(warnings);
        if !errors.is_empty() {
            self.diagnose(|out| out.write_all(errors.as_bytes()));
        }
        let printed = match self {
            Console { quiet: true, .. } => Ok(()),
            Console { json: true, .. } => writeln!(io::stdout(), "{json}"),
            Console { .. } if text.is_empty() => Ok(()),
            Console { .. } => to_stdout(true, |out| write!(out, "{by}\n{text}")),
        };
        printed.or_else(ignore_closed_pipe)?;
        Ok(ExitCode::from(*status))
    }

    /// Prints warnings; of very many only the first, unless all are to be shown.
    pub fn warn(&self, warnings: &[String]) {
        let shown = if self.verbose { warnings.len() } else { warnings.len().min(WARNINGS_MAX) };
        let (shown, others) = warnings.split_at(shown);
        self.warn_each(shown);
        if !others.is_empty() {
            let more = format!("{}; -v shows all", Count(others.len(), "more warning"));
            self.warn_each(&[more]);
        }
    }

    /// Prints warnings, however many there are.
    pub fn warn_each(&self, warnings: &[String]) {
        for warning in warnings {
            self.say(Level::Warning, |out| report::write_warning(out, warning));
        }
    }

    /// Prints the warnings about a policy.
    pub fn warn_of_policy(&self, warnings: &[PolicyWarning]) {
        if !warnings.is_empty() {
            self.stderr.write(Level::Warning, |out| report::write_policy_warnings(out, warnings));
        }
    }

    /// Reports that the last valid policy is applied in place of one with errors.
    pub fn fall_back(&self, fallback: &Fallback) {
        self.diagnose(|out| {
            report::write_diagnostics(out, &fallback.errors)?;
            report::write_error(out, &report::fallback_sentence(fallback))
        });
    }

    /// Shows on a terminal that a long action is in progress, until the value is dropped.
    pub fn progress(&self, action: &'static str) -> Option<Spinner> {
        let is_shown = !self.quiet && !self.json && io::stderr().is_terminal();
        is_shown.then(|| Spinner::start(action))
    }

    /// Reports an error and returns the exit status.
    pub fn fail(&self, error: &anyhow::Error) -> ExitCode {
        if let Some(diagnostics) = error.downcast_ref::<Diagnostics>() {
            self.diagnose(|out| report::write_diagnostics(out, diagnostics));
            self.fail_json(&Check::failed(diagnostics));
            return ExitCode::from(INVALID);
        }
        // The text of the library's errors includes their cause.
        let sentence = match error.downcast_ref::<dwnl::Error>() {
            Some(error) => error.to_string(),
            None => format!("{error:#}"),
        };
        self.say(Level::Error, |out| report::write_error(out, &sentence));
        self.fail_json(&Failure { error: &sentence });
        ExitCode::from(FAILED)
    }

    /// Writes sentences, of which a terminal gets lines that fit.
    fn say(&self, level: Level, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        self.stderr.write(level, |out| {
            let mut out = Wrapping::new(out, terminal_width(io::stderr()));
            write(&mut out)?;
            out.flush()
        });
    }

    /// Writes what may contain excerpts, whose lines stay whole.
    fn diagnose(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        self.stderr.write(Level::Error, write);
    }

    fn fail_json(&self, value: &impl Serialize) {
        if self.json {
            // The error is already on standard error. A second one has nowhere to go.
            let _ = print_json(value);
        }
    }
}

/// Whether anybody still reads the output: a closed pipe is not an error.
fn is_read(printed: io::Result<()>) -> anyhow::Result<bool> {
    let is_closed = matches!(&printed, Err(error) if error.kind() == io::ErrorKind::BrokenPipe);
    printed.or_else(ignore_closed_pipe).map(|()| !is_closed)
}

fn ignore_closed_pipe(error: io::Error) -> anyhow::Result<()> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error).context("cannot write to standard output"),
    }
}

fn print_text(report: &impl Report) -> io::Result<()> {
    to_stdout(!report.has_whole_lines(), |out| report.write(out))
}

/// Writes to standard output; lines that are too long for a terminal are broken if they may be.
fn to_stdout(
    may_break: bool,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let stdout = io::stdout().lock();
    let width = terminal_width(&stdout).filter(|_| may_break);
    let mut out = Wrapping::new(BufWriter::new(AutoStream::auto(stdout)), width);
    write(&mut out)?;
    out.flush()
}

fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut out, &JsonObject::new(value))?;
    writeln!(out)?;
    out.flush()
}
