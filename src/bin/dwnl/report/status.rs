//! The report of `status`: which policy is in force, and whether the kernel agrees.

use std::io::{self, Write};
use std::path::Path;

use dwnl::engine::Outcome;
use dwnl::model::PublishedPort;
use dwnl::state::Metadata;
use nix::unistd::{Uid, User};
use serde::Serialize;

use super::Report;
use super::apply_report::uncovered_ports;
use super::count::{Count, Counts};
use super::format::{Escaped, join_and};
use super::style::{ERROR, HEADING};
use crate::control::RunningWatch;

/// The state of dwnl on a host.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The policy that was put in force last; `None` if it is not stored.
    pub applied: Option<StoredReport>,
    /// The policy before its last change; `None` if it is not stored.
    pub previous: Option<StoredReport>,
    /// The policy file.
    pub file: FileReport,
    /// The `watch` that repairs the rules; `None` if none is running.
    pub watch: Option<WatchReport>,
    /// Whether a policy is on trial.
    pub is_on_trial: bool,
    /// The comparison with the kernel; `None` without a policy to compare.
    pub kernel: Option<KernelReport>,
    /// Published ports that no entry of the policy covers.
    #[serde(serialize_with = "uncovered_ports")]
    pub uncovered_ports: Vec<PublishedPort>,
    /// Warnings for the operator.
    pub warnings: Vec<String>,
}

/// How a stored policy was put in force.
#[derive(Debug, Serialize)]
pub struct StoredReport {
    source: String,
    applied_at: String,
    command: String,
    uid: u32,
    login_uid: Option<u32>,
}

/// The policy file next to the stored policy.
#[derive(Debug, Serialize)]
pub struct FileReport {
    /// Its path.
    pub path: String,
    /// Its state.
    pub state: FileState,
    /// The number of errors in it.
    pub error_count: usize,
}

/// Whether the policy file holds the policy in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// It holds the policy that was put in force last.
    Current,
    /// It holds another policy, which was not put in force.
    Changed,
    /// It has errors, or cannot be read.
    Invalid,
    /// It is valid, but no policy is stored with which it could be compared.
    Unknown,
}

/// A running `watch`.
#[derive(Debug, Serialize)]
pub struct WatchReport {
    pid: i32,
    policy: Option<String>,
    is_manual: Option<bool>,
}

/// How the kernel differs from the policy.
#[derive(Debug, Serialize)]
pub struct KernelReport {
    is_in_sync: bool,
    #[serde(flatten)]
    counts: Counts,
    generation: u32,
}

impl From<&Metadata> for StoredReport {
    fn from(metadata: &Metadata) -> StoredReport {
        StoredReport {
            source: metadata.source.display().to_string(),
            applied_at: humantime::format_rfc3339_seconds(metadata.applied_at).to_string(),
            command: metadata.command.clone(),
            uid: metadata.uid,
            login_uid: metadata.login_uid,
        }
    }
}

impl From<&RunningWatch> for WatchReport {
    fn from(watch: &RunningWatch) -> WatchReport {
        let status = watch.status();
        WatchReport {
            pid: watch.pid(),
            policy: status.map(|status| status.policy.display().to_string()),
            is_manual: status.map(|status| status.manual),
        }
    }
}

impl FileReport {
    /// The file at this path.
    pub fn new(path: &Path, state: FileState, error_count: usize) -> FileReport {
        FileReport { path: path.display().to_string(), state, error_count }
    }
}

impl From<&Outcome> for KernelReport {
    fn from(outcome: &Outcome) -> KernelReport {
        let plan = &outcome.plan;
        KernelReport {
            is_in_sync: plan.is_empty(),
            counts: Counts::of(plan),
            generation: plan.generation,
        }
    }
}

impl Report for Status {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_policy(out)?;
        self.write_file(out)?;
        self.write_watch(out)?;
        self.write_kernel(out)?;
        if !self.uncovered_ports.is_empty() {
            let ports: Vec<String> = self.uncovered_ports.iter().map(ToString::to_string).collect();
            line(out, "blocked", &format!("{}: no policy entry covers them", join_and(&ports)))?;
        }
        match &self.previous {
            Some(previous) => line(out, "previous", &previous.words()),
            None => Ok(()),
        }
    }
}

impl Status {
    fn write_policy(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.applied {
            Some(applied) => line(out, "policy", &applied.words()),
            None => line(out, "policy", "none is stored"),
        }
    }

    fn write_file(&self, out: &mut dyn Write) -> io::Result<()> {
        let FileReport { path, state, error_count } = &self.file;
        let path = Escaped(path);
        match state {
            FileState::Current => line(out, "file", &format!("{path}: current")),
            FileState::Unknown => line(out, "file", &format!("{path}: valid")),
            FileState::Changed => {
                line(out, "file", &format!("{path}: changed since, and not applied"))
            }
            FileState::Invalid => {
                let errors = Count(*error_count, "error");
                let effect = match self.applied {
                    Some(_) => "the last valid policy is the one above",
                    None => "there is no last valid policy",
                };
                let text = format!("{path}: {ERROR}{errors}{ERROR:#}, so {effect}");
                line(out, "file", &text)
            }
        }
    }

    fn write_watch(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.is_on_trial {
            line(
                out,
                "trial",
                "a policy is on trial: dwnl confirm keeps it, dwnl rollback ends it",
            )?;
        }
        match &self.watch {
            None => line(out, "watch", "none is running, so nothing repairs the rules"),
            Some(WatchReport { pid, policy: None, .. }) => {
                line(out, "watch", &format!("process {pid}"))
            }
            Some(WatchReport { pid, policy: Some(policy), .. }) => {
                line(out, "watch", &format!("process {pid} keeps {} in force", Escaped(policy)))
            }
        }
    }

    fn write_kernel(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(KernelReport { is_in_sync, counts, .. }) = &self.kernel else {
            return line(out, "kernel", "not compared: there is no policy");
        };
        match is_in_sync {
            true => line(out, "kernel", &format!("in sync: {}", counts.unchanged())),
            false => {
                let changes = counts.changes("to add", "to remove");
                let text = format!("{ERROR}differs{ERROR:#} from the policy: {changes}");
                line(out, "kernel", &text)
            }
        }
    }
}

impl StoredReport {
    /// `applied 2026-01-31T08:00:00Z from /etc/dwnl/policy.toml, by dwnl apply as root`
    fn words(&self) -> String {
        let StoredReport { source, applied_at, command, uid, login_uid } = self;
        let (source, command) = (Escaped(source), Escaped(command));
        let login = login_uid.filter(|login| login != uid).map(user_name);
        let login = login.map(|login| format!(" (logged in as {login})")).unwrap_or_default();
        let user = user_name(*uid);
        format!("applied {applied_at} from {source}, by dwnl {command} as {user}{login}")
    }
}

/// The user's name, or the number of one that is not known.
fn user_name(uid: u32) -> String {
    let name = User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
    name.unwrap_or_else(|| format!("user {uid}"))
}

/// A line with a label.
fn line(out: &mut dyn Write, label: &str, text: &str) -> io::Result<()> {
    writeln!(out, "{HEADING}{:<10}{HEADING:#}{text}", format!("{label}:"))
}
