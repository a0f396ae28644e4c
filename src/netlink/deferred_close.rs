//! Letting go of a socket without waiting for the kernel to clear up.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
};

/// The pair that a socket was sent through.
pub(super) struct Pair {
    _ends: [OwnedFd; 2],
}

/// Leaves the closing of a netlink socket to the kernel, as far as it can be had: the caller closes
/// its own descriptor first, and then the pair.
///
/// A commit is in force as soon as it is answered, but whoever closes the socket waits until all
/// that it has replaced is freed: for a grace period of RCU, and some tens of milliseconds if a
/// hundred thousand elements have gone. So a second reference is sent through a pair of sockets
/// that nobody can receive from any more, because one end of it lies unread in the pair itself.
/// Newer kernels collect such pairs on a thread of their own, which then does the waiting; older
/// ones do it here, and nothing is lost.
pub(super) fn close_in_background(socket: BorrowedFd) -> Option<Pair> {
    let pair = socketpair(AddressFamily::Unix, SockType::Datagram, None, SockFlag::SOCK_CLOEXEC);
    let (sender, receiver) = pair.ok()?;
    let descriptors = [socket.as_raw_fd(), receiver.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    // Without it the socket is closed as any other.
    let _ =
        sendmsg::<()>(sender.as_raw_fd(), &[IoSlice::new(&[0])], &rights, MsgFlags::empty(), None);
    Some(Pair { _ends: [sender, receiver] })
}
