//! A running `dwnl watch`, and the resources that it uses.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// `dwnl watch` in the namespace of the calling thread. It is killed on drop.
pub struct Watch {
    process: Child,
    /// The socket in the role of its service manager.
    notifications: UnixDatagram,
    _directory: TempDir,
}

impl Watch {
    /// Starts a watch, and waits until the policy is in force.
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
        // From here on it is killed on drop, even if it never becomes ready.
        let watch = Watch { process, notifications, _directory: directory };
        watch.notifications.recv(&mut [0; 4096])?;
        Ok(watch)
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The CPU time used, in ticks.
    pub fn work(&self) -> Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        // utime and stime are fields 14 and 15; field 2 is the name in parentheses.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let times = fields.skip(11).take(2).map(|time| time.parse::<u64>().context("a time"));
        times.sum()
    }

    /// A size in its status, in kB.
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
