//! A running `dwnl watch`, with the files that it watches.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{Namespace, companion, wait_for, wait_if};

/// Maximum time until a notification, far longer than any takes.
const NOTIFY_TIMEOUT: Duration = Duration::from_secs(60);

/// `dwnl watch` in a namespace, with a socket in the role of its service manager.
pub struct Watch {
    process: Child,
    files: Files,
}

/// The files of a watch: the policy, the log, and the sockets.
pub struct Files {
    directory: TempDir,
    notifications: UnixDatagram,
}

impl Files {
    /// A directory with a policy.
    pub fn new(policy: &str) -> Files {
        let directory = TempDir::with_prefix("dwnl-watch-").expect("a temporary directory");
        fs::create_dir(directory.path().join("etc")).expect("a directory");
        let notifications = notifications(&directory.path().join("notify"));
        let files = Files { directory, notifications };
        fs::write(files.policy(), policy).expect("to write the policy");
        files
    }

    /// The policy's path.
    pub fn policy(&self) -> PathBuf {
        self.etc("policy.toml")
    }

    /// The path of a file in the directory of the policy.
    pub fn etc(&self, name: &str) -> PathBuf {
        self.path("etc").join(name)
    }

    /// Recreates the service manager's socket, as after a restart of the manager.
    fn listen_again(&mut self) {
        let path = self.path("notify");
        fs::remove_file(&path).expect("to remove a socket");
        self.notifications = notifications(&path);
    }

    /// The path of a file that is not watched.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts `dwnl watch` with these options and environment variables.
    pub fn launch(self, host: &Namespace, options: &[&str], variables: &[(&str, &str)]) -> Watch {
        self.launch_through(&[], host, options, variables)
    }

    /// [`Files::launch`] through this command, which runs another one.
    pub fn launch_through(
        self,
        command: &[String],
        host: &Namespace,
        options: &[&str],
        variables: &[(&str, &str)],
    ) -> Watch {
        let log = File::options().create(true).append(true).open(self.path("log")).expect("a log");
        let events = File::options().create(true).append(true).open(self.path("events"));
        let process = companion(&host.path())
            .args(command)
            .args([env!("CARGO_BIN_EXE_dwnl"), "watch", "-f"])
            .arg(self.policy())
            .args(options)
            .env("NOTIFY_SOCKET", self.path("notify"))
            .envs(variables.iter().copied())
            .stderr(log)
            .stdout(events.expect("a file"))
            .spawn()
            .expect("dwnl");
        Watch { process, files: self }
    }
}

fn notifications(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).expect("a Unix socket");
    socket.set_read_timeout(Some(NOTIFY_TIMEOUT)).expect("a time-out");
    socket
}

impl Watch {
    /// Starts a watch, and waits until the policy is in force on the host.
    pub fn start(host: &Namespace, policy: &str) -> Watch {
        Watch::start_with(host, Files::new(policy), &[])
    }

    /// [`Watch::start`] with these files and options.
    pub fn start_with(host: &Namespace, files: Files, options: &[&str]) -> Watch {
        let watch = files.launch(host, options, &[]);
        watch.notified("READY=1");
        watch
    }

    /// [`Watch::start`] with a socket for metrics.
    pub fn start_with_socket(host: &Namespace, policy: &str) -> (Watch, PathBuf) {
        let files = Files::new(policy);
        let socket = files.path("metrics");
        let options = ["--metrics-socket", &socket.to_string_lossy()];
        (Watch::start_with(host, files, &options), socket)
    }

    /// Waits for a notification with this line and returns it.
    #[track_caller]
    pub fn notified(&self, line: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = self.files.notifications.recv(&mut buffer);
            let length = length.unwrap_or_else(|error| panic!("{line}: {error}: {}", self.log()));
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.lines().any(|other| other == line) {
                return text;
            }
        }
    }

    /// Simulates a restart of the service manager.
    pub fn restart_manager(&mut self) {
        self.files.listen_again();
    }

    /// What has been logged so far.
    pub fn log(&self) -> String {
        let path = self.files.path("log");
        let log = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path);
        let mut log = log.expect("the log");
        let mut text = Vec::new();
        // An empty pipe returns EAGAIN, which ends the read.
        let _ = log.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Waits until a text has been logged this many times.
    #[track_caller]
    pub fn logged_times(&self, text: &str, times: usize) {
        let logged = || (self.log().matches(text).count() >= times).then_some(());
        wait_if(logged).unwrap_or_else(|| panic!("`{text}` is not in the log:\n{}", self.log()));
    }

    /// Waits until a text has been logged.
    #[track_caller]
    pub fn logged(&self, text: &str) {
        self.logged_times(text, 1);
    }

    /// Its files.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Its process ID.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A field of `/proc/PID/status`.
    pub fn status(&self, field: &str) -> String {
        let path = format!("/proc/{}/status", self.id());
        let status = fs::read_to_string(Path::new(&path)).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
        line.unwrap_or_else(|| panic!("no {field} in {status}")).trim().to_owned()
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).expect("a process");
        kill(Pid::from_raw(id), signal).expect("to send a signal");
    }

    /// Waits until the process has ended.
    pub fn ended(&mut self) -> ExitStatus {
        wait_for("dwnl's end", || self.process.try_wait().expect("its state"))
    }

    /// Kills the process and returns its files.
    pub fn killed(mut self) -> Files {
        self.process.kill().expect("to kill it");
        self.ended();
        let fresh = Files::new("");
        std::mem::replace(&mut self.files, fresh)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().expect("its state").is_none()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}
