//! The programs that are compared: those of the machine, and the newest ones of Debian, which
//! `scripts/setup` unpacks. The latter are started without their wrapper scripts, whose shell would
//! be measured too.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A program with the arguments that it is always given.
#[derive(Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Program {
    /// A program in the machine's search path, or at a path.
    pub fn new(path: impl Into<PathBuf>) -> Program {
        Program { path: path.into(), arguments: Vec::new(), environment: Vec::new() }
    }

    /// The newest `nft`.
    pub fn newest_nft() -> Result<Program> {
        Program::unpacked("nftables", "usr/sbin/nft")
    }

    /// The newest `ipset`.
    pub fn newest_ipset() -> Result<Program> {
        Program::unpacked("ipset", "usr/sbin/ipset")
    }

    /// The newest `iptables` or `iptables-restore`.
    pub fn newest_iptables(command: &str) -> Result<Program> {
        let directory = "iptables/1.8.13";
        let program = Program::unpacked(directory, "usr/sbin/xtables-nft-multi")?;
        let extensions = find(&target()?.join(directory).join("root"), "libxt_conntrack.so")?;
        Ok(program.with([command]).environment("XTABLES_LIBDIR", parent(&extensions)?))
    }

    /// A program of another Debian release, with the C library of that release.
    fn unpacked(directory: &str, program: &str) -> Result<Program> {
        let root = target()?.join(directory).join("root");
        ensure!(root.exists(), "{} is missing: run scripts/setup", root.display());
        let loader = find(&root, "ld-linux")?;
        let libraries = ["libc.so.6", "libmnl.so.0", "libxtables.so.12"]
            .into_iter()
            .filter_map(|library| find(&root, library).ok())
            .map(|library| parent(&library))
            .collect::<Result<BTreeSet<_>>>()?;
        let libraries = std::env::join_paths(libraries)?;
        let loading = Program::new(loader);
        Ok(loading.with(["--library-path".into(), libraries, root.join(program).into()]))
    }

    /// The program with further arguments.
    pub fn with(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Program {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// The program with a variable in its environment.
    pub fn environment(mut self, name: &'static str, value: impl Into<PathBuf>) -> Program {
        self.environment.push((name, value.into()));
        self
    }

    /// A command that runs it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command
    }

    /// A command of another program, which runs this one: its words are the last arguments.
    pub fn command_by(&self, other: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(other);
        command.args(arguments).arg(&self.path).args(&self.arguments);
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Its version, such as `1.8.13`.
    pub fn version(&self) -> Result<String> {
        let mut command = self.command();
        let output = command.arg("--version").output();
        let output = output.with_context(|| format!("{command:?} did not start"))?;
        let text = String::from_utf8(output.stdout)?;
        let version = text.split_whitespace().find(|word| word.starts_with('v'));
        let version = version.with_context(|| format!("{command:?} prints no version"))?;
        Ok(version.trim_start_matches('v').trim_end_matches(',').to_owned())
    }
}

/// The target directory.
fn target() -> Result<PathBuf> {
    parent(Path::new(env!("CARGO_TARGET_TMPDIR")))
}

fn parent(path: &Path) -> Result<PathBuf> {
    Ok(path.parent().context("no parent directory")?.to_owned())
}

/// The first file below a directory whose name begins so.
fn find(directory: &Path, name: &str) -> Result<PathBuf> {
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            } else if entry.file_name().to_string_lossy().starts_with(name) {
                return Ok(entry.path());
            }
        }
    }
    anyhow::bail!("there is no {name} in {}", directory.display())
}
