//! Faults while dwnl works: kills at any system call, failing system calls, and concurrent changes
//! of the ruleset. Afterwards the kernel holds the old ruleset or the new one. Each test runs in a
//! network namespace of its own. The tests need root, and `scripts/setup` to have run.

#![allow(clippy::panic, clippy::unwrap_used)]

mod each;
mod errno;
mod killed;
mod site;
#[path = "../support/mod.rs"]
mod support;
mod writers;
