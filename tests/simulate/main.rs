//! What dwnl reads of the rules of every program, and what it says becomes of a packet: each test in
//! network namespaces of its own, with iptables, nft and real packets as the oracle. They need
//! `scripts/setup` to have run, and run as root or under `unshare -rn`.

#![allow(clippy::panic, clippy::unwrap_used)]

mod doubts;
mod packets;
mod rule_words;
#[path = "../support/mod.rs"]
mod support;
mod whole_ruleset;
