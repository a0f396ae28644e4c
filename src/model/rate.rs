//! Rates of new flows, as a token bucket of nf_tables counts them.

use std::fmt;
use std::num::NonZeroU32;

/// How many new flows are admitted: at most `burst` at once, and `count` in each unit of time on
/// average. So within `n` units of time at most `burst + n * count` are admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    count: u32,
    unit: RateUnit,
    burst: u32,
}

/// The unit of time of a [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RateUnit {
    /// A second.
    Second,
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
    /// 86,400 seconds.
    Day,
}

/// Why numbers make no [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RateError {
    /// Nothing would ever be admitted.
    #[error("a rate of 0 would admit nothing")]
    Zero,
    /// A number is above [`Rate::MAX`].
    #[error("{0} is above 1000000")]
    TooHigh(u64),
    /// An unused source would have its whole burst again only after more than
    /// [`Rate::REFILL_MAX`] seconds.
    #[error("the burst would take {} days to refill, more than 366", .0.div_ceil(86_400))]
    SlowRefill(u64),
}

impl Rate {
    /// The highest rate and burst.
    pub const MAX: u32 = 1_000_000;
    /// The longest time in seconds that an empty bucket may take to refill: 366 days.
    pub const REFILL_MAX: u64 = 366 * 86_400;

    /// `count` per `unit`, and at most `burst` at once; `None`: `count` at once.
    ///
    /// # Errors
    /// A [`RateError`] if a number is 0 or above [`Rate::MAX`], or if the bucket would take longer
    /// than [`Rate::REFILL_MAX`] to refill.
    pub fn new(count: u64, unit: RateUnit, burst: Option<u64>) -> Result<Rate, RateError> {
        let number = |number: u64| match u32::try_from(number) {
            Ok(0) => Err(RateError::Zero),
            Ok(number) if number <= Rate::MAX => Ok(number),
            _ => Err(RateError::TooHigh(number)),
        };
        let rate = Rate { count: number(count)?, unit, burst: number(burst.unwrap_or(count))? };
        match rate.refill_seconds() {
            seconds if seconds > Rate::REFILL_MAX => Err(RateError::SlowRefill(seconds)),
            _ => Ok(rate),
        }
    }

    /// How many in each unit of time.
    pub fn count(self) -> u32 {
        self.count
    }

    /// The unit of time.
    pub fn unit(self) -> RateUnit {
        self.unit
    }

    /// How many at once.
    pub fn burst(self) -> u32 {
        self.burst
    }

    /// Whether as many are admitted at once as in a unit of time.
    pub fn has_default_burst(self) -> bool {
        self.burst == self.count
    }

    /// After how many seconds an unused bucket is full again; the kernel may forget it then.
    pub fn refill(self) -> NonZeroU32 {
        let seconds = u32::try_from(self.refill_seconds()).ok().and_then(NonZeroU32::new);
        seconds.unwrap_or(NonZeroU32::MAX)
    }

    fn refill_seconds(self) -> u64 {
        let seconds = u64::from(self.burst) * u64::from(self.unit.seconds());
        seconds.div_ceil(u64::from(self.count))
    }
}

impl RateUnit {
    /// All of them, the shortest first.
    pub const ALL: [RateUnit; 4] =
        [RateUnit::Second, RateUnit::Minute, RateUnit::Hour, RateUnit::Day];

    /// Its length in seconds.
    pub fn seconds(self) -> u32 {
        match self {
            RateUnit::Second => 1,
            RateUnit::Minute => 60,
            RateUnit::Hour => 3600,
            RateUnit::Day => 86_400,
        }
    }

    /// Its name, as nft writes it.
    pub fn name(self) -> &'static str {
        match self {
            RateUnit::Second => "second",
            RateUnit::Minute => "minute",
            RateUnit::Hour => "hour",
            RateUnit::Day => "day",
        }
    }
}

/// As nft writes it: `20/second burst 50 packets`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rate { count, unit, burst } = self;
        write!(f, "{count}/{unit} burst {burst} packets")
    }
}

impl fmt::Display for RateUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_refills_at_its_rate() {
        let refill = |count, unit, burst| Rate::new(count, unit, burst).expect("a rate").refill();
        assert_eq!(refill(20, RateUnit::Second, None).get(), 1);
        assert_eq!(refill(20, RateUnit::Second, Some(50)).get(), 3, "rounded up from 2.5 seconds");
        assert_eq!(refill(1000, RateUnit::Second, Some(1)).get(), 1);
        assert_eq!(refill(2, RateUnit::Hour, Some(5)).get(), 9000);
    }

    #[test]
    fn extreme_numbers_are_no_rate() {
        let error = |count, burst| Rate::new(count, RateUnit::Day, burst).expect_err("no rate");
        assert_eq!(error(0, None), RateError::Zero);
        assert_eq!(error(1, Some(0)), RateError::Zero);
        assert_eq!(error(1_000_001, None), RateError::TooHigh(1_000_001));
        assert_eq!(error(1, Some(u64::MAX)), RateError::TooHigh(u64::MAX));
        assert_eq!(
            error(1, Some(367)).to_string().split(',').next(),
            Some("the burst would take 367 days to refill")
        );
        assert!(Rate::new(1, RateUnit::Day, Some(366)).is_ok());
    }
}
