//! A running `dwnl apply --confirm`.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Stdio};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::support::{Namespace, Output, companion, dwnl, wait_for, wait_if};

/// A trial with a terminal or without.
pub struct Trial<'a> {
    host: &'a Namespace,
    pub process: Child,
    /// The other side of its terminal.
    terminal: Option<File>,
    directory: TempDir,
}

/// What the process has as its standard input.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Input {
    Terminal,
    Nothing,
}

impl<'a> Trial<'a> {
    /// Starts a trial of this policy.
    pub fn launch(host: &'a Namespace, policy: &str, input: Input, options: &[&str]) -> Trial<'a> {
        let directory = TempDir::with_prefix("dwnl-confirm-").expect("a directory");
        let path = |name: &str| directory.path().join(name);
        fs::write(path("policy.toml"), policy).expect("to write the policy");
        let create = |name: &str| File::create(path(name)).expect("to create a file");
        let mut command = companion(&host.path());
        let mut terminal = None;
        if input == Input::Terminal {
            let (master, slave) = pty();
            command.args(["setsid", "--ctty"]).stdin(slave);
            terminal = Some(master);
        } else {
            command.stdin(Stdio::null());
        }
        let process = command
            .args([env!("CARGO_BIN_EXE_dwnl"), "apply", "-f"])
            .arg(path("policy.toml"))
            .args(options)
            .stdout(create("stdout"))
            .stderr(create("stderr"))
            .spawn()
            .expect("dwnl");
        // The slave side of the terminal is open in the process alone.
        drop(command);
        Trial { host, process, terminal, directory }
    }

    /// Starts a trial, and waits until the policy is on trial.
    #[track_caller]
    pub fn start(host: &'a Namespace, policy: &str, input: Input, options: &[&str]) -> Trial<'a> {
        let mut trial = Trial::launch(host, policy, input, options);
        wait_for("the trial", || {
            assert!(trial.is_running(), "{}", trial.text("stderr"));
            trial.text("stderr").contains("on trial for ").then_some(())
        });
        trial
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).expect("its output")
    }

    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().expect("its state").is_none()
    }

    /// Types something.
    pub fn types(&mut self, text: &str) {
        self.terminal.as_mut().expect("a terminal").write_all(text.as_bytes()).expect("to type");
    }

    /// Closes the terminal, as a lost connection does.
    pub fn close_terminal(&mut self) {
        self.terminal = None;
    }

    pub fn signal(&self, signal: Signal) {
        send(self.process.id(), signal);
    }

    /// The process ID of the guardian.
    pub fn guardian(&self) -> u32 {
        let refusal = dwnl(self.host, &["remove"], "").failed(1);
        let (_, id) = refusal.split_once("(guardian: process ").expect("a guardian");
        id.split(')').next().and_then(|id| id.parse().ok()).expect("a process ID")
    }

    /// Waits for the end of the process, and returns its exit status if it was not killed.
    pub fn ended(&mut self) -> Option<i32> {
        wait_for("the end", || self.process.try_wait().expect("its state")).code()
    }

    /// Asserts that the process ends with an error that contains this text.
    #[track_caller]
    pub fn fails(&mut self, text: &str) {
        assert_eq!(self.ended(), Some(1), "{}", self.text("stderr"));
        let errors = self.text("stderr");
        assert!(errors.contains(text), "{errors}");
        assert!(errors.contains("the previous rules are in force again"), "{errors}");
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}

/// Both sides of a terminal. Processes that are started meanwhile do not inherit them.
fn pty() -> (File, File) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY;
    let master = posix_openpt(flags | OFlag::O_CLOEXEC).expect("a terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("to unlock the terminal");
    let path = ptsname_r(&master).expect("its path");
    let mut options = File::options();
    options.read(true).write(true).custom_flags(libc::O_NOCTTY);
    let slave = options.open(path).expect("its other side");
    (File::from(OwnedFd::from(master)), slave)
}

pub fn send(process: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(process).expect("an ID")), signal).expect("to send a signal");
}

/// `dwnl confirm` or `dwnl rollback`.
pub fn answer(host: &Namespace, command: &str) -> Output {
    dwnl(host, &[command], "")
}

/// Whether a trial is pending.
pub fn is_pending(host: &Namespace) -> bool {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixStream};
    let address = SocketAddr::from_abstract_name("dwnl-confirm").expect("an address");
    host.inside(|| UnixStream::connect_addr(&address)).is_ok()
}

/// Waits until no trial is pending.
#[track_caller]
pub fn is_over(host: &Namespace) {
    wait_if(|| (!is_pending(host)).then_some(())).expect("the end of the trial");
}
