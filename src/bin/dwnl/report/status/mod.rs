//! The report of `status`: which policy is in force, who keeps it, whom it lets in and whom it refused.

mod denied;
mod port_table;
mod ports;
mod refusals;
mod sources;
#[cfg(test)]
mod tests;
mod text;

use std::time::SystemTime;

use dwnl::engine::{Outcome, PolicyCounters};
use dwnl::model::{PublishedPort, RefusalPath};
use dwnl::policy::Limits;
use dwnl::state::Metadata;
use dwnl::{EntryCounters, GuardDrops, Policy};
use nix::unistd::getpid;
use serde::Serialize;

use super::count::Counts;
use super::grants::GrantCounts;
use super::names::NameReport;
use super::published::serialize_published;
use super::refused::path_key;
use crate::control::{RepairRecord, RunningWatch, WatchStatus};

pub use super::schedule::ScheduleReport;
pub use denied::DeniedReport;
pub use ports::{PortReport, UnpublishedReport};
pub use refusals::Refusals;

/// The state of dwnl on a host.
#[derive(Debug, Default, Serialize)]
pub struct Status<'a> {
    /// The policy that was put in force last; `None` if it is not stored.
    pub applied: Option<StoredReport>,
    /// The digest of the policy with which the kernel was compared.
    pub policy_digest: Option<String>,
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
    /// The names in the policy, and the addresses that they stand for.
    pub names: Vec<NameReport>,
    /// The published ports and who may reach them, in their order.
    pub ports: Vec<PortReport<'a>>,
    /// The entries that deny, in their order.
    pub denied: Vec<DeniedReport<'a>>,
    /// Published ports that no entry of the policy covers.
    #[serde(serialize_with = "serialize_published")]
    pub uncovered_ports: Vec<PublishedPort>,
    /// Ports of the policy that Docker does not publish.
    pub unpublished_ports: Vec<UnpublishedReport<'a>>,
    /// When the entries apply that have a schedule.
    pub schedules: Vec<ScheduleReport<'a>>,
    /// What the guard dropped on each path; `None` without the guard.
    pub drops: Option<Vec<DropReport>>,
    /// The entries that did not admit flows because of their limits.
    #[serde(skip)]
    pub limited: Vec<LimitedReport>,
    /// Whether sources that are refused now may not be recorded; `None` if none are recorded.
    pub is_record_full: Option<bool>,
    /// What is allowed and denied by hand; `None` if nothing is.
    pub by_hand: Option<GrantCounts>,
    /// Promises of the guard that do not hold on this host.
    pub limitations: Vec<String>,
    /// Warnings for the operator.
    pub warnings: Vec<String>,
    /// Whether everything is to be shown.
    #[serde(skip)]
    pub verbose: bool,
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
#[derive(Debug, Default, Serialize)]
pub struct FileReport {
    /// Its path.
    pub path: String,
    /// Its state.
    pub state: FileState,
    /// The number of errors in it.
    pub error_count: usize,
    /// The digest of the policy in it; `None` if it has errors.
    pub policy_digest: Option<String>,
    /// The digest of the file and its source files; `None` if the file cannot be read.
    pub source_digest: Option<String>,
}

/// Whether the policy file holds the policy in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// It holds the policy that was put in force last.
    Current,
    /// It holds another policy, which was not put in force.
    Changed,
    /// It has errors, or cannot be read.
    Invalid,
    /// It is valid, but no policy is stored with which it could be compared.
    #[default]
    Unknown,
}

/// A running `watch`.
#[derive(Debug, Serialize)]
pub struct WatchReport {
    pid: i32,
    policy: Option<String>,
    is_manual: Option<bool>,
    started_at: Option<String>,
    repair_count: Option<u64>,
    last_repair: Option<RepairReport>,
}

/// The last repair of a `watch`.
#[derive(Debug, Serialize)]
struct RepairReport {
    repaired_at: String,
    /// The tables, chains and sets.
    objects: Vec<String>,
    /// What other programs had done, in sentences.
    causes: Vec<String>,
}

/// Packets of flows above the limits of an entry.
#[derive(Debug)]
pub struct LimitedReport {
    /// The entry in words.
    pub entry: String,
    /// Its limits.
    pub limits: Limits,
    /// The number of packets.
    pub packets: u64,
}

impl LimitedReport {
    /// Those of the policy that limited anything, in the order of the entries.
    pub fn all(policy: &Policy, counters: &PolicyCounters) -> Vec<LimitedReport> {
        let report = |counters: &EntryCounters| {
            let packets = counters.limited.filter(|packets| *packets > 0)?;
            let entry = policy.allow().get(counters.index)?;
            let limits = entry.limits();
            Some(LimitedReport { entry: entry.label().to_string(), limits, packets })
        };
        counters.entries.iter().filter_map(report).collect()
    }
}

/// What the guard dropped on a path.
#[derive(Debug, Serialize)]
pub struct DropReport {
    #[serde(rename = "path")]
    key: &'static str,
    /// The path in words.
    #[serde(skip)]
    path: String,
    packets: u64,
    bytes: u64,
}

/// How the kernel differs from the policy.
#[derive(Debug, Serialize)]
pub struct KernelReport {
    is_in_sync: bool,
    /// Whether published ports are blocked at all.
    is_enforced: bool,
    #[serde(flatten)]
    counts: Counts,
    generation: u32,
}

impl From<&Metadata> for StoredReport {
    fn from(metadata: &Metadata) -> StoredReport {
        StoredReport {
            source: metadata.source.display().to_string(),
            applied_at: timestamp(metadata.applied_at),
            command: metadata.command.clone(),
            uid: metadata.uid,
            login_uid: metadata.login_uid,
        }
    }
}

impl From<&RunningWatch> for WatchReport {
    fn from(watch: &RunningWatch) -> WatchReport {
        WatchReport::new(watch.pid(), watch.status())
    }
}

impl WatchReport {
    /// This process.
    pub fn own(status: &WatchStatus) -> WatchReport {
        WatchReport::new(getpid().as_raw(), Some(status))
    }

    fn new(pid: i32, status: Option<&WatchStatus>) -> WatchReport {
        let activity = status.and_then(|status| status.activity.as_ref());
        WatchReport {
            pid,
            policy: status.map(|status| status.policy.display().to_string()),
            is_manual: status.map(|status| status.manual),
            started_at: activity.map(|activity| timestamp(activity.started_at)),
            repair_count: activity.map(|activity| activity.repairs),
            last_repair: activity.and_then(|it| it.last_repair.as_ref()).map(RepairReport::from),
        }
    }
}

impl From<&RepairRecord> for RepairReport {
    fn from(repair: &RepairRecord) -> RepairReport {
        let RepairRecord { at, objects, causes } = repair.clone();
        RepairReport { repaired_at: timestamp(at), objects, causes }
    }
}

impl From<&GuardDrops> for DropReport {
    fn from(drops: &GuardDrops) -> DropReport {
        let GuardDrops { path, packets, bytes, .. } = drops.clone();
        let known = RefusalPath::ALL.into_iter().find(|known| known.to_string() == path);
        let key = known.map_or("other", path_key);
        DropReport { key, path, packets, bytes }
    }
}

/// `2026-01-09T08:35:07Z`
fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

impl From<&Outcome> for KernelReport {
    fn from(outcome: &Outcome) -> KernelReport {
        let plan = &outcome.plan;
        KernelReport {
            is_in_sync: plan.is_empty(),
            is_enforced: plan.is_empty() || outcome.access.before.is_enforced,
            counts: Counts::of(plan),
            generation: plan.generation,
        }
    }
}
