//! The end of a trial.

use std::io::{self, Write};

use serde::Serialize;

use super::Report;

/// How the trial of a policy can end: that of a watch, or that of `apply --confirm`.
pub fn trial_ends(is_of_watch: bool) -> &'static str {
    match is_of_watch {
        true => "`confirm` over the control socket of the watch keeps it, `rollback` ends it",
        false => "dwnl confirm keeps it, dwnl rollback ends it",
    }
}

/// How the trial of a policy ended.
#[derive(Debug, Serialize)]
pub struct TrialReport {
    is_confirmed: bool,
    notes: Vec<String>,
}

impl TrialReport {
    /// The policy stays in force.
    pub fn confirmed() -> TrialReport {
        TrialReport { is_confirmed: true, notes: Vec::new() }
    }

    /// The previous rules are in force again. The notes say what happened to flows, and what could not
    /// be restored.
    pub fn restored(notes: Vec<String>) -> TrialReport {
        TrialReport { is_confirmed: false, notes }
    }
}

impl Report for TrialReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.is_confirmed {
            true => writeln!(out, "confirmed: the policy stays in force")?,
            false => writeln!(out, "rolled back: the previous rules are in force again")?,
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "{note}"))
    }
}
