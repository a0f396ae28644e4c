//! Reports what other programs do to the ruleset, as they do it.

mod assembler;
mod change_summary;
mod commit;
mod links;
mod readable;
mod subscription;
#[cfg(test)]
mod tests;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use nix::poll::PollTimeout;

use super::connection::{Connection, is_overflow};
use super::error::{io_error, join_error, open_error};
use super::set_cache::SetCache;
use super::{Engine, Error, opened_in};
use crate::netlink::{Socket, Transport};

pub(super) use assembler::CommitAssembler;
pub use commit::{Commit, Process};
pub use links::LinkMonitor;
pub(crate) use readable::wait_readable;
pub(super) use subscription::{PAUSE_THRESHOLD, Subscription};

/// What a [`Monitor`] reports.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum MonitorEvent {
    /// A commit to the ruleset.
    Commit(Commit),
    /// The kernel dropped notifications, because the receive buffer was full or it had no memory:
    /// anything may have changed before the monitor was read.
    Overrun,
}

impl MonitorEvent {
    /// Whether the rules may differ from the policy now: see [`Commit::is_relevant`].
    pub fn is_relevant(&self) -> bool {
        match self {
            MonitorEvent::Commit(commit) => commit.is_relevant(),
            MonitorEvent::Overrun => true,
        }
    }

    /// Invalidates the sets that it may have changed. A cache has to see every event, in order.
    pub(super) fn invalidate(&self, set_cache: &SetCache) {
        match self {
            MonitorEvent::Commit(commit) => {
                set_cache.advance(commit.generation, |set| commit.touches(set));
            }
            MonitorEvent::Overrun => set_cache.clear(),
        }
    }
}

/// A netlink socket that reports every commit to the ruleset of one network namespace, from when it was
/// opened. Needs CAP_NET_ADMIN in the user namespace that owns the network namespace.
///
/// One from [`Engine::subscribe`] reports the commits of other programs alone; one from
/// [`Monitor::open`] reports those of every program. Open it before you apply: it does not report what
/// happened earlier.
///
/// While any monitor is open, large commits of other programs take the kernel longer, as they do while
/// `nft monitor` runs: it makes a message of one page for each rule and each element.
pub struct Monitor {
    socket: Socket,
    subscription: Arc<Subscription>,
    assembler: CommitAssembler,
    /// The cache of the engine that subscribed, if one did.
    set_cache: Weak<SetCache>,
}

impl Engine {
    /// Opens a monitor in the network namespace of the calling thread, which has to be the engine's. It
    /// reports the commits of other programs and not those of this engine, and lets the engine know
    /// which of its cached sets they touch.
    ///
    /// The kernel drops the notifications of the engine's own commits before they take up memory. During
    /// a large commit of the engine, the monitor of its latest subscription leaves the multicast group; a
    /// commit of another program within that time is reported as [`MonitorEvent::Overrun`].
    ///
    /// # Errors
    /// As [`Monitor::open`].
    pub fn subscribe(&mut self) -> Result<Monitor, Error> {
        let monitor = Monitor::open()?;
        self.attach(monitor)
    }

    /// As [`Engine::subscribe`], in the network namespace that `path` refers to; see [`Engine::open_in`].
    ///
    /// # Errors
    /// As [`Monitor::open_in`].
    pub fn subscribe_in(&mut self, path: &Path) -> Result<Monitor, Error> {
        let monitor = Monitor::open_in(path)?;
        self.attach(monitor)
    }

    fn attach(&mut self, monitor: Monitor) -> Result<Monitor, Error> {
        monitor.socket.exclude(self.port).map_err(io_error("filtering ruleset notifications"))?;
        self.subscription = Arc::downgrade(&monitor.subscription);
        Ok(Monitor { set_cache: Arc::downgrade(&self.set_cache), ..monitor })
    }
}

impl Monitor {
    /// Opens the socket in the network namespace of the calling thread.
    ///
    /// # Errors
    /// [`Error::Permission`], [`Error::NoNfTables`] and [`Error::Socket`].
    pub fn open() -> Result<Monitor, Error> {
        let (socket, membership) = Socket::open_monitor().map_err(join_error)?;
        // Commits after this generation are reported completely.
        let mut connection = Connection::new(Box::new(Socket::open().map_err(open_error)?));
        let assembler = CommitAssembler::starting_at(connection.generation()?);
        let subscription = Arc::new(Subscription::new(membership));
        Ok(Monitor { socket, subscription, assembler, set_cache: Weak::new() })
    }

    /// Opens the socket in the network namespace that `path` refers to; see [`Engine::open_in`].
    ///
    /// # Errors
    /// As [`Monitor::open`], and [`Error::Namespace`].
    pub fn open_in(path: &Path) -> Result<Monitor, Error> {
        opened_in(path, Monitor::open)
    }

    /// The events that are waiting, in the order in which they happened. Never blocks: poll the file
    /// descriptor, or call [`Monitor::wait`].
    ///
    /// After an overrun, the rest of a commit of which notifications were lost may be reported as if it
    /// were the whole commit. It is not younger than anything that is read from the kernel after this
    /// call.
    ///
    /// # Errors
    /// [`Error::Socket`]: the monitor cannot be used any longer.
    pub fn read(&mut self) -> Result<Vec<MonitorEvent>, Error> {
        let mut events = Vec::new();
        let mut has_overrun = false;
        loop {
            match self.socket.receive(PollTimeout::ZERO) {
                Ok(None) => break,
                Ok(Some(datagram)) => {
                    has_overrun |= self.assembler.note_missed(self.subscription.missed());
                    // The lost messages belong to this datagram or came before it: it is unknown which.
                    if !has_overrun {
                        self.assembler.read(datagram, &mut events);
                    }
                }
                Err(error) if is_overflow(&error) => has_overrun = true,
                Err(source) => return Err(io_error("reading ruleset notifications")(source)),
            }
        }
        if has_overrun {
            self.assembler.reset();
            events.push(MonitorEvent::Overrun);
        }
        if let Some(set_cache) = self.set_cache.upgrade() {
            events.iter().for_each(|event| event.invalidate(&set_cache));
        }
        Ok(events)
    }

    /// Waits for events and returns them. Returns an empty list when `timeout` has passed; without a
    /// timeout it waits as long as it takes.
    ///
    /// # Errors
    /// As [`Monitor::read`].
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Vec<MonitorEvent>, Error> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let is_readable = wait_readable(&[self.as_fd()], deadline)?;
            let events = self.read()?;
            if !events.is_empty() || !is_readable {
                return Ok(events);
            }
        }
    }
}

/// Readable when an event is waiting.
impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
