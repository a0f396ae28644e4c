//! When the next check may be: at once as a rule, later where others go on disturbing, where checks
//! cost much, or where the last one failed. Pure: the time is handed in.

use std::time::{Duration, Instant};

/// How long a check waits for more of the same burst.
const BURST_WINDOW: Duration = Duration::from_millis(1);
/// Checking takes a fifth of a core at most: what a check has taken is waited this often after it,
const DUTY_CYCLE: u32 = 4;
/// but no longer than this, so that a check that others have held up does not leave the rules alone.
const REST_MAX: Duration = Duration::from_secs(1);
/// So many repairs follow each other at once.
const AT_ONCE: u32 = 4;
/// The pause after the next one; it doubles with each further repair.
const PAUSE: Duration = Duration::from_millis(8);
/// The longest pause, and how often a repair may be in the long run. Twice a second is no burden to
/// anybody, neither to those whose commits meet ours nor to the reader of the log, and the guard does
/// not depend on the part of the ruleset that others are known to fight for.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// How long nobody may have disturbed for it to be over.
const QUIET_PERIOD: Duration = Duration::from_secs(5);
/// The pause after a failure; it doubles with each further one.
const RETRY: Duration = Duration::from_millis(100);
/// The longest pause after a failure.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckResult {
    /// Everything was in place.
    Nothing,
    /// The rules follow what Docker has set up; nobody has touched them.
    Learned,
    /// Something was not in place, and was repaired.
    Repaired,
    /// It could not be checked or repaired.
    Failed,
}

/// When the next check may be.
#[derive(Debug, Default)]
pub struct RepairBackoff {
    /// When the disturbance that is still to be looked at has settled.
    desired: Option<Instant>,
    /// No check is made before.
    rest: Option<Instant>,
    /// When the repairs so far would have been paid off, one every [`PAUSE_MAX`].
    paid_off: Option<Instant>,
    /// How many checks have failed, one after the other.
    failures: u32,
    /// When it was repaired last, if repairs have become as rare as they may be.
    contested: Option<Instant>,
}

impl RepairBackoff {
    /// Somebody has changed something.
    pub fn trigger(&mut self, now: Instant) {
        self.desired.get_or_insert(now + BURST_WINDOW);
    }

    /// When the next check is due, if there is one.
    pub fn due(&self) -> Option<Instant> {
        self.desired.max(self.desired.and(self.rest))
    }

    /// A check has been made that looked at all that had been disturbed before it began.
    pub fn checked(&mut self, began: Instant, ended: Instant, finding: CheckResult) {
        let pause = match finding {
            CheckResult::Nothing | CheckResult::Learned => Duration::ZERO,
            CheckResult::Repaired => self.repaired(ended),
            CheckResult::Failed => exponential(RETRY, self.failures, RETRY_MAX),
        };
        let failed = finding == CheckResult::Failed;
        self.failures = if failed { self.failures + 1 } else { 0 };
        let rest = ((ended - began) * DUTY_CYCLE).min(REST_MAX);
        self.rest = Some(ended + pause.max(rest));
        self.desired = failed.then_some(ended);
    }

    /// Counts a repair and returns the pause that it has to be followed by.
    fn repaired(&mut self, now: Instant) -> Duration {
        let paid_off = self.paid_off.map_or(now, |paid_off| paid_off.max(now)) + PAUSE_MAX;
        self.paid_off = Some(paid_off);
        let owed = (paid_off - now).as_millis().div_ceil(PAUSE_MAX.as_millis());
        let owed = u32::try_from(owed).unwrap_or(u32::MAX);
        let pause = match owed.checked_sub(AT_ONCE + 1) {
            _ if self.contested.is_some() => PAUSE_MAX,
            None => Duration::ZERO,
            Some(further) => exponential(PAUSE, further, PAUSE_MAX),
        };
        self.contested = (pause == PAUSE_MAX).then_some(now);
        pause
    }

    /// The pause between repairs, if they have become as rare as they may be; until
    /// [`RepairBackoff::reset`].
    pub fn is_flapping(&self) -> Option<Duration> {
        self.contested.map(|_| PAUSE_MAX)
    }

    /// When it will be time to say that nobody disturbs any more, if it is contested.
    pub fn quiet_at(&self) -> Option<Instant> {
        self.contested.filter(|_| self.desired.is_none()).map(|last| last + QUIET_PERIOD)
    }

    /// It has been said: repairs are made at once again.
    pub fn reset(&mut self) {
        self.contested = None;
        self.paid_off = None;
    }
}

