//! Waits until one of several file descriptors is readable.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::Error;
use super::super::error::io_error;

/// Whether one of the descriptors is readable before the deadline; without a deadline, waits as long as
/// it takes.
pub(crate) fn wait_readable(
    sources: &[BorrowedFd],
    deadline: Option<Instant>,
) -> Result<bool, Error> {
    let mut sources: Vec<PollFd> =
        sources.iter().map(|source| PollFd::new(*source, PollFlags::POLLIN)).collect();
    loop {
        match poll(&mut sources, timeout(deadline)) {
            Ok(0) if deadline.is_none_or(|deadline| Instant::now() < deadline) => {}
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::EINTR) => {}
            Err(errno) => {
                return Err(io_error("waiting for notifications")(io::Error::from(errno)));
            }
        }
    }
}

/// The time until the deadline, in whole milliseconds; rounded up, so as not to wake up too early.
fn timeout(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else { return PollTimeout::NONE };
    let rest = deadline.saturating_duration_since(Instant::now());
    let millis = rest.as_nanos().div_ceil(1_000_000);
    PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, AsRawFd};
    use std::time::Duration;

    use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socketpair};

    use super::*;

    #[test]
    fn waits_until_readable_or_for_the_deadline() {
        let pair = socketpair(AddressFamily::Unix, SockType::Datagram, None, SockFlag::empty());
        let (near, far) = pair.expect("a pair of sockets");
        let deadline = Instant::now() + Duration::from_micros(1_500);
        assert!(!wait_readable(&[near.as_fd()], Some(deadline)).expect("to wait"));
        assert!(Instant::now() >= deadline);
        send(far.as_raw_fd(), b"x", MsgFlags::empty()).expect("to send");
        assert!(wait_readable(&[near.as_fd()], Some(deadline)).expect("to wait"));
        assert!(wait_readable(&[near.as_fd()], None).expect("to wait"));
    }
}
