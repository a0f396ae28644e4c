//! The time zone of a policy, from the system's database.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Moment;
use crate::model::Name;
use crate::policy::ParseError;
use crate::policy::diag::{Issue, Quoted};

/// A time zone, such as `Europe/Berlin`. The default is UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: Name,
    zone: TimeZone,
}

/// A time during which the zone has one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub begin: i64,
    pub end: i64,
    /// What is added to UTC, in seconds.
    pub offset: i64,
}

impl Zone {
    const UTC: &str = "UTC";

    /// Its name in the database.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The zone itself.
    pub(in crate::policy) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The time between two moments, in seconds of Unix time, cut where the zone's offset changes.
    pub(super) fn periods(&self, from: i64, to: i64) -> Vec<Period> {
        let (Ok(first), true) = (Timestamp::from_second(from), from < to) else {
            return Vec::new();
        };
        let mut begin = from;
        let mut offset = i64::from(self.zone.to_offset(first).seconds());
        let mut periods = Vec::new();
        for transition in self.zone.following(first) {
            let at = transition.timestamp().as_second();
            if at >= to {
                break;
            }
            periods.push(Period { begin, end: at, offset });
            (begin, offset) = (at, i64::from(transition.offset().seconds()));
        }
        periods.push(Period { begin, end: to, offset });
        periods
    }

    /// A moment in the zone's own time, to the minute if that is exact: `2026-12-01 18:00 CET`.
    pub fn display(&self, moment: Moment) -> String {
        let Ok(timestamp) = Timestamp::from_second(moment.0) else { return moment.to_string() };
        let zoned = timestamp.to_zoned_datetime(self.zone.clone());
        let format = if zoned.second() == 0 { "%Y-%m-%d %H:%M %Z" } else { "%Y-%m-%d %T %Z" };
        zoned.strftime(format).to_string()
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone { name: Zone::UTC.into(), zone: TimeZone::UTC }
    }
}

/// A name of the database, in its exact spelling, or `UTC`.
impl FromStr for Zone {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Zone, ParseError> {
        Ok(parse(text)?)
    }
}

/// Reads the name of a zone.
pub(in crate::policy) fn parse(text: &str) -> Result<Zone, Issue> {
    if text == Zone::UTC {
        return Ok(Zone::default());
    }
    let database = jiff::tz::db();
    let known = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte));
    match database.get(text) {
        Ok(zone) if known && zone.iana_name() == Some(text) => Ok(Zone { name: text.into(), zone }),
        Ok(zone) if zone.iana_name().is_some_and(|name| name != text) => {
            let name = zone.iana_name().unwrap_or_default();
            let issue = Issue::new(format!("unknown time zone {}", Quoted(text)));
            Err(issue.help(format!("did you mean `{name}`?")))
        }
        _ if database.is_definitively_empty() || database.available().next().is_none() => {
            let issue = Issue::new("this system has no database of time zones");
            Err(issue.help("install the package `tzdata`, or use `UTC`"))
        }
        _ => Err(Issue::new(format!("unknown time zone {}", Quoted(text))).help(
            "write a name such as \"Europe/Berlin\"; `timedatectl list-timezones` lists them",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_known_by_its_exact_name() {
        assert_eq!(Zone::default(), "UTC".parse().expect("UTC"));
        let berlin: Zone = "Europe/Berlin".parse().expect("a zone");
        assert_eq!(&**berlin.name(), "Europe/Berlin");
        let help = |text: &str| text.parse::<Zone>().expect_err(text).help().map(str::to_owned);
        assert_eq!(help("europe/berlin").as_deref(), Some("did you mean `Europe/Berlin`?"));
        assert!(help("Europe/Nowhere").expect("help").contains("timedatectl"));
        assert!(help("../Europe/Berlin").is_some());
        assert!(help("").is_some());
    }

    #[test]
    fn a_moment_is_shown_in_the_zones_own_time() {
        let berlin: Zone = "Europe/Berlin".parse().expect("a zone");
        assert_eq!(berlin.display(Moment(1_796_144_400)), "2026-12-01 18:00 CET");
        assert_eq!(Zone::default().display(Moment(1_796_144_401)), "2026-12-01 17:00:01 UTC");
    }
}
