//! Where reports and diagnostics go: reports to standard output, in words or as JSON, everything
//! else to standard error.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use anstream::AutoStream;
use anyhow::Context;
use clap::ColorChoice;
use dwnl::policy::Diagnostics;
use serde::Serialize;

use super::args::Options;
use super::spinner::Spinner;
use crate::logging::{Level, StderrLog};
use crate::report::{self, Check, Failure, Report};
use crate::watch::Log;

/// The exit status if the operation failed.
const FAILED: u8 = 1;
/// The exit status if the policy is wrong.
const WRONG: u8 = 2;

/// The two streams that the program writes to, and how much the operator wants to see there.
pub struct Console {
    json: bool,
    quiet: bool,
    verbose: bool,
    stderr: StderrLog,
}

impl Console {
    /// A console as the options want it.
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

    /// Whether the operator wants to see more.
    pub fn verbose(&self) -> bool {
        self.verbose
    }

    /// How what happens later on is to be told.
    pub fn log(&self) -> Log {
        let least = match self {
            Console { quiet: true, .. } => Level::Warning,
            Console { verbose: true, .. } => Level::Debug,
            Console { .. } => Level::Info,
        };
        Log::new(self.stderr, least, self.json)
    }

    /// Prints a report in the form that the operator wants. That nobody reads it is no error.
    pub fn report(&self, report: &impl Report) -> anyhow::Result<()> {
        let printed = match self {
            Console { quiet: true, .. } => Ok(()),
            Console { json: true, .. } => print_json(report),
            Console { .. } => print_text(report),
        };
        match printed {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            printed => printed.context("cannot write to standard output"),
        }
    }

    /// Tells the operator of something that is not as the policy has it.
    pub fn warn(&self, warnings: &[String]) {
        for warning in warnings {
            self.stderr.write(Level::Warning, |out| report::write_warning(out, warning));
        }
    }

    /// Says on a terminal that work is in progress, if it lasts; until the value is dropped.
    pub fn progress(&self, action: &'static str) -> Option<Spinner> {
        let desired = !self.quiet && !self.json && io::stderr().is_terminal();
        desired.then(|| Spinner::start(action))
    }

    /// Reports why the program could not do what it was asked to, and returns its exit status.
    pub fn fail(&self, error: &anyhow::Error) -> ExitCode {
        if let Some(diagnostics) = error.downcast_ref::<Diagnostics>() {
            self.diagnose(|out| report::write_diagnostics(out, diagnostics));
            self.fail_json(&Check::failed(diagnostics));
            return ExitCode::from(WRONG);
        }
        // The library's errors tell their cause themselves.
        let sentence = match error.downcast_ref::<dwnl::Error>() {
            Some(error) => error.to_string(),
            None => format!("{error:#}"),
        };
        self.diagnose(|out| report::write_error(out, &sentence));
        self.fail_json(&Failure { error: &sentence });
        ExitCode::from(FAILED)
    }

    fn diagnose(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        self.stderr.write(Level::Error, write);
    }

    fn fail_json(&self, value: &impl Serialize) {
        if self.json {
            // The failure has been told on standard error, and there is nowhere else to tell that
            // it cannot be told here.
            let _ = print_json(value);
        }
    }
}

fn print_text(report: &impl Report) -> io::Result<()> {
    let mut out = BufWriter::new(AutoStream::auto(io::stdout().lock()));
    report.write(&mut out)?;
    out.flush()
}

fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)?;
    out.flush()
}
