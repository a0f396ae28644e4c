//! `Policy` → `Ruleset`: the only place that knows Docker's chains and the scheme that blocks
//! published ports.

use crate::policy::Policy;
use crate::ruleset::Ruleset;

/// Compiles a policy to the chains and rules that enforce it.
pub fn compile(policy: &Policy) -> Ruleset {
    let _ = policy;
    todo!()
}
