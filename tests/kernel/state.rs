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
    let files = fs::read_dir(host.state.path()).expect("the directory");
    let names = files.map(|it| it.expect("a file").file_name().into_string().expect("a name"));
    let mut names: Vec<String> = names.filter(|name| name != "sets.known").collect();
    names.sort();
    assert_eq!(names, ["policy.applied", "policy.previous", "policy.stamp"]);
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

#[test]
fn a_policy_with_errors_falls_back_to_the_last_valid_one() {
    let host = Host::new();
    host.apply(&allowing(1));
    let stored = host.stored("policy.applied");
    dwnl(&host.host, &["remove"], "").succeeded();
    let rules = || host.host.run(&["iptables", "-t", "nat", "-S", "DOCKER-BLOCK"]);
    let output = host.run(&["apply", "--fallback", "--json"], "mistake");
    assert_eq!(output.status.code(), Some(4), "{output}");
    let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!((&report["is_fallback"], &report["has_changes"]), (&true.into(), &true.into()));
    assert!(output.stderr.contains("\n<stdin>:1:8: "), "{output}");
    let sentence = "error: policy has 1 error; applying the last valid policy instead, from -, first \
                    applied 20";
    assert!(output.stderr.contains(sentence), "{output}");
    assert!(rules().contains("--dport 1 "), "{}", rules());
    assert_eq!(host.stored("policy.applied"), stored);
    let report = host.run(&["apply", "--fallback", "--json"], &allowing(2)).succeeded();
    assert!(report.contains(r#""is_fallback":false"#), "{report}");
    assert!(rules().contains("--dport 2 "), "{}", rules());
}

#[test]
fn without_a_last_valid_policy_nothing_is_applied() {
    let host = Host::new();
    let refuses = |reason: &str| {
        let output = host.run(&["apply", "--fallback"], "mistake");
        assert_eq!(output.status.code(), Some(2), "{output}");
        let warning = "warning: cannot apply the last valid policy instead: ";
        assert!(output.stderr.contains(warning) && output.stderr.contains(reason), "{output}");
        assert!(output.stderr.contains("<stdin>:1:8: "), "{output}");
        assert_eq!(host.host.run(&["iptables-save"]), "");
    };
    refuses("none is stored yet");
    fs::write(host.state.path().join("policy.applied"), allowing(1)).expect("to write");
    refuses("policy.applied: not a stored policy");
    fs::set_permissions(host.state.path(), fs::Permissions::from_mode(0o777)).expect("the mode");
    refuses("every user may write to the directory");
}

#[test]
fn the_status_compares_the_stored_policy_with_the_file_and_the_kernel() {
    let host = Host::new();
    let file = host.state.path().join("policy.toml");
    let (path, state) = (file.to_string_lossy(), host.state.path().to_string_lossy());
    let run = |args: &[&str]| {
        dwnl(&host.host, &[args, &["--state-dir", &state]].concat(), "").succeeded()
    };
    let status = || serde_json::from_str::<Value>(&run(&["status", "--json"])).expect("JSON");
    let text = |part: &str| {
        let text = run(&["status"]);
        assert!(text.contains(part), "{part} is not in\n{text}");
    };
    text("policy:    none is stored\n");
    fs::write(&file, allowing(1)).expect("to write");
    run(&["apply", "-f", &path]);
    fs::write(&file, allowing(2)).expect("to write");
    run(&["apply", "-f", &path]);
    text("policy:    in force since 20");
    text(&format!("from {path}, by dwnl apply as "));
    text(": current\nwatch:     none is running");
    text("\nkernel:    in sync: ");
    text("\nprevious:  applied 20");
    let found = status();
    assert_eq!(found["applied"]["source"], *path);
    assert_eq!(
        (&found["file"]["state"], &found["kernel"]["is_in_sync"]),
        (&"current".into(), &true.into())
    );
    fs::write(&file, allowing(3)).expect("to write");
    host.host.run(&["iptables", "-t", "nat", "-F", "DOCKER-BLOCK"]);
    text(": changed since, and not applied\n");
    text("\nkernel:    differs from the policy: ");
    fs::write(&file, "mistake").expect("to write");
    text("policy.toml: 1 error, so the last valid policy is the one above\n");
    let found = status();
    assert_eq!(
        (&found["file"]["state"], &found["file"]["error_count"]),
        (&"invalid".into(), &1.into())
    );
    assert_eq!(found["kernel"]["is_in_sync"], false);
    let damaged = fs::read(host.state.path().join("policy.applied")).expect("the file");
    fs::write(host.state.path().join("policy.applied"), &damaged[1..]).expect("to write");
    let warning = status()["warnings"][0].as_str().map(ToOwned::to_owned);
    assert!(warning.is_some_and(|it| it.starts_with("cannot read the state: ")));
}
