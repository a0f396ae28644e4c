//! What is counted, for the operator's monitoring.

use std::time::{Duration, SystemTime};

/// What has happened since the program was started.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// How often the kernel was compared with the policy.
    pub checks: u64,
    /// How often the policy was put in force, and how often that failed or the policy had errors.
    pub reloads: OpStats,
    /// How often something was repaired, and how often that failed.
    pub repairs: OpStats,
    /// How often others changed the ruleset between a dump and the commit.
    pub conflicts: u64,
    /// How often the kernel lost notifications.
    pub lost: u64,
    /// Whether the policy in force is the one that the file holds.
    pub is_current: bool,
}

/// How often something was done.
#[derive(Clone, Debug, Default)]
pub struct OpStats {
    /// With success.
    pub done: u64,
    /// Without.
    pub failed: u64,
    /// When it was done last, and how long it took.
    pub last: Option<(SystemTime, Duration)>,
}

impl OpStats {
    /// It was just done, in so long a time.
    pub fn count(&mut self, took: Duration) {
        self.done += 1;
        self.last = Some((SystemTime::now(), took));
    }
}
