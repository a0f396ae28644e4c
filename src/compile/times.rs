//! Sets of times: when the schedules of entries are open.
//!
//! A schedule becomes the moments at which it opens and closes, for some years from the beginning of the
//! present one. So neither the kernel's idea of the day and the hour nor a change to summer time matters,
//! and the plan stays empty for a year. Each later apply adds a year. Where the kernel's clock is outside
//! these years, an entry that allows is closed, and one that denies denies.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::Offset;

use super::own_table;
use crate::model::{Interval, Name, NftMatch, Ruleset, Set, SetKind, SetPath, TimeMatch};
use crate::policy::{Entry, Moment, Policy, Schedule, Window};

/// How many years are covered, with the present one.
const YEARS: i16 = 5;
/// A clock that shows an earlier year is wrong.
const FIRST_YEAR: i16 = 2026;
/// The beginning of the names. Those of other sets have no dot so early.
const OPEN: &str = "time.";
const NOT_DENIED: &str = "time-not.";

/// What an entry does when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allows,
    Denies,
}

/// `meta time @SET` for an entry that allows; `meta time != @SET` for one that denies, of which the set
/// holds the times at which it does not. `None` if the entry always applies.
pub(super) fn condition(entry: &Entry, effect: Effect) -> Option<NftMatch> {
    let set = set_name(entry.schedule()?, effect);
    Some(NftMatch::Time(TimeMatch { set, negated: effect == Effect::Denies }))
}

/// Replaces the sets of times by those of another moment. Returns whether they differ.
pub(crate) fn renew_times(ruleset: &mut Ruleset, policy: &Policy, now: Moment) -> bool {
    let mut is_renewed = false;
    for new in sets(policy, now) {
        let known = ruleset.sets.iter_mut().find(|set| set.path == new.path);
        if let Some(known) = known.filter(|known| known.elements != new.elements) {
            *known = new;
            is_renewed = true;
        }
    }
    is_renewed
}

/// The sets that the conditions look up, each once.
pub(super) fn sets(policy: &Policy, now: Moment) -> Vec<Set> {
    let deny = policy.deny().iter().map(|entry| (entry.schedule(), Effect::Denies));
    let allow = policy.allow().iter().map(|entry| (entry.schedule(), Effect::Allows));
    let mut sets: Vec<Set> = Vec::new();
    for (schedule, effect) in deny.chain(allow) {
        let Some(schedule) = schedule else { continue };
        let name = set_name(schedule, effect);
        if sets.iter().all(|set| set.path.set != name) {
            sets.push(set(name, schedule, effect, now));
        }
    }
    sets
}

fn set(name: Name, schedule: &Schedule, effect: Effect, now: Moment) -> Set {
    let (begin, end) = years(schedule, now);
    let open = schedule.windows(begin, end);
    let windows = match effect {
        Effect::Allows => open,
        // What has ended does not deny after these years either.
        Effect::Denies => {
            let is_over = schedule.until().is_some_and(|until| until.0 <= end);
            complement(&open, begin, if is_over { Moment::MAX.0 } else { end })
        }
    };
    Set {
        path: Arc::new(SetPath { table: own_table(), set: name }),
        kind: SetKind::Times,
        elements: windows.iter().map(|it| Interval::of_seconds(it.begin, it.end)).collect(),
        origin: format!("schedule `{schedule}`").into(),
    }
}

/// The time that the set of a schedule covers. One without days and hours needs one element for all time.
fn years(schedule: &Schedule, now: Moment) -> (i64, i64) {
    if schedule.days().is_none() && schedule.hours().is_empty() {
        return (new_year(FIRST_YEAR), Moment::MAX.0);
    }
    let present = Timestamp::from_second(now.0.min(Moment::MAX.0)).unwrap_or(Timestamp::UNIX_EPOCH);
    let year = Offset::UTC.to_datetime(present).year().max(FIRST_YEAR);
    (new_year(year), new_year(year + YEARS))
}

/// The beginning of a year in UTC.
fn new_year(year: i16) -> i64 {
    let date = jiff::civil::date(year, 1, 1).at(0, 0, 0, 0);
    Offset::UTC.to_timestamp(date).map_or(0, Timestamp::as_second)
}

