//! A commit by another program: who made it, and what it touched.

use std::fmt;

use super::super::commit::is_later;
use super::change_summary::ChangeSummary;
use crate::model::{Name, SetPath};

/// A commit to the ruleset. `Display` is a sentence: `process iptables (pid 123) deleted 2 rules in
/// ip nat PREROUTING`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Commit {
    /// The generation that it produced.
    pub generation: u32,
    /// Who made it, if the kernel reports that.
    pub process: Option<Process>,
    pub(super) summary: ChangeSummary,
}

/// The thread that sent a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Process {
    /// Its thread ID in the initial pid namespace (`NFTA_GEN_PROC_PID`). This is the process ID if the
    /// main thread sent the batch.
    pub id: u32,
    /// Its name, at most 15 bytes (`NFTA_GEN_PROC_NAME`). A process can choose it freely.
    pub name: Name,
}

impl Commit {
    /// A commit that changed nothing.
    #[cfg(test)]
    pub(crate) fn by(pid: u32, generation: u32) -> Commit {
        let process = Some(Process { id: pid, name: "nft".into() });
        Commit { generation, process, summary: ChangeSummary::default() }
    }

    /// Whether it touched a table that dwnl works in, or a chain from whose rules dwnl discovers
    /// Docker's ports and bridges, so that the rules may differ from the policy now.
    pub fn is_relevant(&self) -> bool {
        self.summary.is_relevant()
    }

    /// Whether it touched a rule, chain, set or table that dwnl installed. A commit that is relevant
    /// and did not is a change of Docker's or another program's own rules, which dwnl may have to follow.
    pub fn touches_managed(&self) -> bool {
        self.summary.touches_managed()
    }

    /// Who made it: `process iptables (pid 123)`.
    pub fn author(&self) -> String {
        self.process.as_ref().map_or_else(|| "an unknown process".to_owned(), Process::to_string)
    }

    /// Whether it was made after the ruleset had reached this generation. Generations wrap around.
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
