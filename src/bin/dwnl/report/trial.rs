//! The end of a trial.

use std::io::{self, Write};

use serde::Serialize;

use super::Report;

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
