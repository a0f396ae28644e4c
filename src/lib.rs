//! A netlink-native firewall engine for hosts that run Docker. It controls which sources may reach each
//! published port, and blocks everyone else.
//!
//! ```text
//!  text ──parse──▶ Policy ──compile──▶ Ruleset ─┐
//!                                               ├─▶ Plan ──commit──▶ one transaction
//!                      kernel ──dump─▶ Snapshot ┘
//! ```
//!
//! A [`Policy`] is read from TOML or built in code. [`compile()`] turns it into the
//! [`Ruleset`](model::Ruleset) that enforces it: in the nat tables of IPv4 and IPv6 the chain
//! `DOCKER-BLOCK` and the jumps to it; in `table inet dwnl` the guard, which closes the paths around that
//! chain, and sets for large groups of sources. An [`Engine`] takes a [`Snapshot`](model::Snapshot) of the
//! kernel's tables, and a [`Plan`] is the difference between the two.
//!
//! The rules of a plan are committed as one nf_tables transaction: a packet sees either the old policy or
//! the new one. Sets of intervals come in a transaction before it, because the kernel shows their elements
//! later than rules of the same transaction. Each carries the generation of the snapshot. If another program
//! has changed the ruleset since, the kernel rejects it, and the engine starts again from the dump.
//! [`Engine::repair`] commits the guard in a transaction of its own where it is gone.
//!
//! The library prints nothing, spawns no process, writes no file and has no global state. Its errors are
//! typed. `default-features = false` leaves out the command line and what only it needs, and, unless the
//! feature `lists` is on, source files in JSON or compressed by gzip.
//!
//! # Applying a policy
//!
//! [`Engine::apply_policy`] does everything in one call, including the conntrack entries of flows that
//! existed before. [`Engine::plan`], [`Engine::preview`], [`Engine::apply`] and [`Engine::commit`] are the
//! steps for a program that wants to look at the changes first.
//!
//! ```standalone_crate
#![doc = include_str!("../examples/embed.rs")]
//! ```
//!
//! # Keeping a policy in force
//!
//! Other programs change the ruleset: Docker and Swarm insert rules, a reload of firewalld removes all
//! rules, an operator tries something by hand. A [`Reconciler`] watches for that, repairs what differs from
//! the policy, and reports who changed what. It limits repairs if another program keeps changing the
//! rules. Sets that other programs did not touch are not read again, so that a repair with a hundred
//! thousand sources takes about as long as with ten.
//!
//! ```standalone_crate
#![doc = include_str!("../examples/appliance.rs")]
//! ```
//!
//! In an event loop, poll the reconciler's file descriptors and call [`Reconciler::tick`]:
//!
//! ```standalone_crate
#![doc = include_str!("../examples/keep.rs")]
//! ```
//!
//! To observe the ruleset without keeping a policy, use a [`Monitor`](engine::Monitor).
//!
//! # Layers
//!
//! A module uses only modules below it.
//!
//! | module | duty |
//! |---|---|
//! | [`reconcile`] | keeps a policy in force |
//! | [`engine`] | dump → resolve → plan → commit, with retries; reports commits of other programs |
//! | [`explain`] | why a source gets in at a port, or does not |
//! | [`simulate`] | what becomes of a packet in a ruleset |
//! | [`mismatch`] | what a policy allows without effect on this host |
//! | `state` | the form in which a policy is stored (feature `state`) |
//! | [`access`] | who may reach which port, read from rules, and what a change of rules means for them |
//! | `conntrack` | which existing flows a policy contradicts |
//! | [`trace`] | the way of traced packets through the base chains, from the kernel's messages |
//! | [`compile()`] | `Policy` → `Ruleset`: the scheme that blocks published ports; [`resolve`] completes it for this host |
//! | `docker` | Docker's chains, bridges and cgroups, and what its rules reveal |
//! | `docker_api` | the running containers and their published ports, from Docker's API (feature `docker`) |
//! | [`import`](mod@import) | rules of iptables → `Policy`: the chains followed with sets of flows |
//! | `dns` | the addresses of the names in a policy (feature `dns`) |
//! | [`policy`] | text → `Policy`, with the position of every error |
//! | [`plan`] | the difference between the resolved ruleset and a snapshot |
//! | [`cgroup`] | the IDs and paths of cgroups, which identify the owner of a socket |
//! | `netlink` | sockets, batches, encoding and decoding: the only unsafe code |
//! | [`model`] | tables, chains, rules, sets, addresses; `Display` is the syntax of iptables or nft |

pub mod access;
pub mod cgroup;
mod compile;
mod conntrack;
#[cfg(feature = "dns")]
pub mod dns;
mod docker;
#[cfg(feature = "docker")]
pub mod docker_api;
pub mod engine;
pub mod explain;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod import;
pub mod mismatch;
pub mod model;
mod netlink;
pub mod plan;
pub mod policy;
pub mod reconcile;
pub mod simulate;
#[cfg(feature = "state")]
pub mod state;
pub mod trace;

pub use compile::{
    EntryCounters, GuardDrops, Limitation, PortCounters, PortCoverage, ResolveError,
    UnknownSockets, blocked_swarm_ports, compile, compile_at, deny_counters, entry_counters,
    group_of_set, guard_drops, guards_new_ports, installed_translations, managed_objects,
    port_coverage, resolve, schedule_of_set, uncovered_ports, unprotected_ports,
};
pub use docker::is_container as is_container_cgroup;
pub use engine::{Engine, Error};
/// The crate whose [`IpNetwork`](ipnetwork::IpNetwork) the library takes and returns.
pub use ipnetwork;
pub use netlink::in_netns;
pub use plan::Plan;
pub use policy::Policy;
pub use reconcile::Reconciler;
