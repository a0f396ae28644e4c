//! Debounces the changes of a policy's files.

use std::time::{Duration, Instant};

use super::backoff::exponential;

/// How long the files must stay unchanged.
const QUIET_PERIOD: Duration = Duration::from_millis(100);
/// The longest delay after the first change, for files that are written without a pause.
const MAX_DELAY: Duration = Duration::from_secs(1);
/// The pause after a reload that failed; it doubles with each further one.
const RETRY: Duration = Duration::from_millis(100);
/// The longest pause after a reload that failed.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Decides when to read a changed policy: 100 ms after the last change, because a program that writes a
/// file may not have finished, but at the latest 1 s after the first change. After a failure it is read
/// again with growing pauses, from 100 ms to 30 s. The caller passes the time.
#[derive(Debug, Default)]
pub struct Debounce {
    /// The times of the first and the last change that have not been read.
    changes: Option<(Instant, Instant)>,
    /// The number of consecutive failures, and when to try again.
    retry: Option<(u32, Instant)>,
}

impl Debounce {
    /// A file has changed.
    pub fn changed(&mut self, now: Instant) {
        let first = self.changes.map_or(now, |(first, _)| first);
        self.changes = Some((first, now));
    }

    /// When to read the files, if at all.
    pub fn due(&self) -> Option<Instant> {
        let quiet = self.changes.map(|(first, last)| (last + QUIET_PERIOD).min(first + MAX_DELAY));
        let retry = self.retry.map(|(_, at)| at);
        quiet.into_iter().chain(retry).min()
    }

    /// The files were read, and the policy is in force or has errors.
    pub fn read(&mut self) {
        *self = Debounce::default();
    }

    /// The files were read, but the policy could not be applied.
    pub fn failed(&mut self, now: Instant) {
        let failures = self.retry.map_or(0, |(failures, _)| failures);
        let pause = exponential(RETRY, failures, RETRY_MAX);
        *self = Debounce { changes: None, retry: Some((failures.saturating_add(1), now + pause)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn a_change_is_read_once_the_files_stay_unchanged() {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        assert_eq!(debounce.due(), None);
        for later in [0, 50, 120] {
            debounce.changed(start + MILLI * later);
            assert_eq!(debounce.due(), Some(start + MILLI * later + QUIET_PERIOD));
        }
        debounce.read();
        assert_eq!(debounce.due(), None);
    }

    #[test]
    fn a_file_that_keeps_changing_is_read_after_the_longest_delay() {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        for later in 0..2_000 {
            debounce.changed(start + MILLI * later);
        }
        assert_eq!(debounce.due(), Some(start + MAX_DELAY));
    }

    #[test]
    fn a_policy_that_could_not_be_applied_is_tried_again() {
        let mut now = Instant::now();
        let mut debounce = Debounce::default();
        let mut pauses = Vec::new();
        for _ in 0..11 {
            debounce.failed(now);
            let due = debounce.due().expect("a retry");
            pauses.push((due - now).as_millis());
            now = due;
        }
        assert_eq!(pauses[..4], [100, 200, 400, 800]);
        assert_eq!(pauses[8..], [25_600, 30_000, 30_000]);
        debounce.failed(now);
        debounce.changed(now);
        assert_eq!(debounce.due(), Some(now + QUIET_PERIOD), "the change may fix the failure");
        debounce.read();
        assert_eq!(debounce.due(), None);
    }
}
