//! The applied policy and the one before it are stored.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::support::{Namespace, Output, dwnl};

fn allowing(port: u16) -> String {
    format!("[[allow]]\nports = [\"{port}/tcp\"]\n")
}

/// A network namespace with a state directory.
struct Host {
    host: Namespace,
    state: TempDir,
}

impl Host {
    fn new() -> Host {
        let state = TempDir::with_prefix("dwnl-state-").expect("a temporary directory");
        Host { host: Namespace::new(), state }
    }

    fn run(&self, args: &[&str], policy: &str) -> Output {
        let state = self.state.path().to_string_lossy().into_owned();
        dwnl(&self.host, &[args, &["-f", "-", "--state-dir", &state]].concat(), policy)
    }

    fn apply(&self, policy: &str) -> Value {
        let output = self.run(&["apply", "--json"], policy).succeeded();
        serde_json::from_str(&output).expect("JSON")
    }

    fn stored(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.state.path().join(name)).ok()
    }
}

#[track_caller]
fn assert_holds(stored: Option<String>, port: u16) {
    let stored = stored.expect("a stored policy");
    assert!(stored.ends_with(&format!("\n\n{}", allowing(port))), "{stored}");
}

#[test]
fn the_applied_and_the_previous_policy_are_stored() {
    let host = Host::new();
    host.apply(&allowing(1));
    assert_holds(host.stored("policy.applied"), 1);
    assert_eq!(host.stored("policy.previous"), None);
    host.apply(&allowing(2));
    host.apply(&allowing(2));
    assert_holds(host.stored("policy.applied"), 2);
    assert_holds(host.stored("policy.previous"), 1);
    // The stored file is itself a policy.
    let path = host.state.path().join("policy.previous");
    dwnl(&host.host, &["check", "-f", &path.to_string_lossy()], "").succeeded();
    assert_eq!(fs::read_dir(host.state.path()).expect("the directory").count(), 2);
}

#[test]
fn a_policy_that_is_not_applied_is_not_stored() {
    let host = Host::new();
    host.apply(&allowing(1));
    assert_eq!(host.run(&["apply"], "mistake").status.code(), Some(2));
    assert_holds(host.stored("policy.applied"), 1);
    assert_eq!(host.stored("policy.previous"), None);
}

#[test]
fn the_policy_is_applied_even_if_it_cannot_be_stored() {
    let host = Host::new();
    let warning = |report: &Value| report["warnings"][0].as_str().map(ToOwned::to_owned);
    fs::set_permissions(host.state.path(), fs::Permissions::from_mode(0o777)).expect("the mode");
    let found = warning(&host.apply(&allowing(1))).expect("a warning");
    assert!(found.starts_with("policy applied, but it could not be stored: "), "{found}");
    assert!(found.ends_with("every user may write to the directory"), "{found}");
    fs::set_permissions(host.state.path(), fs::Permissions::from_mode(0o700)).expect("the mode");
    fs::create_dir(host.state.path().join(".policy.applied.new")).expect("a directory");
    let found = warning(&host.apply(&allowing(1))).expect("a warning");
    assert!(found.contains("policy.applied: "), "{found}");
}

#[test]
fn links_in_the_state_directory_are_not_followed() {
    let host = Host::new();
    let victim = TempDir::new().expect("a directory");
    let victim = victim.path().join("victim");
    fs::write(&victim, "precious").expect("to write");
    for name in ["policy.applied", ".policy.applied.new", ".policy.previous.new"] {
        symlink(&victim, host.state.path().join(name)).expect("a link");
    }
    host.apply(&allowing(1));
    host.apply(&allowing(2));
    assert_eq!(fs::read_to_string(&victim).expect("the victim"), "precious");
    assert_holds(host.stored("policy.applied"), 2);
    assert_holds(host.stored("policy.previous"), 1);
}

#[test]
fn another_network_namespace_has_no_state() {
    let host = Namespace::new();
    let before = fs::read_to_string("/var/lib/dwnl/policy.applied").ok();
    dwnl(&host, &["apply", "-f", "-"], &allowing(1)).succeeded();
    assert_eq!(fs::read_to_string("/var/lib/dwnl/policy.applied").ok(), before);
    assert!(before.is_some() || !Path::new("/var/lib/dwnl/policy.applied").exists());
}
