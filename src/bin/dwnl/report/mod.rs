//! What a person or a program reads: every report is a plain value that can be written as text,
//! for people, and serialized, for programs.

mod apply_report;
mod attribution;
mod change;
mod check;
mod count;
mod diagnostics;
mod difference;
mod elements;
mod event;
mod format;
mod rules;
mod show;
mod style;
#[cfg(test)]
mod test_support;
mod translations;

use std::io::{self, Write};

use serde::Serialize;

pub use apply_report::{ApplyReport, Flows, Operation};
pub use attribution::Attribution;
pub use check::Check;
pub use diagnostics::{Failure, write_diagnostics, write_error, write_warning};
pub use difference::Difference;
pub use event::Event;
pub use rules::Rules;
pub use show::Show;

/// A report; its serialization is what `--json` prints.
pub trait Report: Serialize {
    /// Writes the report as text, with ANSI styles that the stream may strip.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;
}
