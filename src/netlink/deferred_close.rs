//! Closing a socket without waiting for the kernel to free what a commit has replaced.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
};

/// The pair that a socket was sent through.
pub(super) struct Pair {
    _ends: [OwnedFd; 2],
}

/// Leaves the closing of a netlink socket to the kernel, if it supports that: the caller closes its own
/// descriptor first, and then the pair.
///
/// A commit is in force as soon as it is answered, but closing the socket waits until everything that
/// it has replaced is freed: for an RCU grace period, and some tens of milliseconds if a hundred
/// thousand elements were deleted. So a second reference is sent through a pair of sockets from which
/// no program can receive it any more, because one end of the pair is in the pair itself, unread.
/// Newer kernels collect such pairs on a thread of their own, which then waits; older ones wait here,
/// as for any other socket.
pub(super) fn close_in_background(socket: BorrowedFd) -> Option<Pair> {
    let pair = socketpair(AddressFamily::Unix, SockType::Datagram, None, SockFlag::SOCK_CLOEXEC);
    let (sender, receiver) = pair.ok()?;
    let descriptors = [socket.as_raw_fd(), receiver.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    // If this fails, the socket is closed like any other.
    let _ =
        sendmsg::<()>(sender.as_raw_fd(), &[IoSlice::new(&[0])], &rights, MsgFlags::empty(), None);
    Some(Pair { _ends: [sender, receiver] })
}
