//! dwnl itself: its policy, its rules, its state, and a running watch.

use dwnl::Policy;
use dwnl::engine::Outcome;

/// dwnl on this host.
#[derive(Debug, Default)]
pub struct Own {
    /// The path of the policy file.
    pub path: String,
    /// The policy file.
    pub file: PolicyFile,
    /// Whether the user of the services may read it; `None` if that user does not exist.
    pub is_readable_by_services: Option<bool>,
    /// The number of warnings about it.
    pub warning_count: usize,
    /// Why the stored policies cannot be read.
    pub state_failure: Option<String>,
    /// Whether the state directory holds the policy in force.
    pub is_stored: bool,
    /// The process ID of a running watch.
    pub watch: Option<i32>,
    /// Whether a policy is on trial.
    pub is_on_trial: bool,
    /// The comparison of the kernel with the policy in force, or that of the file; `None` without one.
    pub comparison: Option<Comparison>,
}

/// The policy file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolicyFile {
    /// There is none.
    #[default]
    Missing,
    /// It has this number of errors.
    Invalid(usize),
    /// It is valid, with this number of entries.
    Valid(usize),
}

/// What the comparison with a policy has found.
#[derive(Debug)]
pub struct Comparison {
    /// The policy.
    pub policy: Policy,
    /// What an apply would do, or why it would fail.
    pub outcome: Result<Outcome, String>,
    /// What `dwnl apply` would warn of.
    pub warnings: Vec<String>,
}
