//! The peak memory of whole processes. The kernel's count starts with the size of the parent
//! process, so a fresh and therefore small copy of this program starts them.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use dwnl::Engine;
use nix::sys::resource::{UsageWho, getrusage};

use crate::figures::{Figure, Figures};
use crate::library::managed;
use crate::load::Load;
use crate::support::Namespace;
use crate::workload::{Form, Mix, Protocol, RESTORE_MAX, Variant, Workload, write};

/// The argument that makes this program run the command that follows and print its peak memory.
pub const HELPER: &str = "--peak-memory-of";

/// Measures the loading of one policy into empty chains or sets.
pub fn measure(directory: &Path, mix: Mix, size: usize, figures: &mut Figures) -> Result<()> {
    let workload = Workload::new(mix, size, Variant::First, Protocol::Tcp);
    let policy = workload.write_policy(directory, "memory", Form::Plain)?;
    let set = write(directory, "memory.nft", &(workload.nft_frame() + &workload.nft_text()))?;
    let ipset = workload.ipset_frame() + &workload.ipset_text();
    let ipset = write(directory, "memory.ipset", &ipset)?;
    let state = directory.join("memory-state");
    fs::create_dir_all(&state)?;
    let mut loads = vec![
        (Figure::MemoryDwnl, Load::dwnl(&policy, &state)),
        (Figure::MemoryNft, Load::nft(&set)),
        (Figure::MemoryNftNewest, Load::newest_nft(&set)?),
        (Figure::MemoryIpset, Load::ipset(&ipset)?),
    ];
    if size <= RESTORE_MAX {
        let rules = write(directory, "memory.rules", &workload.restore_text())?;
        loads.push((Figure::MemoryRestore, Load::restore(&rules)));
        loads.push((Figure::MemoryRestoreNewest, Load::newest_restore(&rules)?));
    }
    for (figure, load) in loads {
        let _namespace = Namespace::new()?;
        Engine::open()?.apply(&managed())?;
        figures.set(figure, mix, size, peak(&load)?);
    }
    Ok(())
}

fn peak(load: &Load) -> Result<f64> {
    let mut helper = load.program.command_by(env::current_exe()?, &[HELPER]);
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
