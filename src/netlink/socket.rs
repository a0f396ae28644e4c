//! The sockets that send and receive datagrams.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

use super::deferred_close::{Pair, close_in_background};

/// Size of the buffer for one datagram. Those of a dump have at most 32 KiB, and the echo of an error
/// is capped.
const DATAGRAM_MAX: usize = 64 * 1024;
/// Maximum size of pending answers, in bytes with the kernel's overhead.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// Minimum size of the send buffer in bytes: enough for all requests.
const SEND_BUFFER: usize = 64 * 1024;

/// `linux/netlink.h`, since Linux 4.20.
const NETLINK_GET_STRICT_CHK: libc::c_int = 12;
/// An option that is switched on.
const ON: libc::c_int = 1;

/// Carries datagrams to the kernel and back; tests replace the socket.
pub(crate) trait Transport: Send {
    /// Sends one datagram. The kernel has processed it when this returns.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// The next datagram, or `None` if none comes before the time is up.
    ///
    /// # Errors
    /// ENOBUFS if answers were lost because too many were pending.
    fn receive(&mut self, timeout: PollTimeout) -> io::Result<Option<&[u8]>>;
}

/// A netlink socket, in the network namespace in which it was opened.
pub(crate) struct Socket {
    socket: mnl::Socket,
    /// An array of `u64`, because the kernel's headers are read in place and have to be aligned.
    buffer: Box<[u64]>,
    send_buffer: usize,
    is_netfilter: bool,
    /// The pair through which the kernel closes the socket; dropped after the socket itself.
    pair: Option<Pair>,
}

// SAFETY: libmnl's socket is a structure with a file descriptor and an address. It has no tie to
// the thread that made it, and `Socket` is its only owner.
unsafe impl Send for Socket {}

impl Socket {
    /// Opens a socket to nfnetlink in the calling thread's network namespace.
    pub fn open() -> io::Result<Socket> {
        Socket::on(mnl::Bus::Netfilter)
    }

    /// Opens a socket to rtnetlink in the calling thread's network namespace.
    pub fn open_routes() -> io::Result<Socket> {
        let socket = Socket::on(mnl::Bus::Route)?;
        // The kernel then dumps only what a request's header asks for.
        set_option(&socket, libc::SOL_NETLINK, NETLINK_GET_STRICT_CHK, &ON)?;
        Ok(socket)
    }

    /// Opens a socket to sock_diag in the calling thread's network namespace.
    pub fn open_sock_diag() -> io::Result<Socket> {
        Socket::on(mnl::Bus::SockDiag)
    }

    fn on(bus: mnl::Bus) -> io::Result<Socket> {
        let is_netfilter = matches!(bus, mnl::Bus::Netfilter);
        let socket = mnl::Socket::new(bus)?;
        let buffer = vec![0; DATAGRAM_MAX / size_of::<u64>()].into_boxed_slice();
        let socket = Socket { socket, buffer, send_buffer: 0, is_netfilter, pair: None };
        // Most answers are there before they are asked for, because the kernel answers within `send`.
        fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        set_option(&socket, libc::SOL_NETLINK, libc::NETLINK_EXT_ACK, &ON)?;
        set_option(&socket, libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, &ON)?;
        socket.grow_receive_buffer(RECEIVE_BUFFER);
        Ok(socket)
    }

    /// The number by which the kernel knows the socket in its namespace (`nlmsg_pid`).
    pub fn port(&self) -> u32 {
        self.socket.portid()
    }

    /// The number of the socket's network namespace (`SO_NETNS_COOKIE`), which no other namespace has from
    /// the start of the kernel to its end. `None` before Linux 5.14.
    pub fn namespace(&self) -> Option<u64> {
        let mut cookie = 0_u64;
        let mut length = size_of_val(&cookie) as libc::socklen_t;
        // SAFETY: the kernel writes at most the given size of the integer, which outlives the call.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_NETNS_COOKIE,
                (&raw mut cookie).cast(),
                &raw mut length,
            )
        };
        let is_whole = length as usize == size_of_val(&cookie);
        Errno::result(result).ok().filter(|_| is_whole && cookie != 0).map(|_| cookie)
    }

    /// Sets the receive buffer, beyond the system's limit (`net.core.rmem_max`) if that is permitted.
    /// What does not fit is lost: of a batch with very many errors, the later ones.
    pub(super) fn grow_receive_buffer(&self, bytes: usize) {
        if setsockopt(self, sockopt::RcvBufForce, &bytes).is_err() {
            let _ = setsockopt(self, sockopt::RcvBuf, &bytes);
        }
    }

    /// Sets the send buffer, beyond the system's limit (`net.core.wmem_max`) if that is permitted. The
    /// kernel rejects a larger datagram (EMSGSIZE).
    fn grow_send_buffer(&mut self, length: usize) {
        // The kernel keeps 32 bytes of the buffer for itself.
        let needed = length + 64;
        if needed <= self.send_buffer {
            return;
        }
        let desired = needed.max(SEND_BUFFER);
        if setsockopt(self, sockopt::SndBufForce, &desired).is_err() {
            let _ = setsockopt(self, sockopt::SndBuf, &desired);
        }
        self.send_buffer = desired;
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor stays open as long as the socket, which the result borrows.
        unsafe { BorrowedFd::borrow_raw(self.socket.as_raw_fd()) }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Only these wait for what a commit has replaced.
        if self.is_netfilter {
            self.pair = close_in_background(self.as_fd());
        }
    }
}

impl Transport for Socket {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.grow_send_buffer(datagram.len());
        loop {
            match self.socket.send(datagram) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn receive(&mut self, timeout: PollTimeout) -> io::Result<Option<&[u8]>> {
        let mut is_ready = false;
        let length = loop {
            match self.socket.recv_raw(bytes_of(&mut self.buffer)) {
                Ok(length) => break length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !is_ready => {}
                Err(error) => return Err(error),
            }
            let mut descriptors = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
            match poll(&mut descriptors, timeout) {
                Ok(0) => return Ok(None),
                Ok(_) => is_ready = true,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        };
        Ok(bytes_of(&mut self.buffer).get(..length))
    }
}

fn bytes_of(words: &mut [u64]) -> &mut [u8] {
    let size = size_of_val(words);
    // SAFETY: the words are initialised, every bit pattern is valid for either type, and the
    // result borrows them exclusively.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), size) }
}

/// Sets an option whose value is the C structure or integer `value`.
pub(super) fn set_option<T>(
    socket: &impl AsFd,
    level: libc::c_int,
    option: libc::c_int,
    value: &T,
) -> io::Result<()> {
    // SAFETY: the value outlives the call, and its size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const *value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    Errno::result(result).map(drop).map_err(io::Error::from)
}
