//! The machine of the measurements.

use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use nix::sys::utsname::uname;

/// One sentence about the machine and the peers.
pub fn describe() -> Result<String> {
    let cores = thread::available_parallelism()?;
    let kernel = uname()?;
    let release = kernel.release().to_string_lossy();
    Ok(format!(
        "Linux {} on {}, {cores} cores, {}, {}",
        release.split('-').next().unwrap_or(&release),
        kernel.machine().to_string_lossy(),
        version("iptables")?,
        version("nft")?,
    ))
}

fn version(program: &str) -> Result<String> {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .with_context(|| format!("{program} is missing"))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
