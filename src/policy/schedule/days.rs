//! The days of the week on which an entry applies: `mon`, `mon-fri`, `sat-sun`.

use std::fmt;
use std::str::FromStr;

use crate::policy::ParseError;
use crate::policy::diag::{Issue, Quoted, suggest};

/// The names of the days, from Monday on.
const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const HELP: &str = "write days such as \"mon\" or \"mon-fri\"; the days are mon, tue, wed, thu, \
                    fri, sat and sun";

/// Days of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Days(u8);

impl Days {
    /// Every day.
    pub const ALL: Days = Days(0x7f);

    /// Whether the day is one of them; 0 is Monday.
    pub fn has(self, day: u8) -> bool {
        day < 7 && self.0 & 1 << day != 0
    }

    /// The days of both.
    #[must_use]
    pub fn with(self, others: Days) -> Days {
        Days(self.0 | others.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The days as a policy lists them: each run of days as one.
    pub fn runs(self) -> Vec<String> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for day in (0..7).filter(|day| self.has(*day as u8)) {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == day => *last = day,
                _ => runs.push((day, day)),
            }
        }
        let text = |(first, last): (usize, usize)| match first == last {
            true => NAMES[first].to_owned(),
            false => format!("{}-{}", NAMES[first], NAMES[last]),
        };
        runs.into_iter().map(text).collect()
    }
}

/// `mon-fri, sun`
impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.runs().join(", "))
    }
}

/// `mon`, or `fri-mon`, which is Friday to Monday.
impl FromStr for Days {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Days, ParseError> {
        Ok(parse(text)?)
    }
}

/// Reads a day or a run of days.
pub(in crate::policy) fn parse(text: &str) -> Result<Days, Issue> {
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(text)?, day(text)?),
    };
    let length = (last + 7 - first) % 7;
    Ok((0..=length).fold(Days::default(), |days, step| Days(days.0 | 1 << ((first + step) % 7))))
}

fn day(text: &str) -> Result<u8, Issue> {
    let found = NAMES.iter().position(|name| *name == text);
    found.and_then(|day| u8::try_from(day).ok()).ok_or_else(|| {
        let short: String = text.trim().to_lowercase().chars().take(3).collect();
        let near = NAMES.into_iter().find(|name| *name == short).or(suggest(text, NAMES));
        let issue = Issue::new(format!("{} is not a day of the week", Quoted(text)));
        issue.help(near.map_or(HELP.to_owned(), |near| format!("did you mean `{near}`?")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_written() {
        for (text, runs) in [
            ("mon", "mon"),
            ("mon-fri", "mon-fri"),
            ("sat-sun", "sat-sun"),
            ("fri-mon", "mon, fri-sun"),
            ("mon-sun", "mon-sun"),
            ("sun-sat", "mon-sun"),
        ] {
            assert_eq!(text.parse::<Days>().expect(text).to_string(), runs, "{text}");
        }
    }

    #[test]
    fn a_wrong_day_has_a_suggestion() {
        for (text, help) in
            [("Monday", "did you mean `mon`?"), ("tues", "did you mean `tue`?"), ("1", HELP)]
        {
            let error = text.parse::<Days>().expect_err(text);
            assert_eq!(error.help(), Some(help), "{text}");
        }
    }
}
