//! Network namespaces that exist as long as their handle.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{self, Command};

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket,
};

/// A network namespace. Once the first is created, the calling thread moves between them and never
/// returns to the machine's own.
pub struct Namespace(File);

impl Namespace {
    /// Creates an empty namespace and moves the calling thread there. The loopback interface is up, as
    /// on every host: otherwise the guard's probe of the match on sockets waits for its packets in vain.
    pub fn new() -> Result<Namespace> {
        unshare(CloneFlags::CLONE_NEWNET)
            .context("cannot create a network namespace: run the benchmark as root")?;
        let namespace = Namespace(File::open("/proc/thread-self/ns/net")?);
        let status = Command::new("ip").args(["link", "set", "lo", "up"]).status()?;
        ensure!(status.success(), "the loopback interface cannot be set up");
        Ok(namespace)
    }

    /// Moves the calling thread there.
    pub fn enter(&self) -> Result<()> {
        setns(&self.0, CloneFlags::CLONE_NEWNET).context("cannot enter a network namespace")
    }

    /// A path of the namespace for other processes.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", process::id(), self.0.as_raw_fd()).into()
    }
}

/// Waits until the kernel has cleaned up the last commit in the namespace of the calling thread.
/// The kernel does so in the background, when no CPU can see the old rules any more. Until then a
/// new batch would wait as well, and so does the closing of a netlink socket.
pub fn settle() -> Result<()> {
    let socket = netlink_socket()?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    Ok(())
}

/// A nfnetlink socket in the namespace of the calling thread.
pub fn netlink_socket() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC;
    socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)
}
