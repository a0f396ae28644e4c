//! Dump → plan → commit, with retry: the public face of the library. Every call is a few netlink
//! messages on one socket; nothing is printed, no process is spawned, no file is written.

mod error;

use std::path::Path;

use crate::plan::Plan;
use crate::ruleset::{Ruleset, Snapshot};

pub use error::Error;

/// How often [`Engine::apply`] starts again from the dump when others change the ruleset
/// meanwhile.
pub const ATTEMPTS_MAX: u32 = 100;

/// A netlink socket to nf_tables in one network namespace. Needs CAP_NET_ADMIN in the user
/// namespace that owns it.
pub struct Engine {}

/// What [`Engine::apply`] and [`Engine::remove`] did.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The plan that was committed; empty if nothing had to be done and nothing was sent.
    pub plan: Plan,
    /// The generation of the ruleset afterwards.
    pub generation: u32,
    /// How often the dump was taken: 1, and one more for each change by somebody else meanwhile.
    pub attempts: u32,
}

impl Engine {
    /// Opens a socket in the network namespace of the calling thread.
    ///
    /// # Errors
    /// [`Error::NoNfTables`] and [`Error::LegacyNat`] where the host cannot be protected this way;
    /// [`Error::Socket`] where the socket cannot be had.
    pub fn open() -> Result<Engine, Error> {
        todo!()
    }

    /// Opens a socket in the network namespace that `path` (such as `/run/netns/NAME` or
    /// `/proc/PID/ns/net`) refers to. The calling thread stays where it is. Entering a namespace
    /// needs CAP_SYS_ADMIN, this once.
    ///
    /// # Errors
    /// As [`Engine::open`], and [`Error::Namespace`].
    pub fn open_in(path: &Path) -> Result<Engine, Error> {
        let _ = path;
        todo!()
    }

    /// Reads the tables that dwnl works in, all at one generation.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn snapshot(&mut self) -> Result<Snapshot, Error> {
        todo!()
    }

    /// What would have to change for the kernel to hold `wanted`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn plan(&mut self, wanted: &Ruleset) -> Result<Plan, Error> {
        Ok(Plan::between(wanted, &self.snapshot()?)?)
    }

    /// Carries out a plan in one transaction and returns the new generation. An empty plan sends
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the ruleset was changed since the plan was made: make a new one.
    /// [`Error::Refused`] if the kernel refuses a change. In either case nothing was changed.
    pub fn commit(&mut self, plan: &Plan) -> Result<u32, Error> {
        let _ = plan;
        todo!()
    }

    /// Makes the kernel hold `wanted`: plans and commits, and starts again from the dump, at most
    /// [`ATTEMPTS_MAX`] times, when others change the ruleset in between.
    ///
    /// # Errors
    /// See [`Error`]. Nothing was changed.
    pub fn apply(&mut self, wanted: &Ruleset) -> Result<Outcome, Error> {
        let _ = wanted;
        todo!()
    }

    /// Takes out all that dwnl put in, and nothing else, with the same retries as
    /// [`Engine::apply`].
    ///
    /// # Errors
    /// See [`Error`]. Nothing was changed.
    pub fn remove(&mut self) -> Result<Outcome, Error> {
        todo!()
    }
}
