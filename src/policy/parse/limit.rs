//! `limit` and `connections` of an `[[allow]]` entry. The grammar of `limit`: `20/second`, `20/second burst 50 per source`, `5/minute per port`.

use std::num::NonZeroU32;
use std::str::FromStr;

use toml::de::DeTable;

use super::document::{Document, Value};
use crate::model::{Rate, RateError};
use crate::policy::diag::{Issue, Quoted, suggest};
use crate::policy::limit::{Limit, LimitScope, Limits, unit};
use crate::policy::{ParseError, PolicyError};

const EXAMPLES: &str = "write a rate such as \"20/second per source\" or \"300/minute burst 50\"";
const NUMBERS: &str = "use numbers from 1 to 1000000";
const UNITS: [&str; 4] = ["second", "minute", "hour", "day"];
/// Other names of units, and the ones that they mean.
const OTHER_UNITS: [(&[&str], &str); 4] = [
    (&["s", "sec", "secs", "seconds"], "second"),
    (&["m", "min", "mins", "minutes"], "minute"),
    (&["h", "hr", "hrs", "hours"], "hour"),
    (&["d", "days"], "day"),
];
/// What a rate may be meant to be for, in other words.
const OTHER_SCOPES: [(&[&str], &str); 2] = [
    (&["ip", "address", "host", "client", "src", "saddr", "srcip", "sources"], "source"),
    (&["ports", "dport", "service", "container"], "port"),
];

/// As a policy writes it.
impl FromStr for Limit {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Limit, ParseError> {
        Ok(parse(text)?)
    }
}

/// Reads the limits of an entry.
pub(super) fn limits(document: &mut Document, table: &DeTable, has_guard: bool) -> Limits {
    for key in ["limit", "connections"] {
        if let Some(value) = table.get(key).filter(|_| !has_guard) {
            document.error(value.span(), PolicyError::NeedsGuard(key));
        }
    }
    let limit = table.get("limit").and_then(|value| {
        let text = document.string(value, "limit", "20/second per source")?;
        document.check(parse(text), value.span())
    });
    let connections = table.get("connections").and_then(|value| connections(document, value));
    Limits { limit, connections }
}

fn connections(document: &mut Document, value: &Value) -> Option<NonZeroU32> {
    let help = format!("write a number of connections from 1 to {}", Limits::CONNECTIONS_MAX);
    let Some(integer) = value.get_ref().as_integer() else {
        document.wrong_type(value, "an integer", help);
        return None;
    };
    let number = i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX);
    let number = u32::try_from(number).ok().filter(|it| *it <= Limits::CONNECTIONS_MAX);
    let issue = || Issue::new("`connections` is out of range").help(help);
    document.check(number.and_then(NonZeroU32::new).ok_or_else(issue), value.span())
}

/// Reads a limit.
pub(super) fn parse(text: &str) -> Result<Limit, Issue> {
    let mut words = text.split_ascii_whitespace();
    let Some((count, unit_name)) = words.next().and_then(|word| word.split_once('/')) else {
        return Err(Issue::new(format!("{} is not a rate", Quoted(text))).help(EXAMPLES));
    };
    let count = number(count)?;
    let unit = unit(unit_name).ok_or_else(|| unknown_unit(unit_name))?;
    let (mut burst, mut per) = (None, None);
    while let Some(word) = words.next() {
        match (word, words.next()) {
            ("burst", Some(word)) if burst.is_none() => burst = Some(number(word)?),
            ("per", Some(word)) if per.is_none() => per = Some(scope(word)?),
            (word @ ("burst" | "per"), None) => {
                let issue = format!("nothing follows {} in {}", Quoted(word), Quoted(text));
                return Err(Issue::new(issue).help(EXAMPLES));
            }
            (word, _) => {
                let issue = format!("unexpected {} in {}", Quoted(word), Quoted(text));
                return Err(Issue::new(issue).help(EXAMPLES));
            }
        }
    }
    let rate = Rate::new(count, unit, burst).map_err(rate_issue)?;
    Ok(Limit { rate, per: per.unwrap_or_default() })
}

