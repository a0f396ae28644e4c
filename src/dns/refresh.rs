//! When to look up a name again: when its answer ends to hold, or after a pause that grows with each
//! failure.

use std::time::Duration;

use super::answer::Answer;
use crate::policy::DnsName;

/// The longest time between two lookups that succeed.
const TTL_MAX: Duration = Duration::from_secs(60 * 60);
/// The longest pause after a failure, unless `min-ttl` is longer.
const PAUSE_MAX: Duration = Duration::from_secs(5 * 60);
/// The pause after the first failure, unless `min-ttl` is longer.
const PAUSE_MIN: Duration = Duration::from_secs(2);

/// The lookups of one name so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refresh {
    failures: u32,
}

impl Refresh {
    /// How long to wait after this answer before the name is looked up again. Up to a tenth longer, so
    /// that names and hosts do not stay in step.
    pub fn pause(&mut self, name: &DnsName, answer: &Answer) -> Duration {
        let pause = match answer.ttl().filter(|_| answer.error().is_none()) {
            Some(ttl) => {
                self.failures = 0;
                ttl.min(TTL_MAX)
            }
            None => {
                self.failures = self.failures.saturating_add(1);
                let factor = 1 << (self.failures - 1).min(16);
                (PAUSE_MIN * factor).min(PAUSE_MAX)
            }
        };
        let pause = pause.max(name.min_ttl());
        let share = getrandom::u32().unwrap_or_default() % 1_000;
        pause + pause * share / 10_000
    }
}
