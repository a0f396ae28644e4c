//! When schedules require something of a reconciler: at the beginning of a year, which the rules do not
//! cover yet, and where flows are cut, each time that an entry opens or closes. The kernel itself opens and
//! closes entries.

use std::time::{Duration, Instant};

use crate::policy::{Entry, Established, Moment, Policy, ScheduleState};

/// Longest wait: the clock may be set, and the host may sleep.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Watches the schedules of one policy.
#[derive(Debug, Default)]
pub(super) struct Transitions {
    due: Option<Instant>,
    /// Which entries applied at the last look; empty if nothing depends on it.
    open: Vec<bool>,
}

impl Transitions {
    /// Begins to watch the schedules of a policy.
    pub fn of(policy: &Policy) -> Transitions {
        let mut transitions = Transitions::default();
        transitions.look(policy, Moment::now());
        transitions
    }

    /// When to look again.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Looks at the time. Returns whether any entry has opened or closed since the last look, so that flows
    /// may have to be cut.
    pub fn look(&mut self, policy: &Policy, now: Moment) -> bool {
        let schedules = || policy.entries().filter_map(Entry::schedule);
        if schedules().next().is_none() {
            return false;
        }
        let is_cut = policy.revoke().established() == Established::Cut;
        let open: Vec<bool> =
            schedules().filter(|_| is_cut).map(|schedule| schedule.is_open(now)).collect();
        let next = schedules().filter(|_| is_cut).filter_map(|it| match it.state(now) {
            ScheduleState::Open { closes } => closes,
            ScheduleState::Closed { opens } => Some(opens),
            ScheduleState::Ended => None,
        });
        let next = next.min().map(|next| next.seconds().saturating_sub(now.seconds()).max(0));
        let next = next.map(|seconds| Duration::from_secs(seconds.unsigned_abs()));
        self.due = Some(Instant::now() + next.unwrap_or(WAIT_MAX).min(WAIT_MAX));
        let has_changed = !self.open.is_empty() && open != self.open;
        self.open = open;
        has_changed
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn policy(established: &str) -> Policy {
        let text = format!(
            "[[allow]]\nports = ['443']\nuntil = 2026-12-01T00:00:00Z\n[revoke]\nestablished = \
             '{established}'\n"
        );
        Policy::parse(&text, "p", Path::new("")).expect("a policy")
    }

    #[test]
    fn without_schedules_nothing_is_due() {
        let transitions = Transitions::of(&Policy::default());
        assert_eq!(transitions.due(), None);
    }

    #[test]
    fn the_end_of_an_entry_is_noticed_where_flows_are_cut() {
        let end = 1_796_083_200;
        for (established, expected) in [("cut", true), ("keep", false)] {
            let policy = policy(established);
            let mut transitions = Transitions::default();
            assert!(!transitions.look(&policy, Moment::from_seconds(end - 3)));
            let wait = transitions.due().expect("a deadline") - Instant::now();
            assert_eq!(wait <= Duration::from_secs(3), expected, "{wait:?}");
            assert!(!transitions.look(&policy, Moment::from_seconds(end - 1)));
            assert_eq!(transitions.look(&policy, Moment::from_seconds(end)), expected);
            assert!(!transitions.look(&policy, Moment::from_seconds(end + 1)));
        }
    }
}
