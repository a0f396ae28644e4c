//! A running `dwnl watch`, and what the kernel tells of it.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// The program, in the namespace of the calling thread. It ends with the value.
pub struct Watch {
    process: Child,
    /// What stands in for its service manager.
    notifications: UnixDatagram,
    _directory: TempDir,
}

impl Watch {
    /// Starts it with a policy, and returns when that is in force.
    pub fn start(policy: &str) -> Result<Watch> {
        let directory = TempDir::new()?;
        let (file, socket) =
            (directory.path().join("policy.toml"), directory.path().join("notify"));
        fs::write(&file, policy)?;
        let notifications = UnixDatagram::bind(&socket)?;
        let process = Command::new(env!("CARGO_BIN_EXE_dwnl"))
            .args(["watch", "-q", "-f"])
            .arg(file)
            .env("NOTIFY_SOCKET", socket)
            .spawn()?;
        // It is ended even if it never gets ready.
        let watch = Watch { process, notifications, _directory: directory };
        watch.notifications.recv(&mut [0; 4096])?;
        Ok(watch)
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// How many ticks of CPU time it has taken.
    pub fn work(&self) -> Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        // Behind the name in parentheses: utime and stime are the fields 14 and 15.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let times = fields.skip(11).take(2).map(|time| time.parse::<u64>().context("a time"));
        times.sum()
    }

    /// A field of its status that is a size.
    pub fn kilobytes(&self, field: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
        let size = line.context("a size")?.trim().trim_end_matches(" kB");
        size.parse().context("a size")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}