/// `first`, doubled so many times, but no more than `most`.
pub fn exponential(first: Duration, times: u32, most: Duration) -> Duration {
    1u32.checked_shl(times).and_then(|factor| first.checked_mul(factor)).unwrap_or(most).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// Lets others disturb `every` so often until `end`, and returns when repairs were made.
    fn repairs(
        pace: &mut RepairBackoff,
        start: Instant,
        every: Duration,
        end: Duration,
    ) -> Vec<Duration> {
        let mut repairs = Vec::new();
        let mut now = start;
        while now < start + end {
            pace.trigger(now);
            now += every;
            while let Some(due) = pace.due().filter(|due| *due < now) {
                repairs.push(due - start);
                pace.checked(due, due, CheckResult::Repaired);
            }
        }
        repairs
    }

    #[test]
    fn nothing_is_due_unless_somebody_disturbs() {
        let now = Instant::now();
        let mut pace = RepairBackoff::default();
        assert_eq!(pace.due(), None);
        pace.checked(now, now + MILLI, CheckResult::Nothing);
        assert_eq!(pace.due(), None);
    }

    #[test]
    fn a_burst_is_one_check_soon() {
        let now = Instant::now();
        let mut pace = RepairBackoff::default();
        for later in 0..100 {
            pace.trigger(now + MILLI * later);
        }
        assert_eq!(pace.due(), Some(now + BURST_WINDOW));
        pace.checked(now + BURST_WINDOW, now + BURST_WINDOW, CheckResult::Repaired);
        assert_eq!(pace.due(), None);
    }

    #[test]
    fn checks_take_a_fifth_of_a_core_at_most() {
        let start = Instant::now();
        let mut pace = RepairBackoff::default();
        let (mut now, mut busy) = (start, Duration::ZERO);
        while now < start + Duration::from_secs(10) {
            pace.trigger(now);
            now = now.max(pace.due().expect("a check"));
            pace.checked(now, now + 3 * MILLI, CheckResult::Nothing);
            now += 3 * MILLI;
            busy += 3 * MILLI;
        }
        assert!(busy <= (now - start) / 5 + 3 * MILLI, "{busy:?} in {:?}", now - start);
        assert!(busy >= (now - start) / 6, "{busy:?} in {:?}", now - start);
    }

    #[test]
    fn pauses_double_while_others_go_on_and_are_over_when_they_stop() {
        let start = Instant::now();
        let mut pace = RepairBackoff::default();
        let minute = repairs(&mut pace, start, MILLI, Duration::from_secs(60));
        let pauses: Vec<u128> =
            minute.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
        assert!(pauses[..3].iter().all(|pause| *pause <= 2), "{pauses:?}");
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert!(pauses[4..].windows(2).all(|pair| pair[1] <= 3 * pair[0]), "{pauses:?}");
        assert_eq!(pauses.last(), Some(&500));
        assert!(minute.len() <= 12 + 120, "{}", minute.len());

        assert_eq!(pace.is_flapping(), Some(PAUSE_MAX));
        assert_eq!(pace.quiet_at(), None, "a disturbance has not been looked at");
        let last = start + *minute.last().expect("a repair");
        pace.checked(last, last, CheckResult::Nothing);
        let calm = pace.quiet_at().expect("an end");
        assert_eq!(calm, last + QUIET_PERIOD);
        pace.reset();
        assert_eq!((pace.is_flapping(), pace.quiet_at()), (None, None));
        let again = repairs(&mut pace, calm, MILLI, 10 * MILLI);
        assert!(again[..4].iter().all(|at| *at < 10 * MILLI), "{again:?}");
    }

    #[test]
    fn now_and_then_a_change_is_repaired_at_once_for_ever() {
        let mut pace = RepairBackoff::default();
        let repairs = repairs(&mut pace, Instant::now(), PAUSE_MAX, Duration::from_secs(600));
        assert_eq!(repairs.len(), 1200);
        assert!(repairs.iter().all(|at| at.as_millis() % 500 == BURST_WINDOW.as_millis()));
        assert_eq!(pace.is_flapping(), None);
    }

    #[test]
    fn what_is_learned_is_never_put_off() {
        let mut now = Instant::now();
        let mut pace = RepairBackoff::default();
        for _ in 0..100 {
            pace.trigger(now);
            let due = pace.due().expect("a check");
            assert!(due <= now + 4 * MILLI, "{:?}", due - now);
            now = due + MILLI / 2;
            pace.checked(due, now, CheckResult::Learned);
        }
        assert_eq!(pace.is_flapping(), None);
    }

    #[test]
    fn failures_are_retried_with_growing_pauses() {
        let mut now = Instant::now();
        let mut pace = RepairBackoff::default();
        pace.trigger(now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let due = pace.due().expect("a retry");
            pauses.push((due - now).as_millis());
            now = due;
            pace.checked(now, now, CheckResult::Failed);
            pace.trigger(now);
        }
        assert_eq!(pauses, [1, 100, 200, 400, 800, 1600, 3200, 5000]);
        pace.checked(now, now, CheckResult::Nothing);
        assert_eq!(pace.due(), None);
        pace.trigger(now);
        pace.checked(now, now, CheckResult::Failed);
        assert_eq!(pace.due(), Some(now + RETRY));
    }

    #[test]
    fn doubling_has_an_end() {
        assert_eq!(exponential(MILLI, 0, PAUSE_MAX), MILLI);
        assert_eq!(exponential(MILLI, 8, PAUSE_MAX), 256 * MILLI);
        for times in [9, 31, 32, u32::MAX] {
            assert_eq!(exponential(MILLI, times, PAUSE_MAX), PAUSE_MAX);
        }
    }
}
