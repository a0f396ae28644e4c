//! The report of `status` for people: one screen.

use std::fmt::Display;
use std::io::{self, Write};

use anstyle::Style;
use nix::unistd::{Uid, User};

use super::super::Report;
use super::super::count::{Count, Thousands};
use super::super::format::{Escaped, join_and, join_limited};
use super::super::names::NameReport;
use super::super::style::{ERROR, HEADING, WARNING};
use super::super::trial_ends;
use super::denied::write_denied;
use super::port_table::write_ports;
use super::{
    DropReport, FileReport, FileState, KernelReport, LimitedReport, RepairReport, ScheduleReport,
    Status, StoredReport, UnpublishedReport, WatchReport,
};

impl Report for Status<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_policy(out)?;
        if let Some(digest) = self.policy_digest.as_ref().filter(|_| self.verbose) {
            line(out, "digest", digest)?;
        }
        self.write_file(out)?;
        self.write_watch(out)?;
        self.write_kernel(out)?;
        if let Some(previous) = &self.previous {
            line(out, "previous", &format!("applied {}", previous.words()))?;
        }
        self.write_list(out, (HEADING, "name"), self.names.iter().map(NameReport::words))?;
        self.write_drops(out)?;
        write_denied(out, &self.denied, self.verbose)?;
        if let Some(by_hand) = &self.by_hand {
            line(out, "by hand", &by_hand.sentence())?;
        }
        self.write_limited(out)?;
        self.write_ports(out)?;
        self.write_unpublished(out)?;
        self.write_list(
            out,
            (HEADING, "schedule"),
            self.schedules.iter().map(ScheduleReport::words),
        )?;
        self.write_list(out, (WARNING, "limit"), self.limitations.iter())?;
        self.write_list(out, (WARNING, "warning"), self.warnings.iter())
    }
}

/// Maximum number of lines with the same label, unless all are to be shown.
const LINES_MAX: usize = 5;

impl Status<'_> {
    /// Writes a line with this label for each text; of very many only the first.
    fn write_list<T: Display>(
        &self,
        out: &mut dyn Write,
        (style, label): (Style, &str),
        texts: impl ExactSizeIterator<Item = T>,
    ) -> io::Result<()> {
        let shown = if self.verbose { texts.len() } else { LINES_MAX };
        let more = texts.len().saturating_sub(shown);
        for text in texts.take(shown) {
            styled_line(out, style, label, &Escaped(text).to_string())?;
        }
        match more {
            0 => Ok(()),
            more => {
                styled_line(out, style, label, &format!("{} more; -v shows all", Thousands(more)))
            }
        }
    }

    fn write_policy(&self, out: &mut dyn Write) -> io::Result<()> {
        let is_in_force = self.kernel.as_ref().is_some_and(|kernel| kernel.is_in_sync);
        let state = if is_in_force { "in force since" } else { "applied" };
        match &self.applied {
            Some(applied) => line(out, "policy", &format!("{state} {}", applied.words())),
            None => line(out, "policy", "none is stored"),
        }
    }

    fn write_file(&self, out: &mut dyn Write) -> io::Result<()> {
        let FileReport { path, state, error_count, .. } = &self.file;
        let path = Escaped(path);
        let text = match state {
            FileState::Current => format!("{path}: current"),
            FileState::Unknown => format!("{path}: valid"),
            FileState::Changed => {
                format!("{path}: {WARNING}changed{WARNING:#} since, and not applied")
            }
            FileState::Invalid => {
                let errors = Count(*error_count, "error");
                let effect = match self.applied {
                    Some(_) => "the last valid policy is the one above",
                    None => "there is no last valid policy",
                };
                format!("{path}: {ERROR}{errors}{ERROR:#}, so {effect}")
            }
        };
        line(out, "file", &text)
    }

    /// What entries did not admit because of their limits.
    fn write_limited(&self, out: &mut dyn Write) -> io::Result<()> {
        let text = |LimitedReport { entry, limits, packets }: &LimitedReport| {
            let packets = Count(usize::try_from(*packets).unwrap_or(usize::MAX), "packet");
            format!("{packets} above {limits} of {entry}")
        };
        self.write_list(out, (HEADING, "limited"), self.limited.iter().map(text))
    }

    fn write_watch(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.is_on_trial {
            // Neither kind of trial begins beside the other.
            let ends = trial_ends(self.watch.is_some());
            line(out, "trial", &format!("a policy is on trial: {ends}"))?;
        }
        let Some(watch) = &self.watch else {
            return line(out, "watch", "none is running, so nothing repairs the rules");
        };
        line(out, "watch", &watch.words())?;
        match &watch.last_repair {
            Some(repair) => line(out, "repaired", &repair.words(watch.repair_count)),
            None => Ok(()),
        }
    }

    fn write_kernel(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(KernelReport { is_in_sync, is_enforced, counts, .. }) = &self.kernel else {
            return line(out, "kernel", "not compared: there is no policy");
        };
        if *is_in_sync {
            return line(out, "kernel", &format!("in sync: {}", counts.unchanged()));
        }
        let changes = counts.changes("to add", "to remove");
        line(out, "kernel", &format!("{ERROR}differs{ERROR:#} from the policy: {changes}"))?;
        match is_enforced {
            true => Ok(()),
            false => {
                let text =
                    "published ports may be open to anyone: dwnl's rules are not all in place";
                styled_line(out, ERROR, "open", text)
            }
        }
    }

    fn write_drops(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(drops) = &self.drops else { return Ok(()) };
        let number = |packets| Thousands(usize::try_from(packets).unwrap_or(usize::MAX));
        let total = drops.iter().map(|it| it.packets).fold(0, u64::saturating_add);
        let paths = drops.iter().filter(|it| it.packets > 0);
        let paths: Vec<String> = paths
            .map(|DropReport { path, packets, .. }| {
                format!("{} {}", Escaped(path), number(*packets))
            })
            .collect();
        let paths =
            if paths.is_empty() { String::new() } else { format!(": {}", paths.join(", ")) };
        let unit = if total == 1 { "packet" } else { "packets" };
        let full = match self.is_record_full {
            Some(true) => "; no room to record further sources",
            _ => "",
        };
        line(out, "refused", &format!("{} {unit}{paths}{full}", number(total)))
    }

    fn write_ports(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.kernel.is_none() {
            return Ok(());
        }
        if self.ports.is_empty() {
            return line(out, "ports", "Docker publishes none");
        }
        writeln!(out)?;
        write_ports(out, &self.ports, self.verbose)?;
        let is_followed = !self.unpublished_ports.is_empty()
            || !self.limitations.is_empty()
            || !self.warnings.is_empty();
        if is_followed { writeln!(out) } else { Ok(()) }
    }

    /// One line for all ports that are simply not published, and one for each container's port.
    fn write_unpublished(&self, out: &mut dyn Write) -> io::Result<()> {
        let (mistaken, others): (Vec<_>, Vec<_>) =
            self.unpublished_ports.iter().partition(|it| !it.published_as.is_empty());
        let shown = if self.verbose { others.len() } else { LINES_MAX };
        let mut words: Vec<String> = others.iter().take(shown).map(|it| it.words()).collect();
        if others.len() > words.len() {
            words.push(format!("{} more", others.len() - words.len()));
        }
        if !words.is_empty() {
            line(out, "unused", &format!("Docker does not publish {}", join_and(&words)))?;
        }
        let text = |it: &&UnpublishedReport| {
            let published = join_limited(&it.published_as);
            format!("{} is the container's port; Docker publishes it as {published}", it.words())
        };
        self.write_list(out, (HEADING, "unused"), mistaken.iter().map(text))
    }
}

