//! Why the kernel differs from the policy.

use super::AccessDiff;
use crate::compile::{is_learned, is_published_set};
use crate::model::{ChainPath, RuleContent};
use crate::plan::{Change, Plan};

/// Why the kernel differs from the policy: the most important reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The policy says something else about who may reach what than the rules that are installed.
    Access,
    /// The same sources have access, but rules or sets are missing, foreign, or of another form.
    Drift,
    /// Docker publishes other ports, or has other networks, than the rules take into account.
    Docker,
}

impl Cause {
    /// Why a plan is not empty, given what it means for sources.
    pub fn of(plan: &Plan, access: &AccessDiff) -> Option<Cause> {
        if plan.is_empty() {
            return None;
        }
        if !access.is_empty() {
            return Some(Cause::Access);
        }
        let follows_docker = plan.changes.iter().all(follows_docker);
        Some(if follows_docker { Cause::Docker } else { Cause::Drift })
    }
}

/// Whether the change depends on what Docker publishes.
fn follows_docker(change: &Change) -> bool {
    match change {
        Change::AddRule { chain, rule, .. } => is_learned(&chain.chain, rule),
        Change::DeleteRule { chain, content, .. } => is_known_of_docker(chain, content),
        Change::FlushChain { chain, contents } => {
            contents.iter().all(|content| is_known_of_docker(chain, content))
        }
        Change::RestoreRule { .. } => true,
        Change::AddSet(set, kind) => kind.is_published() && is_published_set(&set.set),
        Change::AddElements { set, .. }
        | Change::DeleteElements { set, .. }
        | Change::ReplaceSet { set, .. }
        | Change::DeleteSet { set, .. } => is_published_set(&set.set),
        _ => false,
    }
}

fn is_known_of_docker(chain: &ChainPath, content: &RuleContent) -> bool {
    content.known().is_some_and(|rule| is_learned(&chain.chain, rule))
}
