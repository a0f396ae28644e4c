//! A commit that was heard of: who made it, and what it touched.

use std::fmt;

use super::super::commit::is_later;
use super::change_summary::ChangeSummary;
use crate::model::{Name, SetPath};

/// A commit to the ruleset. `Display` is a sentence: `process iptables (pid 123) deleted 2 rules in
/// ip nat PREROUTING`.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The generation that it brought about.
    pub generation: u32,
    /// Who made it, if the kernel tells.
    pub process: Option<Process>,
    pub(super) summary: ChangeSummary,
}

/// The thread that has sent a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number in the initial pid namespace (`NFTA_GEN_PROC_PID`); that of the process unless it
    /// has several threads.
    pub id: u32,
    /// Its name, at most 15 bytes that it can choose freely (`NFTA_GEN_PROC_NAME`).
    pub name: Name,
}

impl Commit {
    /// Whether it touched a table that dwnl works in, or a chain whose rules tell of Docker, so that
    /// what the kernel holds may differ from what it should.
    pub fn is_relevant(&self) -> bool {
        self.summary.is_relevant()
    }

    /// Whether it touched a rule, chain, set or table that dwnl has put in. One that concerns us and did
    /// not is Docker's or another program's own business, from which there may be something to learn.
    pub fn touches_managed(&self) -> bool {
        self.summary.touches_managed()
    }

    /// Who made it, in words.
    pub fn author(&self) -> String {
        self.process.as_ref().map_or_else(|| "an unknown process".to_owned(), Process::to_string)
    }

    /// Whether it was made after the ruleset had reached this generation.
    pub fn is_after(&self, generation: u32) -> bool {
        is_later(self.generation, generation)
    }

    /// Whether it may have changed the elements of the set.
    pub(in super::super) fn touches(&self, set: &SetPath) -> bool {
        self.summary.touches(set)
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.author(), self.summary)
    }
}

/// `process iptables (pid 123)`, with the name's control characters escaped.
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} (pid {})", self.name.escape_debug(), self.id)
    }
}
