//! The counters of `watch`.

use std::time::{Duration, SystemTime};

/// The counters since the start of the program.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Comparisons of the kernel with the policy.
    pub checks: u64,
    /// Policy loads. Those that failed include policies with errors.
    pub reloads: OpStats,
    /// Repairs. Those that failed include comparisons that failed.
    pub repairs: OpStats,
    /// The repairs of what another program had changed.
    pub drift_repairs: u64,
    /// Whether another program keeps changing what is repaired.
    pub is_flapping: bool,
    /// Published ports that no entry of the policy covers, when the rules were compared last.
    pub uncovered_ports: usize,
    /// The names in the policy that cannot be resolved, or not completely.
    pub unresolved_names: usize,
    /// Commits rejected because the ruleset changed concurrently.
    pub conflicts: u64,
    /// Overruns of the netlink buffer.
    pub lost: u64,
    /// Whether the policy in force is that of the file.
    pub is_current: bool,
    /// Whether the policy in force is the last valid one, because the file had errors at the start.
    pub is_fallback: bool,
}

/// The policy file, compared with the policy in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It is in force.
    Current,
    /// It has changed, and waits for a request to apply it.
    Changed,
    /// It has errors, or cannot be read.
    Invalid,
    /// It could not be applied.
    Failed,
}

impl FileState {
    /// All states.
    pub const ALL: [FileState; 4] =
        [FileState::Current, FileState::Changed, FileState::Invalid, FileState::Failed];

    /// The word in the metrics.
    pub fn word(self) -> &'static str {
        match self {
            FileState::Current => "current",
            FileState::Changed => "changed",
            FileState::Invalid => "invalid",
            FileState::Failed => "failed",
        }
    }
}

impl Counters {
    /// Notes that the last valid policy is in force, because the file has errors.
    pub fn fell_back(&mut self) {
        self.reloads.failed += 1;
        self.is_current = false;
        self.is_fallback = true;
    }
}

/// The counters of an operation.
#[derive(Clone, Debug, Default)]
pub struct OpStats {
    /// The number of successes.
    pub done: u64,
    /// The number of failures.
    pub failed: u64,
    /// The time and the duration of the last success.
    pub last: Option<(SystemTime, Duration)>,
}

impl OpStats {
    /// Counts a success that took this time.
    pub fn count(&mut self, took: Duration) {
        self.done += 1;
        self.last = Some((SystemTime::now(), took));
    }
}
