//! Schedules further checks after Docker may have started or stopped a container: docker-proxy opens and
//! closes its sockets a moment after the last notification. The caller passes the time.

use std::time::{Duration, Instant};

/// The times of the checks after the last event.
const DELAYS: [Duration; 4] = [
    Duration::from_millis(30),
    Duration::from_millis(150),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// The checks that are still due.
#[derive(Debug, Default)]
pub(super) struct Recheck {
    /// The last event, and the number of checks since.
    event: Option<(Instant, usize)>,
}

impl Recheck {
    /// Docker may have started or stopped a container.
    pub fn event(&mut self, now: Instant) {
        self.event = Some((now, 0));
    }

    /// When the next check is due.
    pub fn due(&self) -> Option<Instant> {
        let (last, done) = self.event?;
        DELAYS.get(done).map(|delay| last + *delay)
    }

    /// All checks that were due have run.
    pub fn checked(&mut self, now: Instant) {
        let Some((last, done)) = &mut self.event else { return };
        *done = DELAYS.iter().take_while(|delay| *last + **delay <= now).count().max(*done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_is_followed_by_a_few_checks() {
        let start = Instant::now();
        let mut recheck = Recheck::default();
        assert_eq!(recheck.due(), None);
        recheck.event(start - Duration::from_secs(1));
        recheck.event(start);
        let mut times = Vec::new();
        while let Some(due) = recheck.due() {
            times.push(due - start);
            recheck.checked(due);
        }
        assert_eq!(times, DELAYS);
    }

    #[test]
    fn a_late_check_counts_for_all_that_were_due() {
        let start = Instant::now();
        let mut recheck = Recheck::default();
        recheck.event(start);
        recheck.checked(start + Duration::from_secs(2));
        assert_eq!(recheck.due(), Some(start + DELAYS[3]));
    }
}
