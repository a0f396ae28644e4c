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
    /// Commits rejected because the ruleset changed concurrently.
    pub conflicts: u64,
    /// Overruns of the netlink buffer.
    pub lost: u64,
    /// Whether the policy in force is that of the file.
    pub is_current: bool,
    /// Whether the policy in force is the last valid one, because the file had errors at the start.
    pub is_fallback: bool,
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