fn number(text: &str) -> Result<u64, Issue> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Issue::new(format!("{} is not a number", Quoted(text))).help(EXAMPLES));
    }
    let too_high = |_| Issue::new(format!("{} is too high", Quoted(text))).help(NUMBERS);
    text.parse().map_err(too_high)
}

fn rate_issue(error: RateError) -> Issue {
    let issue = Issue::new(error.to_string());
    match error {
        RateError::Zero => issue.help("to admit nobody, remove the entry"),
        RateError::TooHigh(_) => issue.help(NUMBERS),
        _ => issue.help("use a smaller `burst` or a higher rate"),
    }
}

fn unknown_unit(name: &str) -> Issue {
    let issue = Issue::new(format!("unknown unit of time {}", Quoted(name)));
    match meant(name, &OTHER_UNITS).or_else(|| suggest(name, UNITS)) {
        Some(meant) => issue.help(format!("the unit is `{meant}`")),
        None => issue.help("use `second`, `minute`, `hour` or `day`"),
    }
}

fn scope(word: &str) -> Result<LimitScope, Issue> {
    let words = LimitScope::WORDS;
    if let Some((_, scope)) = words.into_iter().find(|(name, _)| *name == word) {
        return Ok(scope);
    }
    let issue = Issue::new(format!("{} has no rate of its own", Quoted(word)));
    Err(match meant(word, &OTHER_SCOPES).or_else(|| suggest(word, words.map(|(name, _)| name))) {
        Some(meant) => issue.help(format!("a rate is `per {meant}`")),
        None => {
            issue.help("a rate is `per source`, `per port`, or for the whole entry without either")
        }
    })
}

/// The word that another one means.
fn meant(word: &str, others: &[(&[&str], &'static str)]) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    others.iter().find(|(names, _)| names.contains(&word.as_str())).map(|(_, meant)| *meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_prints_as_it_is_read() {
        let texts = [
            "20/second",
            "20/second per source",
            "300/minute burst 50",
            "1/day burst 3 per port",
            "1000000/second burst 1 per source",
        ];
        for text in texts {
            assert_eq!(parse(text).map(|limit| limit.to_string()), Ok(text.to_owned()));
        }
        let other = parse("5/hour per source  burst 9").expect("a limit");
        assert_eq!(other.to_string(), "5/hour burst 9 per source");
        assert_eq!(parse("7/minute burst 7").map(|it| it.to_string()), Ok("7/minute".into()));
    }

    #[test]
    fn what_is_wrong_is_said_with_help() {
        let cases = [
            ("20", "`20` is not a rate", "write a rate"),
            ("", "`` is not a rate", "write a rate"),
            ("x/second", "`x` is not a number", "write a rate"),
            ("-1/second", "`-1` is not a number", "write a rate"),
            ("20/s", "unknown unit of time `s`", "the unit is `second`"),
            ("20/hous", "unknown unit of time `hous`", "the unit is `hour`"),
            ("20/week", "unknown unit of time `week`", "use `second`, `minute`"),
            ("20/second per ip", "`ip` has no rate of its own", "a rate is `per source`"),
            ("20/second per moon", "`moon` has no rate of its own", "a rate is `per source`, `per"),
            ("20/second per", "nothing follows `per`", "write a rate"),
            ("20/second each source", "unexpected `each`", "write a rate"),
            ("20/second per port per source", "unexpected `per`", "write a rate"),
            ("0/second", "a rate of 0", "to admit nobody"),
            ("20/second burst 0", "a rate of 0", "to admit nobody"),
            ("9999999999999999999999/day", "`9999999999999999999999` is too high", "use numbers"),
            ("1/day burst 1000", "the burst would take 1000 days", "use a smaller `burst`"),
        ];
        for (text, message, help) in cases {
            let issue = parse(text).expect_err(text);
            assert!(issue.message.starts_with(message), "{text}: {}", issue.message);
            let found = issue.help.unwrap_or_default();
            assert!(found.starts_with(help), "{text}: {found}");
        }
    }
}
