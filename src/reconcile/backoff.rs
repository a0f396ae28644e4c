//! Decides when the next check may run: at once as a rule, later when other programs keep changing the
//! rules, when checks are expensive, or when the last one failed. The caller passes the time.

use std::time::{Duration, Instant};

/// How long a check waits for more changes of the same burst.
const BURST_WINDOW: Duration = Duration::from_millis(1);
/// Limits checks to 20 % of one core: after a check, rest for this many times its duration.
const REST_FACTOR: u32 = 4;
/// The longest rest, so that a check that was held up by other programs does not suspend the next one.
const REST_MAX: Duration = Duration::from_secs(1);
/// Number of repairs without a pause.
const BURST_REPAIRS: u32 = 4;
/// The pause after the next repair; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(8);
/// The longest pause, and the long-run interval between repairs. Two repairs a second burden neither the
/// other programs, whose commits may conflict, nor the reader of the log. The guard does not depend on
/// the part of the ruleset that other programs are known to keep changing.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// How long the rules must stay unchanged to count as stable.
const QUIET_PERIOD: Duration = Duration::from_secs(5);
/// The pause after a failure; it doubles with each further one.
const RETRY: Duration = Duration::from_millis(100);
/// The longest pause after a failure.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CheckResult {
    /// The rules did not differ from the policy.
    Nothing,
    /// The rules followed a change of Docker's; no other program has touched them.
    Learned,
    /// The rules differed and were repaired.
    Repaired,
    /// The rules could not be compared or repaired.
    Failed,
}

/// Decides when the next check may run.
#[derive(Debug, Default)]
pub(super) struct RepairBackoff {
    /// When the burst of changes that has not been checked is over.
    triggered: Option<Instant>,
    /// No check runs before.
    not_before: Option<Instant>,
    /// When the repairs so far would be over at one every [`PAUSE_MAX`].
    budget_until: Option<Instant>,
    /// The number of consecutive failures.
    failures: u32,
    /// The time of the last repair, if repairs are as rare as they get.
    flapping: Option<Instant>,
}

impl RepairBackoff {
    /// Something has changed.
    pub fn trigger(&mut self, now: Instant) {
        self.triggered.get_or_insert(now + BURST_WINDOW);
    }

    /// When the next check is due, if one is.
    pub fn due(&self) -> Option<Instant> {
        self.triggered.max(self.triggered.and(self.not_before))
    }

    /// A check has run, which saw every change before it began.
    pub fn checked(&mut self, began: Instant, ended: Instant, result: CheckResult) {
        let pause = match result {
            CheckResult::Nothing | CheckResult::Learned => Duration::ZERO,
            CheckResult::Repaired => self.repaired(ended),
            CheckResult::Failed => exponential(RETRY, self.failures, RETRY_MAX),
        };
        let failed = result == CheckResult::Failed;
        self.failures = if failed { self.failures + 1 } else { 0 };
        let rest = ((ended - began) * REST_FACTOR).min(REST_MAX);
        self.not_before = Some(ended + pause.max(rest));
        self.triggered = failed.then_some(ended);
    }

    /// Counts a repair and returns the pause that has to follow it.
    fn repaired(&mut self, now: Instant) -> Duration {
        let budget_until = self.budget_until.map_or(now, |until| until.max(now)) + PAUSE_MAX;
        self.budget_until = Some(budget_until);
        let owed = (budget_until - now).as_millis().div_ceil(PAUSE_MAX.as_millis());
        let owed = u32::try_from(owed).unwrap_or(u32::MAX);
        let pause = match owed.checked_sub(BURST_REPAIRS + 1) {
            _ if self.flapping.is_some() => PAUSE_MAX,
            None => Duration::ZERO,
            Some(further) => exponential(PAUSE, further, PAUSE_MAX),
        };
        self.flapping = (pause == PAUSE_MAX).then_some(now);
        pause
    }

    /// The pause between repairs, if they are as rare as they get; until [`RepairBackoff::reset`].
    pub fn flapping_pause(&self) -> Option<Duration> {
        self.flapping.map(|_| PAUSE_MAX)
    }

    /// When the rules count as stable again, if they are flapping.
    pub fn quiet_at(&self) -> Option<Instant> {
        self.flapping.filter(|_| self.triggered.is_none()).map(|last| last + QUIET_PERIOD)
    }

    /// The rules are stable: repairs run at once again.
    pub fn reset(&mut self) {
        self.flapping = None;
        self.budget_until = None;
    }
}

