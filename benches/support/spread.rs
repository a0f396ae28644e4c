//! Numbers that were measured several times.

use std::time::Duration;

/// A number with its spread: the quartiles of the samples or, for a ratio, the smallest and the
/// greatest ratio of the quartiles of both numbers.
#[derive(Clone, Copy)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Spread {
    /// The spread of these times in seconds, or NaN if there are none.
    pub fn of(mut times: Vec<Duration>) -> Spread {
        times.sort_unstable();
        let at = |quarter: usize| {
            let time = times.get(times.len().saturating_sub(1) * quarter / 4);
            time.map_or(f64::NAN, Duration::as_secs_f64)
        };
        Spread { low: at(1), median: at(2), high: at(3) }
    }

    /// The ratio to `under`.
    pub fn over(self, under: Spread) -> Spread {
        Spread {
            low: self.low / under.high,
            median: self.median / under.median,
            high: self.high / under.low,
        }
    }
}

impl From<f64> for Spread {
    fn from(value: f64) -> Spread {
        Spread { low: value, median: value, high: value }
    }
}
