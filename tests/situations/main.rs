//! Situations of a packet to a published port, on a host with a real dockerd: what the packet got, next to
//! what the program says of it. Each situation is a line of a table. They need root, and `scripts/setup` to
//! have run.

#![allow(clippy::panic, clippy::unwrap_used)]

mod explain;
mod flows;
mod inside;
mod ipv6;
mod observers;
mod others;
mod routed;
mod service;
mod situation;
mod stock;
#[path = "../support/mod.rs"]
mod support;
mod swarm;
mod unguarded;
