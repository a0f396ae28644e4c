//! Commands that run to their end, and their results.

use std::fmt;
use std::fs::File;
use std::io::{Seek, Write};
use std::process::{Command, ExitStatus, Stdio};

/// The result of a command. `Display` shows all of it.
pub struct Output {
    command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// Its standard output; panics if it failed.
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert!(self.status.success(), "{self}");
        self.stdout
    }

    /// Its standard error; panics unless it ended with this exit status.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self.stderr
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Output { command, status, stdout, stderr } = self;
        write!(f, "`{command}`: {status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// A background command in the network namespace at this path. The caller adds the program and its
/// arguments. It is killed when the thread that started it ends.
pub fn companion(namespace: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={namespace}")).args(["setpriv", "--pdeathsig", "KILL"]);
    command
}

/// Runs a command in the network namespace of the calling thread, with `stdin` as its input.
#[track_caller]
pub fn output(args: &[&str], stdin: &str) -> Output {
    let command = args.join(" ");
    let (program, args) = args.split_first().expect("a program");
    let output = Command::new(program)
        .args(args)
        .env("PATH", path())
        .stdin(file(stdin))
        .output()
        .unwrap_or_else(|error| panic!("`{command}`: {error}: run scripts/setup"));
    Output {
        command,
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The caller's path and the directories of the system's tools, which a user's path lacks.
pub(super) fn path() -> String {
    format!("{}:/usr/local/sbin:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

/// A file rather than a pipe, so that writing never blocks, however little is read.
fn file(text: &str) -> Stdio {
    let mut file: File = tempfile::tempfile().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("to write the temporary file");
    file.rewind().expect("to rewind the temporary file");
    file.into()
}
