//! The two times of a repair, and their cells in a table.

use std::fmt::{self, Formatter};
use std::time::Duration;

use super::{Spread, durations};

/// The times from a disturbance to its repair.
#[derive(Clone, Copy)]
pub struct RepairTime {
    /// Until no source gets in any more that the policy does not allow.
    pub protected: Duration,
    /// Until the last commit.
    pub complete: Duration,
}

/// The spread of both times.
#[derive(Clone, Copy)]
pub struct RepairTimes {
    pub protected: Spread,
    pub complete: Spread,
}

impl RepairTimes {
    pub fn of(times: &[RepairTime]) -> RepairTimes {
        RepairTimes {
            protected: Spread::of(times.iter().map(|time| time.protected).collect()),
            complete: Spread::of(times.iter().map(|time| time.complete).collect()),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.complete.median.is_nan()
    }
}

/// Writes the cells of a time, of its floor if there is one, and of whether it is within its limit in
/// seconds.
pub fn write_time(
    f: &mut Formatter,
    time: Spread,
    floor: Option<Spread>,
    limit: f64,
) -> fmt::Result {
    let reached = match (time.median <= limit, floor.is_some_and(|floor| floor.median > limit)) {
        (true, _) => "yes",
        (false, false) => "**no**",
        (false, true) => "no, nor is the floor",
    };
    write!(f, " {} |", durations(time))?;
    if let Some(floor) = floor {
        write!(f, " {} |", durations(floor))?;
    }
    write!(f, " {reached} |")
}
