//! The hours of the day at which an entry applies: `08:00-18:00`, `22:00-06:00`.

use std::fmt;
use std::str::FromStr;

use crate::policy::ParseError;
use crate::policy::diag::{Issue, Quoted};

const HELP: &str = "write a begin and an end, such as \"08:00-18:00\"; \"22:00-06:00\" ends on the \
                    next day";
/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// A time of day from its begin to its end. If the end is before the begin, it is on the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hours {
    /// In minutes from midnight, below 24 hours.
    begin: u16,
    /// In minutes from midnight, at most 24 hours.
    end: u16,
}

impl Hours {
    /// The whole day.
    pub(super) const ALL: Hours = Hours { begin: 0, end: DAY };

    /// The begin, in seconds from midnight of the day that it belongs to.
    pub(super) fn begin_seconds(self) -> i64 {
        i64::from(self.begin) * 60
    }

    /// The end, in seconds from midnight of the day that the begin belongs to.
    pub(super) fn end_seconds(self) -> i64 {
        let next_day = if self.end <= self.begin { DAY } else { 0 };
        i64::from(self.end + next_day) * 60
    }
}

/// `08:00-18:00`
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hours { begin, end } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", begin / 60, begin % 60, end / 60, end % 60)
    }
}

impl FromStr for Hours {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Hours, ParseError> {
        Ok(parse(text)?)
    }
}

/// Reads a begin and an end.
pub(in crate::policy) fn parse(text: &str) -> Result<Hours, Issue> {
    let Some((begin, end)) = text.split_once('-') else {
        return Err(Issue::new(format!("{} has no end", Quoted(text))).help(HELP));
    };
    let (begin, end) = (time(begin)?, time(end)?);
    if begin == DAY {
        return Err(Issue::new("a day ends at 24:00").help("write 00:00 for the begin of a day"));
    }
    if begin == end {
        let issue = Issue::new(format!("{} is empty", Quoted(text)));
        return Err(issue.help("omit `hours` for the whole day"));
    }
    Ok(Hours { begin, end })
}

/// The minutes from midnight of `HH:MM`.
fn time(text: &str) -> Result<u16, Issue> {
    let digits = |text: &str| -> Option<u16> {
        let is_valid = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_valid.then(|| text.parse().ok())?
    };
    let minutes = text.split_once(':').and_then(|(hour, minute)| {
        let (hour, minute) = (digits(hour)?, digits(minute).filter(|it| *it < 60)?);
        Some(hour * 60 + minute).filter(|minutes| *minutes <= DAY)
    });
    minutes.ok_or_else(|| {
        Issue::new(format!("{} is not a time from 00:00 to 24:00", Quoted(text))).help(HELP)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_and_written() {
        for (text, seconds) in [
            ("08:00-18:30", (28_800, 66_600)),
            ("22:00-06:00", (79_200, 108_000)),
            ("00:00-24:00", (0, 86_400)),
            ("23:59-00:00", (86_340, 86_400)),
            ("12:00-24:00", (43_200, 86_400)),
        ] {
            let hours: Hours = text.parse().expect(text);
            assert_eq!((hours.begin_seconds(), hours.end_seconds()), seconds, "{text}");
            assert_eq!(hours.to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_errors() {
        for text in [
            "",
            "8",
            "08:00",
            "8:00-18:00",
            "08:00-25:00",
            "08:60-09:00",
            "08:00-08:00",
            "24:00-06:00",
            "08:00-24:01",
            "08:00 - 18:00",
            "+8:00-18:00",
        ] {
            text.parse::<Hours>().expect_err(text);
        }
    }
}
