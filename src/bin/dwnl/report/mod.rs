//! Reports: plain values that are written as text for people, and serialized as JSON for programs
//! (docs/json.md).

mod access;
mod answer;
mod apply_report;
mod attribution;
mod change;
mod check;
mod count;
mod diagnostics;
mod difference;
mod doctor;
mod event;
mod explain;
mod foreign_translations;
mod format;
mod grants;
mod import;
mod indented;
mod json_object;
mod names;
mod object;
mod preview;
mod published;
mod refused;
mod rules;
mod schedule;
mod set_elements;
mod show;
mod status;
mod style;
mod table;
#[cfg(test)]
pub mod test_support;
mod trace;
mod trial;

use std::io::{self, Write};

use serde::Serialize;

pub use access::{AccessReport, Tense};
pub use answer::{Answer, ErrorAnswer, ErrorCode, Reloaded, Subscribed};
pub use apply_report::{ApplyReport, Operation, PolicyEffects};
pub use attribution::Attribution;
pub use check::Check;
pub use count::{Count, Counts, Thousands};
pub use diagnostics::{
    Failure, fallback_sentence, write_diagnostics, write_error, write_policy_warnings,
    write_warning,
};
pub use difference::Difference;
pub use doctor::{Area, Doctor, Finding, Level};
pub use event::{Event, RollbackReason};
pub use explain::{Explain, PolicyRead};
pub use format::join_limited;
pub use grants::{GrantCounts, Granted, Grants, Revoked};
pub use import::Import;
pub use json_object::JsonObject;
pub use names::{HostLabels, NameChange, NameReport, host_labels};
pub use published::some_ports;
pub use refused::{RefusalEvent, Refused, not_recorded, set_warnings};
pub use rules::Rules;
pub use show::Show;
pub use status::{
    DeniedReport, DropReport, FileReport, FileState, KernelReport, LimitedReport, PortReport,
    Refusals, ScheduleReport, Status, StoredReport, UnpublishedReport, WatchReport,
};
pub use trace::TraceReport;
pub use trial::{TrialReport, trial_ends};

/// A report. `--json` prints its serialization as a [`JsonObject`].
pub trait Report: Serialize {
    /// Writes the report as text, with ANSI styles that the stream may strip.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;

    /// Whether its lines are for another program, so that they are not broken on a terminal.
    fn has_whole_lines(&self) -> bool {
        false
    }

    /// The report as text with ANSI styles.
    fn to_text(&self) -> String {
        styled(|out| self.write(out))
    }
}

/// What `write` writes, as text with ANSI styles.
pub fn styled(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = write(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
