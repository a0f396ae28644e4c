//! When the kernel is compared once more after Docker has set something up: docker-proxy listens a moment
//! after the last thing that is heard of, and stops a moment after. Pure: the time is handed in.

use std::time::{Duration, Instant};

/// How long after the last event.
const DELAYS: [Duration; 4] = [
    Duration::from_millis(30),
    Duration::from_millis(150),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// The comparisons that are still to come.
#[derive(Debug, Default)]
pub struct Recheck {
    /// The last event, and how many comparisons have followed it.
    event: Option<(Instant, usize)>,
}

impl Recheck {
    /// Docker has set something up, or may have.
    pub fn event(&mut self, now: Instant) {
        self.event = Some((now, 0));
    }

    /// When the next one is due.
    pub fn due(&self) -> Option<Instant> {
        let (last, done) = self.event?;
        DELAYS.get(done).map(|delay| last + *delay)
    }

    /// Everything that was due has been compared.
    pub fn checked(&mut self, now: Instant) {
        let Some((last, done)) = &mut self.event else { return };
        *done = DELAYS.iter().take_while(|delay| *last + **delay <= now).count().max(*done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_is_followed_by_a_few_comparisons() {
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
    fn a_late_comparison_stands_for_all_that_were_due() {
        let start = Instant::now();
        let mut recheck = Recheck::default();
        recheck.event(start);
        recheck.checked(start + Duration::from_secs(2));
        assert_eq!(recheck.due(), Some(start + DELAYS[3]));
    }
}
