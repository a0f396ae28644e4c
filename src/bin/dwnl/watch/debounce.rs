//! When a policy that has changed is read: once it has not changed for a moment, because who writes a
//! file may not have come to its end, but not later than a while after the first change. Pure: the
//! time is handed in.

use std::time::{Duration, Instant};

use super::backoff::exponential;

/// How long it has to be quiet.
const QUIET_PERIOD: Duration = Duration::from_millis(100);
/// How long a file that is written to without a pause is waited for.
const MAX_DELAY: Duration = Duration::from_secs(1);
/// The pause after a reload that failed; it doubles with each further one.
const RETRY: Duration = Duration::from_millis(100);
/// The longest pause after a reload that failed.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// When the policy is read again.
#[derive(Debug, Default)]
pub struct Debounce {
    /// The first and the last change that have not been read.
    changes: Option<(Instant, Instant)>,
    /// How many reloads have failed, one after the other, and when the next one is.
    retry: Option<(u32, Instant)>,
}

impl Debounce {
    /// One of the files has changed.
    pub fn changed(&mut self, now: Instant) {
        let first = self.changes.map_or(now, |(first, _)| first);
        self.changes = Some((first, now));
    }

    /// When the files are to be read, if they are.
    pub fn due(&self) -> Option<Instant> {
        let settled =
            self.changes.map(|(first, last)| (last + QUIET_PERIOD).min(first + MAX_DELAY));
        let retry = self.retry.map(|(_, at)| at);
        settled.into_iter().chain(retry).min()
    }

    /// They have been read, and what they say has been put in force or is wrong in itself.
    pub fn read(&mut self) {
        *self = Debounce::default();
    }

    /// They have been read, but what they say could not be put in force.
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
    fn a_change_is_read_when_it_is_quiet() {
        let start = Instant::now();
        let mut settling = Debounce::default();
        assert_eq!(settling.due(), None);
        for later in [0, 50, 120] {
            settling.changed(start + MILLI * later);
            assert_eq!(settling.due(), Some(start + MILLI * later + QUIET_PERIOD));
        }
        settling.read();
        assert_eq!(settling.due(), None);
    }

    #[test]
    fn a_file_that_never_rests_is_read_all_the_same() {
        let start = Instant::now();
        let mut settling = Debounce::default();
        for later in 0..2_000 {
            settling.changed(start + MILLI * later);
        }
        assert_eq!(settling.due(), Some(start + MAX_DELAY));
    }

    #[test]
    fn what_could_not_be_put_in_force_is_tried_again() {
        let mut now = Instant::now();
        let mut settling = Debounce::default();
        let mut pauses = Vec::new();
        for _ in 0..11 {
            settling.failed(now);
            let due = settling.due().expect("a retry");
            pauses.push((due - now).as_millis());
            now = due;
        }
        assert_eq!(pauses[..4], [100, 200, 400, 800]);
        assert_eq!(pauses[8..], [25_600, 30_000, 30_000]);
        settling.failed(now);
        settling.changed(now);
        assert_eq!(settling.due(), Some(now + QUIET_PERIOD), "the cure may be in the files");
        settling.read();
        assert_eq!(settling.due(), None);
    }
}