/// The time between two moments that is in none of the windows.
fn complement(windows: &[Window], begin: i64, end: i64) -> Vec<Window> {
    let ends = windows.iter().map(|window| window.end);
    let begins = windows.iter().map(|window| window.begin);
    let gaps = [begin].into_iter().chain(ends).zip(begins.chain([end]));
    let gaps = gaps.map(|(begin, end)| Window { begin, end });
    gaps.filter(|gap| gap.begin < gap.end).collect()
}

/// A name that says what the schedule is, and that nft can read:
/// `time.mon-fri.0800-1800.Europe/Berlin.until-20261201T170000Z`.
fn set_name(schedule: &Schedule, effect: Effect) -> Name {
    let mut parts: Vec<String> =
        schedule.days().map(|days| days.runs().join("_")).into_iter().collect();
    let hours: Vec<String> = schedule.hours().iter().map(ToString::to_string).collect();
    if !hours.is_empty() {
        parts.push(hours.join("_").replace(':', ""));
    }
    if !parts.is_empty() {
        parts.push(schedule.zone().name().replace('+', "_"));
    }
    let until = schedule.until().map(|until| until.to_string().replace(['-', ':'], ""));
    parts.extend(until.map(|until| format!("until-{until}")));
    let prefix = match effect {
        Effect::Allows => OPEN,
        Effect::Denies => NOT_DENIED,
    };
    format!("{prefix}{}", parts.join(".")).into()
}

/// The times that a set of dwnl's holds, in words, by the set's name:
/// `mon-fri, 08:00-18:00 (Europe/Berlin), until 2026-12-01T17:00:00Z`. Those at which an entry does not
/// deny begin with `not`. `None` for a set of another kind.
pub fn schedule_of_set(set: &str) -> Option<String> {
    let denied = set.strip_prefix(NOT_DENIED);
    let parts = denied.or(set.strip_prefix(OPEN))?;
    let mut words = if denied.is_some() { "not ".to_owned() } else { String::new() };
    let start = words.len();
    for part in parts.split('.') {
        let separator = if words.len() == start { "" } else { ", " };
        if let Some(until) = part.strip_prefix("until-") {
            words.push_str(&format!("{separator}until {}", spelled(until, &[4, 6], &[11, 13])));
        } else if part.starts_with(|c: char| c.is_ascii_digit()) {
            let hours = part.split('_').map(|hours| spelled(hours, &[], &[2, 7]));
            words.push_str(&format!("{separator}{}", hours.collect::<Vec<String>>().join(", ")));
        } else if part.starts_with(|c: char| c.is_ascii_lowercase()) {
            words.push_str(&part.replace('_', ", "));
        } else {
            words.push_str(&format!(" ({part})"));
        }
    }
    Some(words)
}

