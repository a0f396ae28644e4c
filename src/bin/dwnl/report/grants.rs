//! The reports of `allow`, `deny`, `grants` and `revoke`.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use dwnl::engine::GrantReport;
use dwnl::model::{Grant, GrantAction, Recording};
use serde::Serialize;

use super::Report;
use super::count::{Count, Thousands};
use super::style::{HEADING, REMARK};
use super::table::{Cell, Column, Table};
use crate::state::StoredGrant;

/// What is allowed and denied by hand.
#[derive(Debug, Serialize)]
pub struct Grants {
    state: &'static str,
    grant_count: usize,
    ban_count: usize,
    grants: Vec<GrantJson>,
    #[serde(skip)]
    sentence: Option<&'static str>,
}

/// A grant or ban.
#[derive(Clone, Debug, Serialize)]
pub struct GrantJson {
    action: &'static str,
    source: String,
    ports: Option<String>,
    until: Option<String>,
    note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    persistent: Option<bool>,
    #[serde(skip)]
    rest: Option<Duration>,
}

impl GrantJson {
    /// A grant or ban that was read at `now`.
    pub fn new(grant: &Grant, now: SystemTime) -> GrantJson {
        GrantJson {
            action: key(grant.action),
            source: grant.source.to_string(),
            ports: grant.ports.map(|ports| ports.to_string()),
            until: grant.remaining.map(|remaining| time(now, remaining)),
            note: grant.note.as_deref().map(str::to_owned),
            persistent: None,
            rest: grant.remaining,
        }
    }
}

impl Grants {
    /// What was read at `now`, and what is kept.
    pub fn new(report: &GrantReport, stored: &[StoredGrant], now: SystemTime) -> Grants {
        let is_stored = |grant: &Grant| {
            let is_same = |it: &StoredGrant| {
                it.action() == grant.action && (it.source, it.ports) == (grant.source, grant.ports)
            };
            stored.iter().any(is_same)
        };
        let grants = report.grants.iter().map(|grant| GrantJson {
            persistent: Some(is_stored(grant)),
            ..GrantJson::new(grant, now)
        });
        let ban_count = report.grants.iter().filter(|it| it.action == GrantAction::Deny).count();
        Grants {
            state: state_key(report.state),
            grant_count: report.grants.len() - ban_count,
            ban_count,
            grants: grants.collect(),
            sentence: no_guard(report.state),
        }
    }

    fn write_table(&self, out: &mut dyn Write, action: GrantAction) -> io::Result<()> {
        let rows: Vec<[Cell; 5]> = self
            .grants
            .iter()
            .filter(|it| it.action == key(action))
            .map(|it| {
                let ends = it
                    .rest
                    .map_or_else(|| "never".to_owned(), |rest| format!("in {}", short(rest)));
                let ports = it.ports.clone().unwrap_or_else(|| "all".to_owned());
                let kept = if it.persistent == Some(true) { "yes" } else { "" };
                let note = it.note.clone().unwrap_or_default();
                [ends, it.source.clone(), ports, kept.to_owned(), note].map(Cell::from)
            })
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        let heading = match action {
            GrantAction::Deny => "banned by hand",
            GrantAction::Allow => "granted by hand",
        };
        writeln!(out, "{HEADING}{heading}{HEADING:#}, the next to end first:")?;
        let columns = ["ends", "source", "ports", "persistent", "note"];
        Table::new(columns.map(|name| Column(name, false)), rows).write(out)
    }
}

impl Report for Grants {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(sentence) = self.sentence {
            return writeln!(out, "{sentence}");
        }
        if self.grants.is_empty() {
            return writeln!(out, "nothing is allowed or denied by hand");
        }
        self.write_table(out, GrantAction::Deny)?;
        if self.ban_count > 0 && self.grant_count > 0 {
            writeln!(out)?;
        }
        self.write_table(out, GrantAction::Allow)
    }
}

/// What `allow` or `deny` has done.
#[derive(Debug, Serialize)]
pub struct Granted {
    action: &'static str,
    added: usize,
    failed: usize,
    grants: Vec<GrantJson>,
    flows_terminated: Option<usize>,
    warnings: Vec<String>,
}

impl Granted {
    /// These were added at `now`.
    pub fn new(
        grants: &[Grant],
        flows_terminated: Option<usize>,
        warnings: Vec<String>,
        now: SystemTime,
    ) -> Granted {
        let action = grants.first().map_or(GrantAction::Deny, |grant| grant.action);
        let grants: Vec<_> = grants.iter().map(|grant| GrantJson::new(grant, now)).collect();
        let (added, failed) = (grants.len(), 0);
        Granted { action: key(action), added, failed, grants, flows_terminated, warnings }
    }

