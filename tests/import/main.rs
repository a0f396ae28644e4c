//! Rules of iptables as policies: each test in network namespaces of its own, with real iptables, real
//! packets and a real dockerd as the oracle. They need `scripts/setup` to have run, and run as root.

#![allow(clippy::panic, clippy::unwrap_used)]

mod docker;
mod documents;
mod packets;
#[path = "../support/mod.rs"]
mod support;
