//! The peak memory of whole processes. The kernel's count starts with the size of the parent
//! process, so a fresh and therefore small copy of this program starts them.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use dwnl::{Engine, managed_objects};
use nix::sys::resource::{UsageWho, getrusage};

use crate::figures::{Figure, Figures};
use crate::process::Load;
use crate::support::Namespace;
use crate::workload::{Mix, Protocol, Variant, Workload, write};

/// The argument that makes this program run the command that follows and print its peak memory.
pub const HELPER: &str = "--peak-memory-of";

/// Measures the loading of one policy into an empty chain or set.
pub fn measure(directory: &Path, mix: Mix, size: usize, figures: &mut Figures) -> Result<()> {
    let workload = Workload::new(mix, size, Variant::First, Protocol::Tcp);
    let policy = workload.write_policy(directory, "first")?;
    let rules = write(directory, "first.rules", &workload.restore_text())?;
    let set = write(directory, "first.nft", &(workload.nft_frame() + &workload.nft_text()))?;
    for (figure, load) in [
        (Figure::MemoryDwnl, Load::dwnl(policy)),
        (Figure::MemoryRestore, Load::restore(rules)),
        (Figure::MemoryNft, Load::nft(set)),
    ] {
        let _namespace = Namespace::new()?;
        Engine::open()?.apply(&managed_objects())?;
        figures.set(figure, mix, size, peak(&load)?);
    }
    Ok(())
}

fn peak(load: &Load) -> Result<f64> {
    let mut helper = Command::new(env::current_exe()?);
    helper.arg(HELPER).arg(load.program).args(load.arguments).arg(&load.file);
    let output = helper.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{helper:?} failed");
    let kibibytes: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(kibibytes * 1024.0)
}

/// Runs a command and prints its peak memory in KiB.
pub fn help(mut command: impl Iterator<Item = OsString>) -> Result<()> {
    let program = command.next().context("no command")?;
    let status = Command::new(program).args(command).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "the command failed: {status}");
    println!("{}", getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss());
    Ok(())
}
