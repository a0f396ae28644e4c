//! What a change means for sources: which gain access and which lose it.

mod sentences;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::io::{self, Write};

use dwnl::access::{AccessChange, AccessDiff, Addresses, Cause, EntryChange, Permit};
use dwnl::engine::Outcome;
use dwnl::model::Name;
use dwnl::schedule_of_set;
use serde::{Serialize, Serializer};

use super::count::{Count, Thousands};
use super::format::{Escaped, display};
use super::names::HostLabels;
use super::style::{ADDED, REMOVED};
use sentences::{effect, exceptions, protection, service, who};

/// Maximum number of sources in a list, unless all are to be shown.
pub(super) const SHOWN_MAX: usize = 100;

/// Maximum number of changes that are listed, unless all are to be shown.
const CHANGES_MAX: usize = 50;

/// Which sources gain and lose access.
#[derive(Debug, Serialize)]
pub struct AccessReport {
    #[serde(serialize_with = "cause")]
    cause: Option<Cause>,
    /// Whether published ports were blocked before.
    was_enforced: bool,
    access: Vec<ChangeReport>,
    /// What changes for all entries, in sentences.
    protection_changes: Vec<String>,
    #[serde(skip)]
    diff: AccessDiff,
    /// The host names of the policy by their addresses.
    #[serde(skip)]
    pub names: HostLabels,
    #[serde(skip)]
    tense: Tense,
    #[serde(skip)]
    verbose: bool,
}

/// Whether the change is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tense {
    Planned,
    Done,
}

impl AccessReport {
    /// What the outcome of a plan or an apply means. With `verbose`, every source is listed.
    pub fn new(outcome: &Outcome, tense: Tense, verbose: bool) -> AccessReport {
        let diff = outcome.access.clone();
        AccessReport {
            cause: outcome.cause,
            was_enforced: outcome.cause.is_none() || diff.before.is_enforced,
            access: diff.changes.iter().map(|it| ChangeReport::new(it, verbose)).collect(),
            protection_changes: protection(&diff, tense),
            diff,
            names: HostLabels::new(),
            tense,
            verbose,
        }
    }

    /// Writes nothing if the kernel is as the policy wants it.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for sentence in &self.protection_changes {
            writeln!(out, "{}", Escaped(sentence))?;
        }
        let changes = &self.diff.changes;
        let shown = if self.verbose { changes.len() } else { changes.len().min(CHANGES_MAX) };
        let (shown, others) = changes.split_at(shown);
        for change in shown {
            self.write_change(out, change)?;
        }
        if !others.is_empty() {
            let gains = others.iter().filter(|change| change.is_gain).count();
            let [gains, losses] = [gains, others.len() - gains].map(Thousands);
            let more = Count(others.len(), "more change");
            writeln!(out, "  {more} ({gains} gains, {losses} losses of access); -v lists them")?;
        }
        match self.cause {
            Some(Cause::Drift) if self.diff.before.foreign_rules == 0 => {
                writeln!(out, "access is unchanged although the rules differ")
            }
            Some(Cause::Docker) => {
                writeln!(out, "access is unchanged: the rules follow what Docker publishes now")
            }
            _ => Ok(()),
        }
    }

    fn write_change(&self, out: &mut dyn Write, change: &AccessChange) -> io::Result<()> {
        if !self.was_enforced {
            let (service, who) =
                (Escaped(service(change, false)), who(change, &self.names, self.verbose));
            return writeln!(out, "  {service}: {who}");
        }
        let service = Escaped(service(change, true));
        let effect = effect(change, &self.names, self.tense, self.verbose);
        let (style, sign) = if change.is_gain { (ADDED, '+') } else { (REMOVED, '-') };
        let exceptions = Escaped(exceptions(change));
        writeln!(out, "{style}{sign} {service}: {effect}{exceptions}{style:#}")
    }
}

/// [`AccessChange`] as JSON.
#[derive(Debug, Serialize)]
struct ChangeReport {
    entry: Option<String>,
    change: &'static str,
    effect: &'static str,
    #[serde(flatten)]
    service: ServiceReport,
    source_count: usize,
    sources: Vec<String>,
    except: Vec<ServiceReport>,
}

/// Ports, and how a packet has to reach them.
#[derive(Debug, Serialize)]
struct ServiceReport {
    ports: Vec<String>,
    in_interface: Option<String>,
    to: Vec<String>,
    /// When; `None`: always.
    schedule: Option<String>,
}

impl ChangeReport {
    fn new(change: &AccessChange, verbose: bool) -> ChangeReport {
        let AccessChange { entry, kind, ports, in_interface, to, times, sources, except, .. } =
            change;
        ChangeReport {
            entry: entry.as_ref().map(ToString::to_string),
            change: match kind {
                EntryChange::Added => "added",
                EntryChange::Removed => "removed",
                EntryChange::Changed => "changed",
            },
            effect: if change.is_gain { "gain" } else { "loss" },
            service: ServiceReport {
                ports: texts(ports),
                in_interface: in_interface.as_ref().map(ToString::to_string),
                to: texts(to),
                schedule: schedule(times),
            },
            source_count: sources.count(),
            sources: shown(sources, if verbose { usize::MAX } else { SHOWN_MAX }),
            except: except.iter().map(ServiceReport::from).collect(),
        }
    }
}

impl From<&Permit> for ServiceReport {
    fn from(permit: &Permit) -> ServiceReport {
        ServiceReport {
            ports: vec![permit.ports.to_string()],
            in_interface: permit.in_interface.as_ref().map(ToString::to_string),
            to: texts(permit.to.as_slice()),
            schedule: schedule(&permit.times),
        }
    }
}

/// The times of all these sets, in words.
fn schedule(times: &[Name]) -> Option<String> {
    let words = times.iter().filter_map(|set| schedule_of_set(set));
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join("; "))
}

pub(super) fn texts<T: Display>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn shown(addresses: &Addresses, maximum: usize) -> Vec<String> {
    addresses.texts().take(maximum).map(|text| text.to_string()).collect()
}

/// The reason as a word.
struct CauseText(Cause);

impl Display for CauseText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Cause::Access => "access",
            Cause::Drift => "drift",
            Cause::Docker => "docker",
        })
    }
}

fn cause<S: Serializer>(cause: &Option<Cause>, serializer: S) -> Result<S::Ok, S::Error> {
    match cause {
        Some(cause) => display(&CauseText(*cause), serializer),
        None => serializer.serialize_none(),
    }
}
