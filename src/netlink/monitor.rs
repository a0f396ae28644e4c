//! A socket that hears of every commit in its network namespace.

use std::io;

use super::socket::Socket;

/// How much may wait for us, in bytes with the kernel's overhead: the notifications of a commit of
/// some hundred thousand elements. More is lost.
const RECEIVE_BUFFER: usize = 16 * 1024 * 1024;

/// Where the port id of the sender stands in a message (`nlmsg_pid` of `struct nlmsghdr`).
const PORT: u32 = 12;

impl Socket {
    /// Opens a socket to nfnetlink in the calling thread's network namespace that the kernel sends
    /// the notifications of nf_tables to.
    ///
    /// # Errors
    /// EPERM without CAP_NET_ADMIN.
    pub fn open_monitor() -> io::Result<Socket> {
        let socket = Socket::open()?;
        socket.grow_receive_buffer(RECEIVE_BUFFER);
        let group = libc::NFNLGRP_NFTABLES;
        socket.set_option(libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, &group)?;
        Ok(socket)
    }

    /// Has the kernel throw away the notifications of all commits that were sent by the socket with
    /// this port id, before they take room: all messages of a datagram are of one commit.
    pub fn ignore(&self, port: u32) -> io::Result<()> {
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
        self.set_option(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }
}

/// One instruction; a comparison that holds skips so many.
fn statement(code: u32, value: u32, skip: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: skip, jf: 0, k: value }
}
