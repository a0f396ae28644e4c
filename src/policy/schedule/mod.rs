//! When an entry applies: until a moment, on some days of the week, at some hours of the day.

mod days;
mod hours;
#[cfg(test)]
pub(super) mod tests;
mod windows;
mod zone;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use days::Days;
pub use hours::Hours;
pub(crate) use windows::Window;
pub use zone::Zone;

pub(super) use days::parse as parse_days;
pub(super) use hours::parse as parse_hours;
pub(super) use zone::parse as parse_zone;

/// A moment, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(pub(crate) i64);

impl Moment {
    /// The end of what a schedule can say: 2200-01-01.
    pub const MAX: Moment = Moment(7_258_118_400);

    /// The present.
    pub fn now() -> Moment {
        SystemTime::now().into()
    }

    /// The moment with this number of seconds of Unix time.
    pub fn from_seconds(seconds: i64) -> Moment {
        Moment(seconds)
    }

    /// In seconds of Unix time.
    pub fn seconds(self) -> i64 {
        self.0
    }

    /// The same as the standard library has it.
    pub fn to_system_time(self) -> SystemTime {
        let seconds = Duration::from_secs(self.0.unsigned_abs());
        let time = match self.0 < 0 {
            true => UNIX_EPOCH.checked_sub(seconds),
            false => UNIX_EPOCH.checked_add(seconds),
        };
        time.unwrap_or(UNIX_EPOCH)
    }
}

/// The second in which it is.
impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Moment {
        Moment(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |it| -it),
        })
    }
}

/// `2026-12-01T18:00:00Z`, as a policy has it.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(timestamp) => write!(f, "{timestamp}"),
            Err(_) => write!(f, "{} seconds after 1970", self.0),
        }
    }
}

/// When an entry applies. Without days and hours, always until its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    until: Option<Moment>,
    days: Option<Days>,
    hours: Vec<Hours>,
    zone: Zone,
}

/// Whether a schedule is open, and when that changes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleState {
    /// It is open.
    Open {
        /// When it closes; `None`: not within the next years.
        closes: Option<Moment>,
    },
    /// It is closed, and opens again.
    Closed {
        /// When it opens.
        opens: Moment,
    },
    /// It is closed, and does not open again.
    Ended,
}

impl Schedule {
    /// Maximum number of hours.
    pub const HOURS_MAX: usize = 8;
    /// How far the next change is looked for, in seconds: a year and a day, because a schedule
    /// repeats every week, except for changes of the zone.
    const FORESIGHT: i64 = 367 * 86_400;

    /// A schedule that is always open, with times in this zone.
    pub fn new(zone: Zone) -> Schedule {
        Schedule { until: None, days: None, hours: Vec::new(), zone }
    }

    /// The same until a moment, at most [`Moment::MAX`].
    #[must_use]
    pub fn with_until(self, until: Moment) -> Schedule {
        Schedule { until: Some(until.min(Moment::MAX)), ..self }
    }

    /// The same on these days alone.
    #[must_use]
    pub fn with_days(self, days: Days) -> Schedule {
        Schedule { days: Some(days), ..self }
    }

    /// The same at these hours alone, of which the first [`Schedule::HOURS_MAX`] count.
    #[must_use]
    pub fn with_hours(self, hours: impl IntoIterator<Item = Hours>) -> Schedule {
        let mut hours: Vec<Hours> = hours.into_iter().collect();
        hours.sort_unstable();
        hours.dedup();
        hours.truncate(Schedule::HOURS_MAX);
        Schedule { hours, ..self }
    }

    /// When it ends.
    pub fn until(&self) -> Option<Moment> {
        self.until
    }

    /// The days; `None`: every day.
    pub fn days(&self) -> Option<Days> {
        self.days
    }

    /// The hours, sorted; empty: the whole day.
    pub fn hours(&self) -> &[Hours] {
        &self.hours
    }

    /// The zone of its days and hours.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Whether it is open at a moment, and when that changes next.
    pub fn state(&self, now: Moment) -> ScheduleState {
        let horizon = now.0.saturating_add(Schedule::FORESIGHT);
        match self.windows(now.0, horizon).first() {
            None => ScheduleState::Ended,
            Some(window) if window.begin > now.0 => {
                ScheduleState::Closed { opens: Moment(window.begin) }
            }
            Some(window) => {
                let closes = Some(window.end).filter(|end| *end < horizon);
                ScheduleState::Open { closes: closes.map(Moment) }
            }
        }
    }

    /// Whether it is open whenever the other one is, as far as is obvious.
    pub(super) fn covers(&self, other: &Schedule) -> bool {
        let is_later = self.until.is_none_or(|end| other.until.is_some_and(|it| it <= end));
        let is_always = self.days.is_none() && self.hours.is_empty();
        let times = |it: &Schedule| (it.days, it.hours.clone(), it.zone.clone());
        is_later && (is_always || times(self) == times(other))
    }

    /// Whether it is open at a moment.
    pub fn is_open(&self, at: Moment) -> bool {
        !self.windows(at.0, at.0.saturating_add(1)).is_empty()
    }
}

/// `mon-fri, 08:00-18:00 (Europe/Berlin), until 2026-12-01 18:00 CET`
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = self.days.iter().flat_map(|days| days.runs()).collect();
        parts.extend(self.hours.iter().map(Hours::to_string));
        if let Some(last) = parts.last_mut() {
            last.push_str(&format!(" ({})", self.zone.name()));
        }
        parts.extend(self.until.map(|until| format!("until {}", self.zone.display(until))));
        f.write_str(&parts.join(", "))
    }
}