    /// So many were added from a stream, and so many lines could not be read.
    pub fn stream(
        action: GrantAction,
        added: usize,
        failed: usize,
        flows_terminated: Option<usize>,
    ) -> Granted {
        let (grants, warnings) = (Vec::new(), Vec::new());
        Granted { action: key(action), added, failed, grants, flows_terminated, warnings }
    }
}

impl Report for Granted {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let done = if self.action == "deny" { "banned" } else { "granted" };
        for grant in &self.grants {
            let ports = grant.ports.as_ref().map_or(String::new(), |ports| format!(" {ports}"));
            let end = match (&grant.until, grant.rest) {
                (Some(until), Some(rest)) => {
                    format!("for {} {REMARK}(until {until}){REMARK:#}", short(rest))
                }
                _ => "until it is revoked".to_owned(),
            };
            writeln!(out, "{done} {}{ports} {end}", grant.source)?;
        }
        if self.grants.is_empty() {
            writeln!(out, "{done}: {}", Count(self.added, "source"))?;
        }
        if self.failed > 0 {
            writeln!(out, "not read: {}", Count(self.failed, "line"))?;
        }
        match self.flows_terminated {
            Some(flows) => writeln!(out, "terminated: {}", Count(flows, "flow")),
            None => Ok(()),
        }
    }
}

/// What `revoke` has done.
#[derive(Debug, Serialize)]
pub struct Revoked {
    ended: usize,
    failed: usize,
    warnings: Vec<String>,
    #[serde(skip)]
    words: Vec<String>,
}

impl Revoked {
    /// These have ended.
    pub fn new(ended: &[Grant], warnings: Vec<String>) -> Revoked {
        let words = ended.iter().map(ToString::to_string).collect();
        Revoked { ended: ended.len(), failed: 0, warnings, words }
    }

    /// All have ended.
    pub fn all(ended: usize) -> Revoked {
        Revoked { ended, failed: 0, warnings: Vec::new(), words: Vec::new() }
    }

    /// So many have ended, and so many lines could not be read.
    pub fn stream(ended: usize, failed: usize) -> Revoked {
        Revoked { failed, ..Revoked::all(ended) }
    }
}

impl Report for Revoked {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for words in &self.words {
            writeln!(out, "no longer {words}")?;
        }
        match (self.words.is_empty(), self.ended) {
            (true, 0) => writeln!(out, "nothing was allowed or denied by hand for it")?,
            (true, ended) => {
                writeln!(out, "revoked: {}, grants and bans together", Thousands(ended))?
            }
            (false, _) => {}
        }
        match self.failed {
            0 => Ok(()),
            failed => writeln!(out, "not read: {}", Count(failed, "line")),
        }
    }
}

/// How many grants and bans there are.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GrantCounts {
    grants: usize,
    bans: usize,
    is_complete: bool,
    next: Option<GrantJson>,
}

impl GrantCounts {
    /// Those of a report that was read at `now`; `None` without any.
    pub fn new(report: &GrantReport, now: SystemTime) -> Option<GrantCounts> {
        let bans = report.grants.iter().filter(|it| it.action == GrantAction::Deny).count();
        let next = report.grants.first().filter(|it| report.is_complete && it.remaining.is_some());
        (!report.grants.is_empty()).then(|| GrantCounts {
            grants: report.grants.len() - bans,
            bans,
            is_complete: report.is_complete,
            next: next.map(|grant| GrantJson::new(grant, now)),
        })
    }

    /// `2 grants and 3 bans; the next to end: banned 192.0.2.7 in 9m`
    pub fn sentence(&self) -> String {
        let at_least = if self.is_complete { "" } else { "at least " };
        let number = |number: usize, noun| match number {
            1 => format!("1 {noun}"),
            number => format!("{} {noun}s", Thousands(number)),
        };
        let mut text =
            format!("{at_least}{} and {}", number(self.grants, "grant"), number(self.bans, "ban"));
        if let Some((next, rest)) = self.next.as_ref().and_then(|next| Some((next, next.rest?))) {
            let done = if next.action == "deny" { "banned" } else { "granted" };
            text.push_str(&format!("; the next to end: {done} {}", next.source));
            text.extend(next.ports.iter().flat_map(|ports| [" ", ports]));
            text.push_str(&format!(" in {}", short(rest)));
        }
        text
    }
}