/// The text with a hyphen or a colon before the characters at these positions.
fn spelled(text: &str, hyphens: &[usize], colons: &[usize]) -> String {
    let mut spelled = String::new();
    for (position, c) in text.chars().enumerate() {
        if hyphens.contains(&position) {
            spelled.push('-');
        }
        if colons.contains(&position) {
            spelled.push(':');
        }
        spelled.push(c);
    }
    spelled
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// 2026-11-27.
    const NOW: Moment = Moment(1_795_780_800);

    fn policy(entry: &str) -> Policy {
        let text = format!("{entry}\n[schedule]\ntime-zone = 'Europe/Berlin'\n");
        Policy::parse(&text, "p", Path::new("")).expect("a policy")
    }

    fn only_set(entry: &str) -> Set {
        let mut sets = sets(&policy(entry), NOW);
        assert_eq!(sets.len(), 1, "{entry}");
        sets.remove(0)
    }

    fn seconds(set: &Set) -> Vec<String> {
        set.elements.iter().map(|it| it.display_seconds().to_string()).collect()
    }

    #[test]
    fn a_name_says_what_the_schedule_is() {
        for (keys, name, words) in [
            (
                "days = ['mon-fri', 'sun']\nhours = ['08:00-18:00', '22:00-06:00']",
                "time.mon-fri_sun.0800-1800_2200-0600.Europe/Berlin",
                "mon-fri, sun, 08:00-18:00, 22:00-06:00 (Europe/Berlin)",
            ),
            (
                "until = 2026-12-01T18:00:00\nhours = ['08:00-18:00']",
                "time.0800-1800.Europe/Berlin.until-20261201T170000Z",
                "08:00-18:00 (Europe/Berlin), until 2026-12-01T17:00:00Z",
            ),
            ("until = 2026-12-01", "time.until-20261201T230000Z", "until 2026-12-01T23:00:00Z"),
        ] {
            let set = only_set(&format!("[[allow]]\nports = ['1']\n{keys}"));
            assert_eq!(&*set.path.set, name);
            assert_eq!(schedule_of_set(name).as_deref(), Some(words));
            let set = only_set(&format!("[[deny]]\n{keys}"));
            assert_eq!(*set.path.set, name.replacen("time.", "time-not.", 1));
            assert_eq!(schedule_of_set(&set.path.set), Some(format!("not {words}")));
        }
        assert_eq!(schedule_of_set("web-4"), None);
    }

    #[test]
    fn until_is_one_element() {
        let keys = "until = 2026-12-01T00:00:00Z";
        let allow = only_set(&format!("[[allow]]\nports = ['1']\n{keys}"));
        assert_eq!(seconds(&allow), ["1767225600-1796083200"]);
        let deny = only_set(&format!("[[deny]]\n{keys}"));
        assert_eq!(seconds(&deny), ["1796083200-7258118400"]);
    }

    #[test]
    fn what_has_ended_long_ago_is_never_open() {
        let keys = "until = 2020-01-01T00:00:00Z";
        let allow = only_set(&format!("[[allow]]\nports = ['1']\n{keys}"));
        assert_eq!(seconds(&allow), [""; 0]);
        let deny = only_set(&format!("[[deny]]\n{keys}"));
        assert_eq!(seconds(&deny), ["1767225600-7258118400"]);
    }

    #[test]
    fn days_and_hours_are_covered_for_years() {
        let keys = "days = ['mon']\nhours = ['08:00-18:00']";
        let allow = only_set(&format!("[[allow]]\nports = ['1']\n{keys}"));
        // From Monday, 2026-01-05 to Monday, 2030-12-30.
        assert_eq!(allow.elements.len(), 261);
        assert_eq!(seconds(&allow)[0], "1767596400-1767632400");
        let deny = only_set(&format!("[[deny]]\n{keys}"));
        assert_eq!(deny.elements.len(), 262);
        let last = deny.elements.last().expect("an element");
        assert_eq!(last.display_seconds().to_string(), "1924880400-1924992000");
        let ends = only_set(&format!("[[deny]]\n{keys}\nuntil = 2026-12-01"));
        let last = ends.elements.last().expect("an element");
        assert!(last.display_seconds().to_string().ends_with("-7258118400"));
    }

    #[test]
    fn a_clock_that_is_wrong_opens_nothing() {
        let keys = "days = ['mon']\nuntil = 2026-12-01";
        let entries = format!("[[deny]]\n{keys}\n[[allow]]\nports = ['1']\n{keys}\n");
        let policy = policy(&entries);
        for now in [Moment(0), Moment(-1), Moment(i64::MAX), Moment(i64::MIN)] {
            for set in sets(&policy, now) {
                assert!(set.elements.iter().all(|it| it.first >= 1_767_225_600_000_000_000));
            }
        }
    }

    #[test]
    fn the_sets_of_a_ruleset_are_renewed_with_the_year() {
        let keys = "days = ['mon']";
        let policy = policy(&format!("[[allow]]\nports = ['1']\n{keys}"));
        let mut ruleset = crate::compile::compile_at(&policy, NOW);
        assert!(!renew_times(&mut ruleset, &policy, NOW));
        let next_year = Moment(new_year(2027));
        assert!(renew_times(&mut ruleset, &policy, next_year));
        let again = crate::compile::compile_at(&policy, next_year);
        let elements = |ruleset: &Ruleset| -> Vec<_> {
            ruleset.sets.iter().map(|set| Arc::clone(&set.elements)).collect()
        };
        assert_eq!(elements(&ruleset), elements(&again));
    }

    #[test]
    fn the_sets_stay_the_same_for_a_year() {
        let keys = "days = ['mon-fri']\nhours = ['08:00-18:00']";
        let policy = policy(&format!("[[allow]]\nports = ['1']\n{keys}"));
        let elements = |now| Arc::clone(&sets(&policy, Moment(now))[0].elements);
        let (begin, end) = (new_year(2027), new_year(2028));
        assert_eq!(elements(begin), elements(end - 1));
        assert_ne!(elements(begin), elements(end));
        assert_ne!(elements(begin), elements(begin - 1));
    }
}
