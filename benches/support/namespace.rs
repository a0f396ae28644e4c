//! Network namespaces that live as long as their handle.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process;

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket,
};

/// A network namespace. The calling thread moves between them and is never in the machine's own
/// once the first has been made.
pub struct Namespace(File);

impl Namespace {
    /// Makes an empty one and moves the calling thread there.
    pub fn new() -> Result<Namespace> {
        unshare(CloneFlags::CLONE_NEWNET)
            .context("no network namespace can be made: run the benchmark as root")?;
        Ok(Namespace(File::open("/proc/thread-self/ns/net")?))
    }

    /// Moves the calling thread there.
    pub fn enter(&self) -> Result<()> {
        setns(&self.0, CloneFlags::CLONE_NEWNET).context("a network namespace cannot be entered")
    }

    /// A path that other processes know it by.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", process::id(), self.0.as_raw_fd()).into()
    }
}

/// Waits until the kernel has cleared up after the last commit in the namespace of the calling
/// thread. It does so in the background, where it waits for all who may still see the old rules;
/// until then a new batch would wait too. The closing of a netlink socket waits for the same.
pub fn settle() -> Result<()> {
    let socket = netlink_socket()?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    Ok(())
}

/// A socket to nfnetlink in the namespace of the calling thread.
pub fn netlink_socket() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC;
    socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)
}
