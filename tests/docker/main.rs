//! dwnl beside a real dockerd: real containers, and real connections from an allowed and a refused
//! client. First the positive control, then the block. Needs root, and `scripts/setup` run before.

#![allow(clippy::panic, clippy::unwrap_used)]

mod cgroups;
mod conditions;
mod containers;
mod established;
mod flows;
mod guard;
mod ipv6;
mod listeners;
mod published;
mod sets;
mod site;
#[path = "../support/mod.rs"]
mod support;
