//! Shared parts of the benchmarks: network namespaces, the floor, and numbers with their spread.

// Each benchmark uses only some of these.
#![allow(dead_code, unused_imports)]

mod batch;
mod generation;
mod machine;
mod message;
mod namespace;
mod policy;
mod program;
mod repair;
mod run;
mod spread;
mod text;

pub use batch::Sending;
pub use generation::Generation;
pub use machine::describe;
pub use message::{attribute, encode};
pub use namespace::{Namespace, netlink_socket, settle};
pub use policy::policy;
pub use program::Program;
pub use repair::{RepairTime, RepairTimes, write_time};
pub use run::{documents, is_full, write};
pub use spread::Spread;
pub use text::{duration, durations, grouped};
