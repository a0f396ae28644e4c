//! A netlink-native firewall engine for hosts that run Docker.
//!
//! ```text
//! Policy ──compile──▶ Ruleset ─┐
//!                              ├──▶ Plan ──commit──▶ one transaction
//! kernel ──dump─────▶ Snapshot ┘
//! ```

mod compile;
pub mod engine;
mod netlink;
pub mod plan;
pub mod policy;
pub mod ruleset;

pub use compile::{compile, frame};
pub use engine::{Engine, Error};
pub use plan::Plan;
pub use policy::Policy;
