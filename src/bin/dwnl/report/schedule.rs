//! When entries apply: their schedules, and what these say now.

use dwnl::Policy;
use dwnl::policy::{Entry, Moment, Schedule, ScheduleState};
use serde::Serialize;

use super::format::LocationReport;

/// The schedule of an entry, and whether it is open.
#[derive(Debug, Serialize)]
pub struct ScheduleReport<'a> {
    entry: Option<&'a str>,
    entry_location: Option<LocationReport<'a>>,
    kind: &'static str,
    schedule: String,
    state: &'static str,
    /// When the state changes next; `None`: not within a year.
    changes_at: Option<String>,
    #[serde(skip)]
    note: String,
}

impl<'a> ScheduleReport<'a> {
    /// The schedules of all entries, in their order.
    pub fn all(policy: &'a Policy, now: Moment) -> Vec<ScheduleReport<'a>> {
        let deny = policy.deny().iter().map(|entry| ScheduleReport::new("deny", entry, now));
        let allow = policy.allow().iter().map(|entry| ScheduleReport::new("allow", entry, now));
        deny.chain(allow).flatten().collect()
    }

    fn new(kind: &'static str, entry: &'a Entry, now: Moment) -> Option<ScheduleReport<'a>> {
        let schedule = entry.schedule()?;
        let state = schedule.state(now);
        Some(ScheduleReport {
            entry: entry.name().map(|name| &**name),
            entry_location: entry.at().map(LocationReport::from),
            kind,
            schedule: schedule.to_string(),
            state: match state {
                ScheduleState::Open { .. } => "open",
                ScheduleState::Closed { .. } => "closed",
                ScheduleState::Ended => "ended",
            },
            changes_at: match state {
                ScheduleState::Open { closes } => closes.map(|it| it.to_string()),
                ScheduleState::Closed { opens } => Some(opens.to_string()),
                ScheduleState::Ended => None,
            },
            note: note(schedule, state),
        })
    }

    /// `web applies until 2026-12-01 18:00 CET (mon-fri, 08:00-18:00 (Europe/Berlin))`, without the schedule
    /// if the note says as much
    pub fn words(&self) -> String {
        let entry = self.entry.unwrap_or("an entry without a name");
        let verb = if self.state == "open" { "applies " } else { "" };
        match self.schedule == self.note {
            true => format!("{entry} {verb}{}", self.note),
            false => format!("{entry} {verb}{} ({})", self.note, self.schedule),
        }
    }
}

/// `until 2026-12-01 18:00 CET`, `is closed now, and opens 2026-12-02 08:00 CET`, `has ended`
pub fn note(schedule: &Schedule, state: ScheduleState) -> String {
    let text = |moment| schedule.zone().display(moment);
    match state {
        ScheduleState::Open { closes: Some(moment) } => format!("until {}", text(moment)),
        ScheduleState::Open { closes: None } => "for longer than a year".to_owned(),
        ScheduleState::Closed { opens } => format!("is closed now, and opens {}", text(opens)),
        ScheduleState::Ended => "has ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_schedule_says_when_it_changes() {
        let text = "[[deny]]\nname = 'ban'\nuntil = 2026-11-01\n[[allow]]\nname = 'web'\n\
                    ports = ['443']\ndays = ['mon-fri']\nhours = ['08:00-18:00']\n[[allow]]\n\
                    ports = ['80']\n[schedule]\ntime-zone = 'Europe/Berlin'\n";
        let policy = Policy::parse(text, "p", Path::new("")).expect("a policy");
        let words = |now| -> Vec<String> {
            let now = Moment::from(std::time::UNIX_EPOCH + std::time::Duration::from_secs(now));
            ScheduleReport::all(&policy, now).iter().map(ScheduleReport::words).collect()
        };
        let ended = "ban has ended (until 2026-11-02 00:00 CET)";
        let office = "(mon-fri, 08:00-18:00 (Europe/Berlin))";
        // Friday, 2026-11-27, at noon and at midnight.
        assert_eq!(
            words(1_795_780_800),
            [ended.to_owned(), format!("web applies until 2026-11-27 18:00 CET {office}")]
        );
        let closed = "web is closed now, and opens 2026-11-30 08:00 CET";
        assert_eq!(words(1_795_824_000), [ended.to_owned(), format!("{closed} {office}")]);
    }
}
