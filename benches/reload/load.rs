//! A program that loads a file, or does another small job.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::support::Program;

/// A program with all of its arguments.
#[derive(Clone)]
pub struct Load {
    pub program: Program,
    input: Option<PathBuf>,
}

impl Load {
    /// `dwnl apply` with a state directory, as it has on a host.
    pub fn dwnl(file: &Path, state: &Path) -> Load {
        dwnl(state).with(["-q", "apply", "-f"]).with([file]).into()
    }

    /// `dwnl plan` with a state directory.
    pub fn plan(file: &Path, state: &Path) -> Load {
        dwnl(state).with(["-q", "plan", "-f"]).with([file]).into()
    }

    pub fn restore(file: &Path) -> Load {
        Program::new("iptables-restore").with(["--noflush"]).with([file]).into()
    }

    pub fn newest_restore(file: &Path) -> Result<Load> {
        let program = Program::newest_iptables("iptables-restore")?;
        Ok(program.with(["--noflush"]).with([file]).into())
    }

    pub fn nft(file: &Path) -> Load {
        Program::new("nft").with(["-f"]).with([file]).into()
    }

    pub fn newest_nft(file: &Path) -> Result<Load> {
        Ok(Program::newest_nft()?.with(["-f"]).with([file]).into())
    }

    pub fn ipset(file: &Path) -> Result<Load> {
        Ok(Program::newest_ipset()?.with(["restore", "-file"]).with([file]).into())
    }

    pub fn script(file: &Path) -> Load {
        Program::new("sh").with([file]).into()
    }

    /// The same with this file as its standard input.
    pub fn reading(self, input: PathBuf) -> Load {
        Load { input: Some(input), ..self }
    }

    /// Runs it to its end in the namespace of the calling thread.
    pub fn run(&self) -> Result<Duration> {
        let mut command = self.program.command();
        command.stdout(Stdio::null()).stdin(Stdio::null());
        if let Some(input) = &self.input {
            command.stdin(File::open(input)?);
        }
        let start = Instant::now();
        let status = command.status().with_context(|| format!("{command:?} did not start"))?;
        let elapsed = start.elapsed();
        ensure!(status.success(), "{command:?} failed: {status}");
        Ok(elapsed)
    }

    /// Runs it, and returns what it prints.
    pub fn output(&self) -> Result<Output> {
        let mut command = self.program.command();
        let output = command.output().with_context(|| format!("{command:?} did not start"))?;
        ensure!(output.status.success(), "{command:?} failed: {}", output.status);
        Ok(output)
    }
}

impl From<Program> for Load {
    fn from(program: Program) -> Load {
        Load { program, input: None }
    }
}

/// The program with a state directory.
pub fn dwnl(state: &Path) -> Program {
    Program::new(env!("CARGO_BIN_EXE_dwnl")).environment("STATE_DIRECTORY", state)
}
