//! Keeps a policy in force: watches what other programs do, compares the kernel's rules with the policy,
//! and repairs the difference.

mod attribution;
mod backoff;
mod containers;
mod debounce;
mod event;
mod recheck;
mod reconciler;
mod transitions;

pub use attribution::{Attribution, Cause};
pub use debounce::Debounce;
pub use event::{ReconcileEvent, Repair};
pub use reconciler::Reconciler;