/// Writes how many there are, if there are any.
pub(super) fn write_by_hand(out: &mut dyn Write, counts: Option<&GrantCounts>) -> io::Result<()> {
    counts.map_or(Ok(()), |counts| writeln!(out, "by hand: {}", counts.sentence()))
}

/// Why there are no grants and bans.
fn no_guard(state: Recording) -> Option<&'static str> {
    match state {
        Recording::NotInstalled => {
            Some("nothing is allowed or denied by hand: no policy is applied")
        }
        Recording::GuardOff => Some("nothing is allowed or denied by hand: the guard is off"),
        Recording::Active => None,
        _ => Some(
            "nothing is allowed or denied by hand: the guard is of an older version of dwnl; run `dwnl \
             apply`",
        ),
    }
}

fn state_key(state: Recording) -> &'static str {
    match state {
        Recording::NotInstalled => "not_installed",
        Recording::GuardOff => "guard_off",
        Recording::Active => "active",
        _ => "outdated",
    }
}

fn key(action: GrantAction) -> &'static str {
    match action {
        GrantAction::Allow => "allow",
        GrantAction::Deny => "deny",
    }
}

fn time(now: SystemTime, remaining: Duration) -> String {
    let end = now.checked_add(remaining).unwrap_or(now);
    humantime::format_rfc3339_seconds(end).to_string()
}

/// `42s`, `10m`, `2h`, `7d`: whole units, rounded up to the next second.
fn short(rest: Duration) -> String {
    let seconds = rest.as_secs() + u64::from(rest.subsec_nanos() > 0);
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let largest = units.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(3);
    let mut left = seconds;
    let mut words = Vec::new();
    for (unit, name) in &units[largest..(largest + 2).min(4)] {
        if left >= *unit {
            words.push(format!("{}{name}", left / unit));
        }
        left %= unit;
    }
    if words.is_empty() { "0s".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::super::test_support::plain;
    use super::*;

    fn grant(action: GrantAction, source: &str, seconds: Option<u64>) -> Grant {
        Grant {
            action,
            source: source.parse().expect("a source"),
            ports: (action == GrantAction::Allow).then(|| "443".parse().expect("a port")),
            remaining: seconds.map(Duration::from_secs),
            note: seconds.map(|_| "scan".into()),
        }
    }

    fn report() -> GrantReport {
        let mut report = GrantReport::default();
        (report.state, report.is_complete) = (Recording::Active, true);
        report.grants = vec![
            grant(GrantAction::Deny, "192.0.2.7", Some(600)),
            grant(GrantAction::Allow, "2001:db8::/32", Some(90_000)),
            grant(GrantAction::Deny, "198.51.100.0/24", None),
        ];
        report
    }

    #[test]
    fn grants_are_listed_by_their_end() {
        let now = SystemTime::UNIX_EPOCH;
        let stored = [StoredGrant::new(&report().grants[0], now)];
        let grants = Grants::new(&report(), &stored, now);
        let text = plain(|out| grants.write(out));
        assert_eq!(
            text,
            "\
banned by hand, the next to end first:
ends    source           ports  persistent  note
in 10m  192.0.2.7        all    yes         scan
never   198.51.100.0/24  all

granted by hand, the next to end first:
ends      source         ports    note
in 1d 1h  2001:db8::/32  443/tcp  scan
"
        );
        let json = serde_json::to_string(&grants).expect("JSON");
        let first = r#"{"action":"deny","source":"192.0.2.7","ports":null,"until":"1970-01-01T00:10:00Z","note":"scan","persistent":true}"#;
        assert!(json.contains(first), "{json}");
    }

    #[test]
    fn the_number_and_the_next_to_end_are_a_sentence() {
        let counts = GrantCounts::new(&report(), SystemTime::UNIX_EPOCH).expect("some");
        let expected = "1 grant and 2 bans; the next to end: banned 192.0.2.7 in 10m";
        assert_eq!(counts.sentence(), expected);
        let mut many = report();
        many.is_complete = false;
        let counts = GrantCounts::new(&many, SystemTime::UNIX_EPOCH).expect("some");
        assert_eq!(counts.sentence(), "at least 1 grant and 2 bans");
        assert!(GrantCounts::new(&GrantReport::default(), SystemTime::UNIX_EPOCH).is_none());
    }

    #[test]
    fn times_are_short() {
        for (milliseconds, words) in
            [(0, "0s"), (1, "1s"), (60_000, "1m"), (3_661_000, "1h 1m"), (172_800_000, "2d")]
        {
            assert_eq!(short(Duration::from_millis(milliseconds)), words);
        }
    }
}
