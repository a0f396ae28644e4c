//! Debounces the changes of a policy's files.

use std::time::{Duration, Instant};

use super::backoff::exponential;

/// How long the files must stay unchanged.
const QUIET_PERIOD: Duration = Duration::from_millis(100);
/// The longest delay after the first change, for files that are written without a pause.
const MAX_DELAY: Duration = Duration::from_secs(1);
/// How long a file that seems unfinished must stay unchanged.
const UNFINISHED_PERIOD: Duration = Duration::from_secs(5);
/// The pause after a reload that failed; it doubles with each further one.
const RETRY: Duration = Duration::from_millis(100);
/// The longest pause after a reload that failed.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Decides when to read a changed policy: 100 ms after the last change, because a program that writes a
/// file may not have finished, but at the latest 1 s after the first change. After a failure it is read
/// again with growing pauses, from 100 ms to 30 s. A file that seems unfinished is read again 5 s after
/// the last write to it. The caller passes the time.
#[derive(Debug, Default)]
pub struct Debounce {
    /// The times of the first and the last change that have not been read.
    changes: Option<(Instant, Instant)>,
    /// The number of consecutive failures, and when to try again.
    retry: Option<(u32, Instant)>,
    /// The time of the last write to a file that has not been read, or has been read unfinished.
    written: Option<Instant>,
    /// When to read a file again that was unfinished.
    deferred: Option<Instant>,
}

impl Debounce {
    /// A file has changed.
    pub fn changed(&mut self, now: Instant) {
        let first = self.changes.map_or(now, |(first, _)| first);
        self.changes = Some((first, now));
    }

    /// The content of a file has changed in place, rather than the file having been replaced.
    pub fn written(&mut self, now: Instant) {
        self.changed(now);
        self.written = Some(now);
    }

    /// The files were read, and one seems unfinished (see
    /// [`LoadedPolicy::is_unfinished`](crate::policy::LoadedPolicy::is_unfinished)). Returns whether
    /// the caller has to wait for it: not if no file was written to in the last 5 s.
    pub fn defer(&mut self, now: Instant) -> bool {
        self.changes = None;
        self.deferred = self.written.map(|at| at + UNFINISHED_PERIOD).filter(|until| *until > now);
        self.deferred.is_some()
    }

    /// When to read the files, if at all.
    pub fn due(&self) -> Option<Instant> {
        let quiet = self.changes.map(|(first, last)| (last + QUIET_PERIOD).min(first + MAX_DELAY));
        let retry = self.retry.map(|(_, at)| at);
        quiet.into_iter().chain(retry).chain(self.deferred).min()
    }

    /// The files were read, and the policy is in force or has errors.
    pub fn read(&mut self) {
        *self = Debounce::default();
    }

    /// The files were read, but the policy could not be applied.
    pub fn failed(&mut self, now: Instant) {
        let failures = self.retry.map_or(0, |(failures, _)| failures);
        let pause = exponential(RETRY, failures, RETRY_MAX);
        let retry = Some((failures.saturating_add(1), now + pause));
        *self = Debounce { retry, ..Debounce::default() };
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
    fn an_unfinished_file_is_read_once_it_has_been_quiet() {
        let start = Instant::now();
        let mut debounce = Debounce::default();
        debounce.changed(start);
        assert!(!debounce.defer(start), "the file was replaced");
        debounce.written(start);
        assert!(debounce.defer(start + QUIET_PERIOD));
        assert_eq!(debounce.due(), Some(start + UNFINISHED_PERIOD));
        let later = start + UNFINISHED_PERIOD / 2;
        debounce.written(later);
        assert_eq!(debounce.due(), Some(later + QUIET_PERIOD), "it may be finished now");
        assert!(debounce.defer(later + QUIET_PERIOD));
        assert_eq!(debounce.due(), Some(later + UNFINISHED_PERIOD));
        assert!(!debounce.defer(later + UNFINISHED_PERIOD), "it has been quiet");
        debounce.read();
        assert_eq!(debounce.due(), None);
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
