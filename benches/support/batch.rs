//! A second netlink client, which sends given bytes: the floor of what the library can reach.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send, setsockopt, sockopt};

use super::netlink_socket;

/// A batch, and a socket that is ready to send it in the namespace in which it was opened.
pub struct Sending<'a> {
    batch: &'a [u8],
    socket: OwnedFd,
}

impl Sending<'_> {
    /// Opens a socket with room for the batch.
    pub fn new(batch: &[u8]) -> Result<Sending<'_>> {
        let socket = netlink_socket()?;
        let room = batch.len() + 64;
        if setsockopt(&socket, sockopt::SndBufForce, &room).is_err() {
            setsockopt(&socket, sockopt::SndBuf, &room)?;
        }
        Ok(Sending { batch, socket })
    }

    /// Sends the batch with one bare system call, and returns the time of the call.
    pub fn send(&self) -> Result<Duration> {
        let start = Instant::now();
        send(self.socket.as_raw_fd(), self.batch, MsgFlags::empty())?;
        let elapsed = start.elapsed();
        let answer = recv(self.socket.as_raw_fd(), &mut [0; 4096], MsgFlags::MSG_DONTWAIT);
        ensure!(answer == Err(Errno::EAGAIN), "the kernel rejected the batch");
        Ok(elapsed)
    }
}
