//! Reports changes of network interfaces. Docker gives each container an interface before docker-proxy
//! listens for it, and for a port that is published over IPv6 alone it changes no rule.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::poll::PollTimeout;

use super::super::connection::is_overflow;
use super::super::error::io_error;
use super::super::{Error, opened_in};
use crate::netlink::{Socket, Transport};

/// A netlink socket that is readable when a network interface of one network namespace was added, changed
/// or removed. Needs no capability.
pub struct LinkMonitor {
    socket: Socket,
}

impl LinkMonitor {
    /// Opens the socket in the network namespace of the calling thread.
    ///
    /// # Errors
    /// [`Error::Socket`].
    pub fn open() -> Result<LinkMonitor, Error> {
        let socket =
            Socket::open_link_monitor().map_err(io_error("subscribing to link notifications"))?;
        Ok(LinkMonitor { socket })
    }

    /// Opens the socket in the network namespace that `path` refers to; see
    /// [`Engine::open_in`](super::super::Engine::open_in).
    ///
    /// # Errors
    /// As [`LinkMonitor::open`], and [`Error::Namespace`].
    pub fn open_in(path: &Path) -> Result<LinkMonitor, Error> {
        opened_in(path, LinkMonitor::open)
    }

    /// Whether anything has changed since the last call. Never blocks. Notifications that the kernel
    /// dropped count as a change.
    ///
    /// # Errors
    /// [`Error::Socket`]: the monitor cannot be used any longer.
    pub fn read(&mut self) -> Result<bool, Error> {
        let mut has_changed = false;
        loop {
            match self.socket.receive(PollTimeout::ZERO) {
                Ok(None) => return Ok(has_changed),
                Ok(Some(_)) => has_changed = true,
                Err(error) if is_overflow(&error) => has_changed = true,
                Err(source) => return Err(io_error("reading link notifications")(source)),
            }
        }
    }
}

impl AsFd for LinkMonitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
