//! Durations: a whole number and a unit, such as `30s`, `15m`, `24h` or `7d`.

use std::fmt;
use std::time::Duration;

use crate::policy::diag::{Issue, Quoted};

/// The units with their lengths in seconds, the longest first.
const UNITS: [(char, u64); 4] = [('d', 24 * 60 * 60), ('h', 60 * 60), ('m', 60), ('s', 1)];

/// Reads a duration of at most `max`.
pub(super) fn parse(text: &str, max: Duration) -> Result<Duration, Issue> {
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(*unit));
    let seconds = unit.and_then(|(unit, length)| {
        let digits = text.strip_suffix(*unit)?;
        let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
        let number = digits.parse::<u64>().ok().filter(|_| is_number)?;
        number.checked_mul(*length)
    });
    let Some(seconds) = seconds else {
        return Err(Issue::new(format!("{} is not a duration", Quoted(text)))
            .help("write a whole number and a unit, such as \"30s\", \"15m\", \"24h\" or \"7d\""));
    };
    match Duration::from_secs(seconds) {
        it if it > max => Err(Issue::new(format!("{} is too long", Quoted(text)))
            .help(format!("write at most \"{}\"", DurationText(max)))),
        it => Ok(it),
    }
}

/// A duration in whole seconds as [`parse`] reads it, in the largest unit that it is a multiple of.
pub(in crate::policy) struct DurationText(pub Duration);

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let is_multiple =
            |(_, length): &&(char, u64)| seconds > 0 && seconds.is_multiple_of(*length);
        let (unit, length) = UNITS.iter().find(is_multiple).unwrap_or(&('s', 1));
        write!(f, "{}{unit}", seconds / length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for (text, seconds) in
            [("0s", 0), ("30s", 30), ("15m", 900), ("24h", 86_400), ("7d", 604_800)]
        {
            assert_eq!(parse(text, MAX), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in
            ["", "h", "24", "-1h", "+1h", "1.5h", "1 h", "24hours", "31d", "99999999999999999999d"]
        {
            assert!(parse(text, MAX).is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_written_in_the_largest_unit() {
        for text in ["0s", "30s", "90s", "15m", "1d", "36h"] {
            let duration = parse(text, MAX).expect(text);
            assert_eq!(DurationText(duration).to_string(), text);
        }
    }
}
