//! Hearing of what others do to the ruleset, as they do it.

mod assembler;
mod change_summary;
mod commit;
mod links;
mod subscription;
#[cfg(test)]
mod tests;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;

use nix::poll::PollTimeout;

use super::connection::{Connection, is_overflow};
use super::error::{io_error, join_error, open_error};
use super::{Engine, Error, opened_in};
use crate::netlink::{Socket, Transport};

pub(super) use assembler::CommitAssembler;
pub use commit::{Commit, Process};
pub use links::LinkMonitor;
pub(super) use subscription::{PAUSE_THRESHOLD, Subscription};

/// What a [`Monitor`] has heard.
#[derive(Clone, Debug)]
pub enum MonitorEvent {
    /// Somebody has committed a change.
    Commit(Commit),
    /// The kernel could not tell all that has happened, because too much waited to be read or
    /// because it had no memory: anything may have changed before [`Monitor::read`] returned.
    Overrun,
}

/// A netlink socket that hears of every commit to the ruleset of one network namespace, from when it
/// was opened. Needs CAP_NET_ADMIN in the user namespace that owns it.
///
/// Its file descriptor is readable when a notice waits, so that a program can `poll` it beside others.
/// What happened before it was opened it does not tell: apply afterwards, not before.
///
/// As long as it is open, large commits of others take the kernel longer, as they do beside
/// `nft monitor`: it makes a message of a page for each rule and each element.
pub struct Monitor {
    socket: Socket,
    subscription: Arc<Subscription>,
    assembler: CommitAssembler,
}

impl Monitor {
    /// Opens the socket in the network namespace of the calling thread.
    ///
    /// # Errors
    /// [`Error::Permission`], [`Error::NoNfTables`] and [`Error::Socket`].
    pub fn open() -> Result<Monitor, Error> {
        let (socket, membership) = Socket::open_monitor().map_err(join_error)?;
        // What is committed from this generation on is heard of from its beginning.
        let mut connection = Connection::new(Box::new(Socket::open().map_err(open_error)?));
        let gathering = CommitAssembler::starting_at(connection.generation()?);
        Ok(Monitor {
            socket,
            subscription: Arc::new(Subscription::new(membership)),
            assembler: gathering,
        })
    }

    /// Opens the socket in the network namespace that `path` refers to; see [`Engine::open_in`].
    ///
    /// # Errors
    /// As [`Monitor::open`], and [`Error::Namespace`].
    pub fn open_in(path: &Path) -> Result<Monitor, Error> {
        opened_in(path, Monitor::open)
    }

    /// From now on the commits of this engine are not heard of, as long as it lives; those of one
    /// that was named before are again. The kernel filters them out before they take room. For a
    /// large one the engine has the monitor leave and come back; should somebody else commit in just
    /// that time, [`MonitorEvent::Overrun`] tells of it.
    ///
    /// # Errors
    /// [`Error::Socket`].
    pub fn exclude(&mut self, engine: &Engine) -> Result<(), Error> {
        self.socket.exclude(engine.port).map_err(io_error("filtering notifications"))?;
        engine.excluded_by.set(Arc::downgrade(&self.subscription));
        Ok(())
    }

    /// All that waits, in the order in which it happened; never blocks.
    ///
    /// Of a commit that was on its way when something was lost, the rest may come later as if it were all.
    /// It is not younger than anything that is read from the kernel after the loss was told.
    ///
    /// # Errors
    /// [`Error::Socket`]: the monitor has become useless.
    pub fn read(&mut self) -> Result<Vec<MonitorEvent>, Error> {
        let mut notices = Vec::new();
        let mut is_lost = false;
        loop {
            match self.socket.receive(PollTimeout::ZERO) {
                Ok(None) => break,
                Ok(Some(datagram)) => {
                    is_lost |= self.assembler.note_missed(self.subscription.missed());
                    // What was lost is some of this or came before it, which nobody can tell apart.
                    if !is_lost {
                        self.assembler.read(datagram, &mut notices);
                    }
                }
                Err(error) if is_overflow(&error) => is_lost = true,
                Err(source) => return Err(io_error("reading notifications")(source)),
            }
        }
        if is_lost {
            self.assembler.reset();
            notices.push(MonitorEvent::Overrun);
        }
        Ok(notices)
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
