//! A netlink-native firewall engine for hosts that run Docker: it lets an operator say who may
//! reach which published port, and blocks the rest.
//!
//! ```text
//!  text ──parse──▶ Policy ──compile──▶ Ruleset ─┐
//!                                               ├─▶ Plan ──commit──▶ one transaction
//!                      kernel ──dump─▶ Snapshot ┘
//! ```
//!
//! A [`Policy`] comes from TOML text or is built in memory. [`compile()`] turns it into the
//! [`Ruleset`](model::Ruleset) that enforces it: the chain `DOCKER-BLOCK` and the jumps to it,
//! in the nat tables of IPv4 and IPv6, and in a table of our own the guard, which closes the ways round
//! that chain, and sets for large groups of sources. An [`Engine`] reads what the kernel holds, and a [`Plan`]
//! is the difference between the two. Committing it is one nf_tables transaction: packets see the
//! old policy or the new one, and nothing between. It carries the generation of the ruleset that
//! the plan was made from, and if anybody else has changed the ruleset since, the kernel refuses
//! it; [`Engine::apply`] then starts again from the dump. Flows that were open before are decided upon by
//! [`Engine::reconcile_conntrack`].
//!
//! The library prints nothing, spawns no process, writes no file and has no global state. Its
//! errors are typed. With `default-features = false` it is all that is built.
//!
//! ```standalone_crate
#![doc = include_str!("../examples/embed.rs")]
//! ```
//!
//! # Keeping the rules
//!
//! Others rewrite the firewall: Docker and Swarm insert rules, a reload of firewalld takes all of them
//! out, an operator tries things by hand. A [`Monitor`](engine::Monitor) hears of each commit that
//! anybody but the engine itself makes, and who made it. A program waits until its descriptor is
//! readable, has the engine [observe](Engine::observe) what was heard, and applies what it wants again if that
//! may concern it. What others did not touch is not read again, so that a repair beside a hundred
//! thousand sources takes about as long as beside ten.
//!
//! ```standalone_crate
#![doc = include_str!("../examples/keep.rs")]
//! ```
//!
//! # Layers
//!
//! Arrows point downwards only.
//!
//! | module | duty |
//! |---|---|
//! | [`engine`] | dump → plan → commit, with retry; hearing of others' commits |
//! | `flows` | which flows a change of the policy leaves behind |
//! | [`plan`] | the difference between the desired ruleset and a snapshot |
//! | [`compile()`] | `Policy` → `Ruleset`: the only place that knows Docker's chains |
//! | [`policy`] | text → `Policy`, with a place for every error |
//! | [`cgroup`] | the IDs and paths of cgroups, by which a socket's owner is known |
//! | `netlink` | socket, batch, encoding, decoding: the only unsafe code |
//! | [`model`] | family, chain, rule, match, verdict; `Display` is iptables' syntax |

pub mod cgroup;
mod compile;
mod conntrack;
mod docker;
pub mod engine;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod model;
mod netlink;
pub mod plan;
pub mod policy;
pub mod reconcile;

pub use compile::{
    EntryCounters, GuardDrops, Limitation, UnknownSockets, blocked_swarm_ports, compile,
    entry_counters, guard_drops, guards_new_ports, installed_translations, managed_objects,
    uncovered_ports, unprotected_ports,
};
pub use engine::{Engine, Error};
/// The crate whose [`IpNetwork`](ipnetwork::IpNetwork) the library takes and returns.
pub use ipnetwork;
pub use plan::Plan;
pub use policy::Policy;
pub use reconcile::Reconciler;
