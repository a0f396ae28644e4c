//! Tests of dwnl with a real dockerd: real containers, and real connections from an allowed and a
//! refused client. Each test shows the open port first as a positive control, then that it is
//! blocked. They need root, and `scripts/setup` to have run.

#![allow(clippy::panic, clippy::unwrap_used)]

mod by_container;
mod cgroups;
mod conditions;
mod containers;
mod deny;
mod doctor;
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
