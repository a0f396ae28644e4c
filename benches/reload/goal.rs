//! A goal, and whether it is reached.

use std::fmt::{self, Display, Formatter};

use crate::format::{memory, ratio};
use crate::support::{Spread, duration, durations};

/// A goal and its measurement.
#[derive(Clone)]
pub struct Goal {
    pub what: String,
    pub limit: Limit,
    pub measured: Option<Spread>,
    /// The same figure for the kernel's own time, where a goal is missed because of it.
    pub floor: Option<Spread>,
}

#[derive(Clone, Copy)]
pub enum Limit {
    /// At least this many times as fast.
    Faster(f64),
    /// Not measurably slower: two equal figures differ by chance.
    NotSlower,
    /// At most this many times as long.
    Within(f64),
    /// At most this time in seconds.
    Time(f64),
    /// At most this many bytes.
    Bytes(f64),
    /// At most this many lines.
    Lines(usize),
}

/// A row of a table.
impl Display for Goal {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Goal { what, limit, measured, floor } = self;
        let holds = |spread: &Spread| limit.holds(*spread);
        let reached = match measured {
            Some(measured) if holds(measured) => "yes",
            Some(_) if floor.as_ref().is_some_and(|floor| !holds(floor)) => "no, nor is the floor",
            Some(_) => "**no**",
            None => "**not measured**",
        };
        let [measured, floor] = [measured, floor]
            .map(|spread| spread.map(|spread| limit.format(spread)).unwrap_or_default());
        write!(f, "| {what} | {limit} | {measured} | {reached} | {floor} |")
    }
}

impl Limit {
    fn holds(self, measured: Spread) -> bool {
        match self {
            Limit::Faster(limit) => measured.median >= limit,
            Limit::NotSlower => measured.high >= 1.0,
            Limit::Within(limit) | Limit::Time(limit) | Limit::Bytes(limit) => {
                measured.median <= limit
            }
            Limit::Lines(limit) => measured.median <= limit as f64,
        }
    }

    fn format(self, measured: Spread) -> String {
        let Spread { low, median, high } = measured;
        let between = format!("({} to {})", ratio(low), ratio(high));
        match self {
            Limit::Faster(_) | Limit::NotSlower => {
                format!("{} times faster {between}", ratio(median))
            }
            Limit::Within(_) => format!("{} times as long {between}", ratio(median)),
            Limit::Time(_) => durations(measured),
            Limit::Bytes(_) => memory(median),
            Limit::Lines(_) => format!("{median} lines"),
        }
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match *self {
            Limit::NotSlower => write!(f, "not slower"),
            Limit::Faster(limit) => write!(f, "{limit} times faster"),
            Limit::Within(limit) => write!(f, "within {limit}"),
            Limit::Time(limit) => write!(f, "{}", duration(limit)),
            Limit::Bytes(limit) => write!(f, "{}", memory(limit)),
            Limit::Lines(limit) => write!(f, "{limit} lines"),
        }
    }
}
