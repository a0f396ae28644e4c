//! While an engine makes a large commit, the monitor that ignores it does not listen.
//!
//! As long as anybody listens, the kernel makes a message of a page for every element of a commit and
//! keeps them all until it is carried out, even those that a filter throws away then: for a hundred
//! thousand elements some hundred milliseconds and a gigabyte. So the engine has the monitor leave
//! first, and come back afterwards. The generation tells whether anything was missed meanwhile.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::Error;
use super::super::connection::Connection;
use super::super::error::io_error;
use crate::netlink::Membership;

/// A batch of this many bytes is large: that of some thousand elements.
pub(in super::super) const PAUSE_THRESHOLD: usize = 64 * 1024;

/// Whether a monitor listens; shared by the monitor and the engine that it ignores.
pub(in super::super) struct Subscription {
    membership: Membership,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_paused: bool,
    /// Commits up to this generation were missed or heard in part.
    missed: Option<u32>,
}

/// What a monitor has missed.
pub(super) enum Missed {
    /// Commits up to this generation, or parts of them.
    Until(u32),
    /// The engine is still at it.
    Unknown,
}

impl Subscription {
    pub fn new(membership: Membership) -> Subscription {
        Subscription { membership, state: Mutex::default() }
    }

    /// Has the monitor away during a commit of ours on the ruleset of generation `before`, and tells
    /// it if it has missed somebody else's.
    pub fn paused(
        &self,
        connection: &mut Connection,
        before: u32,
        commit: impl FnOnce(&mut Connection) -> Result<u32, Error>,
    ) -> Result<u32, Error> {
        if self.membership.leave().is_err() {
            return commit(connection);
        }
        self.state().is_paused = true;
        let committed = commit(connection);
        let is_back = self.resubscribe(connection, *committed.as_ref().unwrap_or(&before));
        committed.and_then(|generation| is_back.map(|()| generation))
    }

    /// Has the monitor listen again. If the ruleset is not of the expected generation then, it has
    /// missed something, and is woken up to hear that.
    fn resubscribe(&self, connection: &mut Connection, expected: u32) -> Result<(), Error> {
        self.membership.join().map_err(io_error("joining the notifications"))?;
        let generation = connection.generation()?;
        let mut state = self.state();
        state.is_paused = false;
        if generation != expected {
            state.missed = Some(generation);
            self.membership.wake().map_err(io_error("waking the monitor"))?;
        }
        Ok(())
    }

    /// What was missed since this was last asked.
    pub(super) fn missed(&self) -> Option<Missed> {
        let mut state = self.state();
        if state.is_paused {
            return Some(Missed::Unknown);
        }
        state.missed.take().map(Missed::Until)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
