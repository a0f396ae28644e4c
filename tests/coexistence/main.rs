//! dwnl beside other programs, on a host with a real dockerd and real clients: what
//! `docs/coexistence.md` says, and each of its recipes as it stands there. The tests need root, and
//! `scripts/setup` to have run.

#![allow(clippy::panic, clippy::unwrap_used)]

mod document;
mod fail2ban;
mod firewalld;
mod forwards;
mod guests;
mod podman;
mod restores;
mod site;
#[path = "../support/mod.rs"]
mod support;
mod swarm;
mod tailscale;
mod ufw;
