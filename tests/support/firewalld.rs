//! A real firewalld, whose reload flushes the tables of iptables.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use super::command::{Output, companion};
use super::namespace::Namespace;
use super::wait::wait_for;

/// A bus configuration that permits everything.
const BUS: &str = r#"<busconfig>
  <listen>unix:path=ADDRESS</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true"/>
    <allow receive_type="method_call"/>
    <allow receive_type="signal"/>
    <allow receive_requested_reply="true"/>
  </policy>
</busconfig>
"#;

/// A host's firewalld with its own message bus. Both are killed on drop.
pub struct Firewalld<'a> {
    host: &'a Namespace,
    processes: Vec<Child>,
    directory: TempDir,
}

impl Firewalld<'_> {
    /// Starts firewalld on the host and waits until it answers.
    pub fn start(host: &Namespace) -> Firewalld<'_> {
        let directory = TempDir::with_prefix("dwnl-firewalld-").expect("a temporary directory");
        let mut firewalld = Firewalld { host, processes: Vec::new(), directory };
        let [bus, config] = ["bus.conf", "etc"].map(|name| firewalld.path(name));
        let text = BUS.replace("ADDRESS", &firewalld.path("bus").to_string_lossy());
        fs::write(&bus, text).expect("to write");
        fs::create_dir(&config).expect("a directory");
        let [bus, config] = [bus, config].map(|path| path.to_string_lossy().into_owned());
        firewalld.spawn(&[
            "dbus-daemon",
            "--nofork",
            "--nopidfile",
            &format!("--config-file={bus}"),
        ]);
        wait_for("the bus", || firewalld.path("bus").exists().then_some(()));
        let log = firewalld.path("log").to_string_lossy().into_owned();
        firewalld.spawn(&[
            "firewalld",
            "--nofork",
            "--nopid",
            "--system-config",
            &config,
            "--log-file",
            &log,
        ]);
        wait_for("firewalld", || firewalld.call("--state").status.success().then_some(()));
        firewalld
    }

    /// `firewall-cmd --reload`; panics if it fails.
    #[track_caller]
    pub fn reload(&self) {
        self.call("--reload").succeeded();
    }

    /// Runs commands that call firewall-cmd; panics if one fails.
    #[track_caller]
    pub fn shell(&self, script: &str) {
        self.host.run(&["env", &self.address(), "sh", "-ec", script]);
    }

    /// The table of firewalld, as nft lists it.
    pub fn table(&self) -> String {
        self.host.run(&["nft", "list", "table", "inet", "firewalld"])
    }

    fn call(&self, request: &str) -> Output {
        self.host.try_run(&["env", &self.address(), "firewall-cmd", request], "")
    }

    fn spawn(&mut self, command: &[&str]) {
        let process = companion(&self.host.path())
            .args(["env", &self.address()])
            .args(command)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.processes.push(process.expect("nsenter"));
    }

    fn address(&self) -> String {
        format!("DBUS_SYSTEM_BUS_ADDRESS=unix:path={}", self.path("bus").display())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Firewalld<'_> {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill().and_then(|()| process.wait());
        }
    }
}