/// `first`, doubled `times` times, at most `most`.
pub(super) fn exponential(first: Duration, times: u32, most: Duration) -> Duration {
    1u32.checked_shl(times).and_then(|factor| first.checked_mul(factor)).unwrap_or(most).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// Changes the rules every `every` until `end`, and returns the times of the repairs.
    fn repairs(
        backoff: &mut RepairBackoff,
        start: Instant,
        every: Duration,
        end: Duration,
    ) -> Vec<Duration> {
        let mut repairs = Vec::new();
        let mut now = start;
        while now < start + end {
            backoff.trigger(now);
            now += every;
            while let Some(due) = backoff.due().filter(|due| *due < now) {
                repairs.push(due - start);
                backoff.checked(due, due, CheckResult::Repaired);
            }
        }
        repairs
    }

    #[test]
    fn nothing_is_due_unless_something_changes() {
        let now = Instant::now();
        let mut backoff = RepairBackoff::default();
        assert_eq!(backoff.due(), None);
        backoff.checked(now, now + MILLI, CheckResult::Nothing);
        assert_eq!(backoff.due(), None);
    }

    #[test]
    fn a_burst_leads_to_one_check() {
        let now = Instant::now();
        let mut backoff = RepairBackoff::default();
        for later in 0..100 {
            backoff.trigger(now + MILLI * later);
        }
        assert_eq!(backoff.due(), Some(now + BURST_WINDOW));
        backoff.checked(now + BURST_WINDOW, now + BURST_WINDOW, CheckResult::Repaired);
        assert_eq!(backoff.due(), None);
    }

    #[test]
    fn checks_take_a_fifth_of_a_core_at_most() {
        let start = Instant::now();
        let mut backoff = RepairBackoff::default();
        let (mut now, mut busy) = (start, Duration::ZERO);
        while now < start + Duration::from_secs(10) {
            backoff.trigger(now);
            now = now.max(backoff.due().expect("a check"));
            backoff.checked(now, now + 3 * MILLI, CheckResult::Nothing);
            now += 3 * MILLI;
            busy += 3 * MILLI;
        }
        assert!(busy <= (now - start) / 5 + 3 * MILLI, "{busy:?} in {:?}", now - start);
        assert!(busy >= (now - start) / 6, "{busy:?} in {:?}", now - start);
    }

    #[test]
    fn pauses_double_while_the_rules_flap_and_end_when_they_are_stable() {
        let start = Instant::now();
        let mut backoff = RepairBackoff::default();
        let minute = repairs(&mut backoff, start, MILLI, Duration::from_secs(60));
        let pauses: Vec<u128> =
            minute.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
        assert!(pauses[..3].iter().all(|pause| *pause <= 2), "{pauses:?}");
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert!(pauses[4..].windows(2).all(|pair| pair[1] <= 3 * pair[0]), "{pauses:?}");
        assert_eq!(pauses.last(), Some(&500));
        assert!(minute.len() <= 12 + 120, "{}", minute.len());

        assert_eq!(backoff.flapping_pause(), Some(PAUSE_MAX));
        assert_eq!(backoff.quiet_at(), None, "a change has not been checked");
        let last = start + *minute.last().expect("a repair");
        backoff.checked(last, last, CheckResult::Nothing);
        let stable = backoff.quiet_at().expect("an end");
        assert_eq!(stable, last + QUIET_PERIOD);
        backoff.reset();
        assert_eq!((backoff.flapping_pause(), backoff.quiet_at()), (None, None));
        let again = repairs(&mut backoff, stable, MILLI, 10 * MILLI);
        assert!(again[..4].iter().all(|at| *at < 10 * MILLI), "{again:?}");
    }

    #[test]
    fn occasional_changes_are_always_repaired_at_once() {
        let mut backoff = RepairBackoff::default();
        let repairs = repairs(&mut backoff, Instant::now(), PAUSE_MAX, Duration::from_secs(600));
        assert_eq!(repairs.len(), 1200);
        assert!(repairs.iter().all(|at| at.as_millis() % 500 == BURST_WINDOW.as_millis()));
        assert_eq!(backoff.flapping_pause(), None);
    }

    #[test]
    fn following_docker_is_never_delayed() {
        let mut now = Instant::now();
        let mut backoff = RepairBackoff::default();
        for _ in 0..100 {
            backoff.trigger(now);
            let due = backoff.due().expect("a check");
            assert!(due <= now + 4 * MILLI, "{:?}", due - now);
            now = due + MILLI / 2;
            backoff.checked(due, now, CheckResult::Learned);
        }
        assert_eq!(backoff.flapping_pause(), None);
    }

    #[test]
    fn failures_are_retried_with_growing_pauses() {
        let mut now = Instant::now();
        let mut backoff = RepairBackoff::default();
        backoff.trigger(now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let due = backoff.due().expect("a retry");
            pauses.push((due - now).as_millis());
            now = due;
            backoff.checked(now, now, CheckResult::Failed);
            backoff.trigger(now);
        }
        assert_eq!(pauses, [1, 100, 200, 400, 800, 1600, 3200, 5000]);
        backoff.checked(now, now, CheckResult::Nothing);
        assert_eq!(backoff.due(), None);
        backoff.trigger(now);
        backoff.checked(now, now, CheckResult::Failed);
        assert_eq!(backoff.due(), Some(now + RETRY));
    }

    #[test]
    fn doubling_is_capped() {
        assert_eq!(exponential(MILLI, 0, PAUSE_MAX), MILLI);
        assert_eq!(exponential(MILLI, 8, PAUSE_MAX), 256 * MILLI);
        for times in [9, 31, 32, u32::MAX] {
            assert_eq!(exponential(MILLI, times, PAUSE_MAX), PAUSE_MAX);
        }
    }
}
