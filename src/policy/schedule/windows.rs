//! When a schedule is open, as intervals of time.
//!
//! A schedule is defined by the clock on the wall: it is open whenever the local day and the local
//! time are within it. A time that a change to summer time skips does not occur; one that is
//! repeated at its end is open both times.

use super::zone::Period;
use super::{Days, Hours, Schedule};

/// Seconds of a day.
const DAY: i64 = 86_400;
/// The day of the week of 1970-01-01, a Thursday, where 0 is Monday.
const FIRST_DAY: i64 = 3;

/// A time during which a schedule is open, in seconds of Unix time; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Window {
    pub begin: i64,
    pub end: i64,
}

impl Schedule {
    /// The windows from one moment to another, cut at these: sorted, and none touches another.
    pub(crate) fn windows(&self, from: i64, to: i64) -> Vec<Window> {
        let to = self.until.map_or(to, |until| until.0.min(to));
        if from >= to {
            return Vec::new();
        }
        if self.days.is_none() && self.hours.is_empty() {
            return vec![Window { begin: from, end: to }];
        }
        let days = self.days.unwrap_or(Days::ALL);
        let all = [Hours::ALL];
        let hours = if self.hours.is_empty() { &all[..] } else { &self.hours };
        let periods = self.zone.periods(from, to);
        merge(periods.into_iter().flat_map(|period| in_period(days, hours, period)).collect())
    }
}

/// The windows of a time with one offset.
fn in_period(days: Days, hours: &[Hours], period: Period) -> Vec<Window> {
    let Period { begin, end, offset } = period;
    // A window that begins on one day may end on the next.
    let first = (begin + offset).div_euclid(DAY) - 1;
    let last = (end + offset).div_euclid(DAY);
    let mut windows = Vec::new();
    for day in (first..=last).filter(|day| days.has((day + FIRST_DAY).rem_euclid(7) as u8)) {
        let midnight = day * DAY - offset;
        let windows_of_day = hours.iter().map(|hours| Window {
            begin: (midnight + hours.begin_seconds()).max(begin),
            end: (midnight + hours.end_seconds()).min(end),
        });
        windows.extend(windows_of_day.filter(|window| window.begin < window.end));
    }
    windows
}

/// Sorts windows, and makes one of those that overlap or touch.
fn merge(mut windows: Vec<Window>) -> Vec<Window> {
    windows.sort_unstable();
    let mut merged: Vec<Window> = Vec::with_capacity(windows.len());
    for window in windows {
        match merged.last_mut() {
            Some(last) if window.begin <= last.end => last.end = last.end.max(window.end),
            _ => merged.push(window),
        }
    }
    merged
}
