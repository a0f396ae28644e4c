//! Pauses a monitor while the engine that subscribed it makes a large commit.
//!
//! While any socket is subscribed, the kernel makes a message of one page for every element of a commit
//! and keeps all of them until the commit is complete, even if a filter drops them then: for a hundred
//! thousand elements that takes some hundred milliseconds and a gigabyte. Therefore the monitor leaves
//! the multicast group before a large commit and joins it again afterwards. The generation shows whether
//! it has missed another program's commit in between.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::Error;
use super::super::connection::Connection;
use super::super::error::io_error;
use crate::netlink::Membership;

/// Minimum size in bytes of a batch that is large: that of some thousand elements.
pub(in super::super) const PAUSE_THRESHOLD: usize = 64 * 1024;

/// Whether a monitor is subscribed. Shared by the monitor and its engine.
pub(in super::super) struct Subscription {
    membership: Membership,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_paused: bool,
    /// Commits up to this generation were missed, at least in part.
    missed: Option<u32>,
}

/// What a monitor has missed.
pub(super) enum Missed {
    /// Commits up to this generation, or parts of them.
    Until(u32),
    /// The commit is still going on.
    Unknown,
}

impl Subscription {
    pub fn new(membership: Membership) -> Subscription {
        Subscription { membership, state: Mutex::default() }
    }

    /// Pauses the monitor during a commit that is based on generation `before`, and records whether it
    /// has missed a commit of another program.
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
        let resubscribed = self.resubscribe(connection, *committed.as_ref().unwrap_or(&before));
        committed.and_then(|generation| resubscribed.map(|()| generation))
    }

    /// Joins the multicast group again. If the ruleset is not at the expected generation afterwards, the
    /// monitor has missed something and is woken up to report it.
    fn resubscribe(&self, connection: &mut Connection, expected: u32) -> Result<(), Error> {
        self.membership.join().map_err(io_error("subscribing to ruleset notifications"))?;
        let generation = connection.generation()?;
        let mut state = self.state();
        state.is_paused = false;
        if generation != expected {
            state.missed = Some(generation);
            self.membership.wake().map_err(io_error("waking the monitor"))?;
        }
        Ok(())
    }

    /// What was missed since the last call.
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
