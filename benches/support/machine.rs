//! The machine of the measurements.

use std::thread;

use anyhow::Result;
use nix::sys::utsname::uname;

use super::Program;

/// One sentence about the machine and the peers.
pub fn describe() -> Result<String> {
    let cores = thread::available_parallelism()?;
    let kernel = uname()?;
    let release = kernel.release().to_string_lossy();
    Ok(format!(
        "Linux {} on {}, {cores} cores, iptables {}, nftables {}",
        release.split('-').next().unwrap_or(&release),
        kernel.machine().to_string_lossy(),
        Program::new("iptables").version()?,
        Program::new("nft").version()?,
    ))
}
