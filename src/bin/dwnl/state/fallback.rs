//! The last valid policy in place of a policy with errors.

use std::path::PathBuf;

use dwnl::policy::Diagnostics;
use dwnl::state::Metadata;

/// Why the last valid policy is put in force, and which it is.
#[derive(Debug)]
pub struct Fallback {
    /// The errors of the policy that was to be put in force.
    pub errors: Diagnostics,
    /// The path of the policy file that the last valid policy was read from.
    pub source: PathBuf,
    /// Since when it has been in force.
    pub applied_at: String,
}

impl Fallback {
    /// A policy with these errors, and the stored policy that replaces it.
    pub fn new(errors: Diagnostics, metadata: &Metadata) -> Fallback {
        let applied_at = humantime::format_rfc3339_seconds(metadata.applied_at).to_string();
        Fallback { errors, source: metadata.source.clone(), applied_at }
    }
}
