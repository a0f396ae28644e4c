//! Sockets that receive a notification of every commit, or of every change to an interface, in their
//! network namespace.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::{MsgFlags, send};

use super::request::put_message;
use super::socket::{Socket, set_option};

/// Maximum size of pending notifications, in bytes with the kernel's overhead: those of a commit of
/// some hundred thousand elements. The kernel drops more.
const RECEIVE_BUFFER: usize = 16 * 1024 * 1024;

/// The offset of the sender's port ID in a message (`nlmsg_pid` of `struct nlmsghdr`).
const PORT: u32 = 12;

impl Socket {
    /// Opens a socket to nfnetlink in the calling thread's network namespace. The kernel sends the
    /// notifications of nf_tables to it while its membership lasts.
    ///
    /// # Errors
    /// EPERM without CAP_NET_ADMIN.
    pub fn open_monitor() -> io::Result<(Socket, Membership)> {
        let socket = Socket::open()?;
        socket.grow_receive_buffer(RECEIVE_BUFFER);
        let membership = Membership { socket: socket.as_fd().try_clone_to_owned()? };
        membership.join()?;
        Ok((socket, membership))
    }

    /// Opens a socket to rtnetlink in the calling thread's network namespace. The kernel sends the
    /// notifications of network interfaces to it.
    pub fn open_link_monitor() -> io::Result<Socket> {
        let socket = Socket::open_routes()?;
        let group = libc::RTNLGRP_LINK as libc::c_int;
        set_option(&socket, libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, &group)?;
        Ok(socket)
    }

    /// Has the kernel drop the notifications of all commits by the socket with this port ID before
    /// they use the receive buffer. All messages of a datagram belong to one commit.
    pub fn exclude(&self, port: u32) -> io::Result<()> {
        // The filter reads numbers in network order, and the header is in the machine's.
        let port = port.to_be();
        let mut filter = [
            statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, PORT, 0),
            statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, port, 1),
            statement(libc::BPF_RET | libc::BPF_K, u32::MAX, 0),
            statement(libc::BPF_RET | libc::BPF_K, 0, 0),
        ];
        let program =
            libc::sock_fprog { len: filter.len() as libc::c_ushort, filter: filter.as_mut_ptr() };
        set_option(self, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }
}

/// One instruction; a comparison that holds skips this number of instructions.
fn statement(code: u32, value: u32, skip: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: skip, jf: 0, k: value }
}

/// A socket's membership in the group that receives notifications of commits. While the group has any
/// member, the kernel makes a message for each object of a commit before it carries it out.
pub(crate) struct Membership {
    /// The monitor's own.
    socket: OwnedFd,
}

impl Membership {
    /// Joins the group: the socket receives notifications from now on.
    pub fn join(&self) -> io::Result<()> {
        self.set(libc::NETLINK_ADD_MEMBERSHIP)
    }

    /// Leaves the group.
    pub fn leave(&self) -> io::Result<()> {
        self.set(libc::NETLINK_DROP_MEMBERSHIP)
    }

    fn set(&self, option: libc::c_int) -> io::Result<()> {
        set_option(&self.socket, libc::SOL_NETLINK, option, &libc::NFNLGRP_NFTABLES)
    }

    /// Makes the socket readable: the kernel acknowledges an empty message.
    pub fn wake(&self) -> io::Result<()> {
        let mut message = Vec::new();
        put_message(&mut message, libc::NLMSG_NOOP as u16, &[], libc::NLM_F_ACK as u16, 0);
        send(self.socket.as_raw_fd(), &message, MsgFlags::empty())?;
        Ok(())
    }
}
