//! When an entry applies: `until`, `days` and `hours`, and the time zone of the table `[schedule]`.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use toml::de::{DeTable, DeValue};
use toml_datetime::{Datetime, Offset as TomlOffset, Time};

use super::document::{Document, Strings, Value};
use crate::policy::diag::{Issue, Quoted};
use crate::policy::schedule::{parse_days, parse_hours, parse_zone};
use crate::policy::{Days, Hours, Moment, PolicyError, Schedule, Zone};

/// The keys of an entry that belong to its schedule.
pub(super) const KEYS: [&str; 3] = ["until", "days", "hours"];
const UNTIL_HELP: &str = "write `until = 2026-12-01T18:00:00Z`, or `until = 2026-12-01` for the end of \
                          that day";

/// Reads the `[schedule]` table.
pub(in crate::policy) fn zone(document: &mut Document, table: &DeTable) -> Option<Zone> {
    document.check_keys(table, " in `[schedule]`", &["time-zone"]);
    let value = table.get("time-zone")?;
    let text = document.string(value, "time-zone", "Europe/Berlin")?;
    document.check(parse_zone(text), value.span())
}

/// Reads the schedule of an entry. `None` if it has no such key, or an error in one.
pub(super) fn schedule(
    document: &mut Document,
    table: &DeTable,
    zone: &Zone,
    has_guard: bool,
) -> Option<Schedule> {
    let mut used = KEYS.into_iter().filter_map(|key| Some((key, table.get(key)?))).peekable();
    used.peek()?;
    if !has_guard {
        used.for_each(|(key, value)| document.error(value.span(), PolicyError::NeedsGuard(key)));
        return None;
    }
    let mut schedule = Schedule::new(zone.clone());
    if let Some(until) = table.get("until").and_then(|value| until(document, value, zone)) {
        schedule = schedule.with_until(until);
    }
    if let Some(days) = table.get("days").and_then(|value| days(document, value)) {
        schedule = schedule.with_days(days);
    }
    if let Some(hours) = table.get("hours").and_then(|value| hours(document, value)) {
        schedule = schedule.with_hours(hours);
    }
    Some(schedule)
}

fn until(document: &mut Document, value: &Value, zone: &Zone) -> Option<Moment> {
    let DeValue::Datetime(datetime) = value.get_ref() else {
        let help = match value.get_ref().as_str() {
            Some(text) if text.parse::<Datetime>().is_ok() => {
                format!("write `until = {text}`, without quotes")
            }
            _ => UNTIL_HELP.to_owned(),
        };
        document.wrong_type(value, "a date-time", help);
        return None;
    };
    document.check(moment(datetime, zone), value.span())
}

/// The moment that a date-time stands for; of a date, its end.
fn moment(datetime: &Datetime, zone: &Zone) -> Result<Moment, Issue> {
    let invalid = || Issue::new(format!("there is no time {datetime}")).help(UNTIL_HELP);
    let date = datetime
        .date
        .as_ref()
        .ok_or_else(|| Issue::new(format!("`{datetime}` has no date")).help(UNTIL_HELP))?;
    let part = |number: u8| i8::try_from(number).unwrap_or(i8::MAX);
    let year = i16::try_from(date.year).map_err(|_| invalid())?;
    let date = Date::new(year, part(date.month), part(date.day)).map_err(|_| invalid())?;
    let timestamp = match (&datetime.time, datetime.offset) {
        (None, _) => end_of(date, zone.zone()).ok_or_else(invalid)?,
        (Some(time), offset) => {
            let local = at(date, time).ok_or_else(invalid)?;
            match offset {
                Some(offset) => with_offset(local, offset).ok_or_else(invalid)?,
                None => in_zone(local, zone)?,
            }
        }
    };
    let moment = Moment(timestamp.as_second());
    if moment > Moment::MAX {
        let issue = Issue::new(format!("`{datetime}` is too far in the future"));
        return Err(issue.help("omit `until` for an entry that does not end"));
    }
    Ok(moment)
}

fn at(date: Date, time: &Time) -> Option<DateTime> {
    let part = |number: u8| i8::try_from(number).unwrap_or(i8::MAX);
    let second = part(time.second.unwrap_or(0));
    let time = jiff::civil::Time::new(part(time.hour), part(time.minute), second, 0).ok()?;
    Some(date.to_datetime(time))
}

/// The first moment of the next day.
fn end_of(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    let next = date.checked_add(1.day()).ok()?;
    Some(next.to_zoned_datetime(zone.clone()).ok()?.timestamp())
}

fn with_offset(local: DateTime, offset: TomlOffset) -> Option<Timestamp> {
    let minutes = match offset {
        TomlOffset::Z => 0,
        TomlOffset::Custom { minutes } => minutes,
    };
    let offset = Offset::from_seconds(i32::from(minutes) * 60).ok()?;
    offset.to_timestamp(local).ok()
}

/// The moment of a time in the zone, if it occurs exactly once.
fn in_zone(local: DateTime, zone: &Zone) -> Result<Timestamp, Issue> {
    let ambiguous = zone.zone().to_ambiguous_timestamp(local);
    let is_gap = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    let occurs = if is_gap { "does not occur" } else { "occurs twice" };
    ambiguous.unambiguous().map_err(|_| {
        let message = format!("{local} {occurs} in {}", zone.name());
        Issue::new(message).help("write an offset, as in `2026-12-01T18:00:00+01:00`")
    })
}

fn days(document: &mut Document, value: &Value) -> Option<Days> {
    let meant = |text: &str| parse_days(text).ok().map(|_| vec![text.to_owned()]);
    let expected = Strings { key: "days", example: "mon-fri", meant: &meant };
    let parts = parts(document, value, &expected, parse_days)?;
    Some(parts.into_iter().fold(Days::default(), Days::with))
}

fn hours(document: &mut Document, value: &Value) -> Option<Vec<Hours>> {
    let meant = |text: &str| parse_hours(text).ok().map(|_| vec![text.to_owned()]);
    let expected = Strings { key: "hours", example: "08:00-18:00", meant: &meant };
    let hours = parts(document, value, &expected, parse_hours)?;
    if hours.len() > Schedule::HOURS_MAX {
        let issue = Issue::new(format!("there are {} hours", hours.len()));
        let help = format!("list at most {}", Schedule::HOURS_MAX);
        document.error(value.span(), issue.help(help));
    }
    Some(hours)
}

/// Parses each string of an array, and reports the errors and an empty array.
fn parts<T>(
    document: &mut Document,
    value: &Value,
    expected: &Strings,
    parse: impl Fn(&str) -> Result<T, Issue>,
) -> Option<Vec<T>> {
    let strings = document.strings(value, expected)?;
    if value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
        let issue = Issue::new(format!("{} is empty", Quoted(expected.key)));
        let help = format!("omit it, or write `{} = [\"{}\"]`", expected.key, expected.example);
        document.error(value.span(), issue.help(help));
    }
    let parse = |(text, span)| document.check(parse(text), span);
    Some(strings.into_iter().filter_map(parse).collect())
}
