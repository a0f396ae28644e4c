//! Tells the ruleset of one network namespace from every other one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::netlink::Socket;

/// Whose ruleset it is. Generations count up in one of them, and start again in another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Identity {
    /// The random ID of this start of the kernel.
    pub boot: u128,
    /// The network namespace.
    pub namespace: u64,
    /// The inode number of nf_tables' directory in sysfs; 0 if it is part of the kernel. A module that was
    /// removed and loaded again starts with an empty ruleset, and has another one.
    pub module: u64,
}

impl Identity {
    /// Of the ruleset that the socket belongs to; `None` if it cannot be told.
    pub fn of(socket: &Socket) -> Option<Identity> {
        let namespace = socket.namespace()?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let boot = u128::from_str_radix(&boot.trim_end().replace('-', ""), 16).ok()?;
        let module = fs::metadata("/sys/module/nf_tables").map_or(0, |it| it.ino());
        Some(Identity { boot, namespace, module })
    }
}

/// The time since the kernel was started, with the time that it was suspended.
pub(super) fn since_start() -> Option<Duration> {
    clock_gettime(ClockId::CLOCK_BOOTTIME).ok().map(Duration::from)
}
