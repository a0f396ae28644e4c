//! A real firewalld, whose reload empties the tables of iptables.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::process::Watch;
use super::support::{Namespace, apply, wait_for};
use super::{host, is_in_force, policy, wait_until_in_force};

/// Everybody who reaches the bus may do everything there.
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

/// A firewalld of its own for a host, with a message bus of its own. Both end with the value.
struct Firewalld {
    processes: Vec<Child>,
    directory: TempDir,
}

impl Firewalld {
    fn start(host: &Namespace) -> Firewalld {
        let directory = TempDir::with_prefix("dwnl-firewalld-").expect("a temporary directory");
        let mut firewalld = Firewalld { processes: Vec::new(), directory };
        let [bus, config] = ["bus.conf", "etc"].map(|name| firewalld.path(name));
        let text = BUS.replace("ADDRESS", &firewalld.path("bus").to_string_lossy());
        fs::write(&bus, text).expect("to write");
        fs::create_dir(&config).expect("a directory");
        let [bus, config] = [bus, config].map(|path| path.to_string_lossy().into_owned());
        firewalld.spawn(
            host,
            &["dbus-daemon", "--nofork", "--nopidfile", &format!("--config-file={bus}")],
        );
        wait_for("the bus", || firewalld.path("bus").exists().then_some(()));
        let log = firewalld.path("log").to_string_lossy().into_owned();
        firewalld.spawn(
            host,
            &["firewalld", "--nofork", "--nopid", "--system-config", &config, "--log-file", &log],
        );
        wait_for("firewalld", || firewalld.call(host, "--state").then_some(()));
        firewalld
    }

    /// Whether it does what it is asked for.
    fn call(&self, host: &Namespace, request: &str) -> bool {
        let command = ["env", &self.address(), "firewall-cmd", request];
        host.try_run(&command, "").status.success()
    }

    fn spawn(&mut self, host: &Namespace, command: &[&str]) {
        let process = Command::new("nsenter")
            .arg(format!("--net={}", host.path()))
            .args(["setpriv", "--pdeathsig", "KILL", "env", &self.address()])
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

impl Drop for Firewalld {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill().and_then(|()| process.wait());
        }
    }
}

#[test]
fn its_reload_is_repaired() {
    let (host, policy) = (host(), policy());
    let firewalld = Firewalld::start(&host);
    apply(&host, &policy);
    assert!(firewalld.call(&host, "--reload"));
    assert!(!is_in_force(&host, &policy), "no disturbance");

    let watch = Watch::start(&host, &policy);
    let zones = host.run(&["nft", "list", "table", "inet", "firewalld"]);
    for times in 1..=3 {
        assert!(firewalld.call(&host, "--reload"), "reload {times}");
        wait_until_in_force(&host, &policy, &format!("the repair after reload {times}"));
    }
    assert_eq!(host.run(&["nft", "list", "table", "inet", "firewalld"]), zones);
    watch.logged("repaired ip nat ");
    watch.logged("after process ip");
}
