//! `apply --confirm`: a trial of a policy, which ends with the previous rules unless it is confirmed.
//!
//! Two processes hold the previous rules, each with netlink sockets of its own: the one that applies
//! the policy and talks to the operator, and a *guardian* in a session of its own, which decides. If
//! either dies, the other restores. Whatever a process is about to do when it is killed, the kernel
//! holds the old or the new ruleset, and the old one when the time is over.
//!
//! The guardian holds the abstract socket `@dwnl-confirm` of the network namespace: only one trial at
//! a time is pending there, and `dwnl confirm` and `dwnl rollback` reach it.

mod guardian;
mod link;
mod pending;
mod signals;
mod spawn;
mod syslog;
mod terminal;
mod trial;

pub use pending::{TrialRequest, Verdict, pending_trial};
pub use trial::{Trial, notes};
