//! Faults while dwnl works: killed at any system call, system calls that fail, others that change
//! the ruleset meanwhile. What the kernel holds afterwards is the old ruleset or the new one. Each
//! test in a network namespace of its own. Needs `scripts/setup` run before, and root.

#![allow(clippy::panic, clippy::unwrap_used)]

mod each;
mod errno;
mod killed;
mod site;
#[path = "../support/mod.rs"]
mod support;
mod writers;