impl UnpublishedReport<'_> {
    /// `9100/tcp (metrics)`
    fn words(&self) -> String {
        match self.entries.is_empty() {
            true => self.ports.to_string(),
            false => format!("{} ({})", self.ports, Escaped(self.entries.join(", "))),
        }
    }
}

impl WatchReport {
    /// `process 4711 keeps /etc/dwnl/policy.toml in force since 2026-01-31T08:00:00Z`
    fn words(&self) -> String {
        let WatchReport { pid, policy, started_at, .. } = self;
        let keeps = policy.as_ref().map(|policy| format!(" keeps {} in force", Escaped(policy)));
        let since = started_at.as_ref().map(|at| format!(" since {at}"));
        format!("process {pid}{}{}", keeps.unwrap_or_default(), since.unwrap_or_default())
    }
}

impl RepairReport {
    /// `3 times, last at 2026-01-31T08:00:00Z: ip nat PREROUTING, after process nft (pid 7) ...`
    fn words(&self, count: Option<u64>) -> String {
        let RepairReport { repaired_at, objects, causes } = self;
        let count = match count {
            Some(1) | None => "once, at".to_owned(),
            Some(count) => {
                let count = Thousands(usize::try_from(count).unwrap_or(usize::MAX));
                format!("{count} times, last at")
            }
        };
        let objects =
            if objects.is_empty() { "nothing of dwnl's".to_owned() } else { objects.join(", ") };
        let after = match &causes[..] {
            [] => String::new(),
            causes => format!(", after {}", causes.join("; ")),
        };
        format!("{count} {repaired_at}: {}", Escaped(format!("{objects}{after}")))
    }
}

impl StoredReport {
    /// `2026-01-31T08:00:00Z from /etc/dwnl/policy.toml, by dwnl apply as root`
    fn words(&self) -> String {
        let StoredReport { source, applied_at, command, uid, login_uid } = self;
        let (source, command) = (Escaped(source), Escaped(command));
        let login = login_uid.filter(|login| login != uid).map(user_name);
        let login = login.map(|login| format!(" (logged in as {login})")).unwrap_or_default();
        let user = user_name(*uid);
        format!("{applied_at} from {source}, by dwnl {command} as {user}{login}")
    }
}

/// The user's name, or the number of one that is not known.
fn user_name(uid: u32) -> String {
    let name = User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
    name.unwrap_or_else(|| format!("user {uid}"))
}

/// A line with a label.
pub(super) fn line(out: &mut dyn Write, label: &str, text: &str) -> io::Result<()> {
    styled_line(out, HEADING, label, text)
}

/// At least two spaces follow the label, so that a terminal's lines are continued below the text.
fn styled_line(out: &mut dyn Write, style: Style, label: &str, text: &str) -> io::Result<()> {
    writeln!(out, "{style}{:<11}{style:#}{text}", format!("{label}:"))
}
