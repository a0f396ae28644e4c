//! `dwnl rollback` without a trial, and which policies a trial stores.

use std::fs;

use tempfile::TempDir;

use super::support::{Files, Output, Watch, dwnl};
use super::trial::{Input, Trial, answer};
use super::{OLD, host, new, new_ruleset, ruleset};

/// Runs a command with this state directory.
fn run(host: &super::Namespace, state: &TempDir, args: &[&str], policy: &str) -> Output {
    let state = state.path().to_string_lossy().into_owned();
    dwnl(host, &[args, &["--state-dir", &state]].concat(), policy)
}

fn stored(state: &TempDir, name: &str) -> Option<String> {
    fs::read_to_string(state.path().join(name)).ok()
}

#[test]
fn a_rollback_returns_to_the_previous_policy() {
    let (host, state) = (host(), TempDir::new().expect("a directory"));
    let old = ruleset(&host);
    let rollback = || run(&host, &state, &["rollback"], "");
    assert!(rollback().failed(1).contains("no previous policy is stored"));
    run(&host, &state, &["apply", "-f", "-"], OLD).succeeded();
    assert!(rollback().failed(1).contains("no previous policy is stored"));
    run(&host, &state, &["apply", "-f", "-"], &new()).succeeded();
    let output = rollback();
    assert!(output.stderr.contains("is unchanged: the next apply of it"), "{output}");
    assert!(output.succeeded().contains("\napplied: "));
    assert_eq!(ruleset(&host), old);
    rollback().succeeded();
    assert_eq!(ruleset(&host), new_ruleset());
}

#[test]
fn a_rollback_refuses_while_a_watch_runs() {
    let host = host();
    let _watch = Watch::start_with(&host, Files::new(OLD), &[]);
    let errors = dwnl(&host, &["rollback"], "").failed(1);
    assert!(errors.contains("change its policy instead, or stop it first"), "{errors}");
}

#[test]
fn only_a_confirmed_policy_is_stored() {
    let (host, state) = (host(), TempDir::new().expect("a directory"));
    run(&host, &state, &["apply", "-f", "-"], OLD).succeeded();
    let before = stored(&state, "policy.applied");
    let directory = state.path().to_string_lossy().into_owned();
    let options = ["--confirm", "10m", "--state-dir", &directory];
    let mut trial = Trial::start(&host, &new(), Input::Nothing, &options);
    answer(&host, "rollback").succeeded();
    trial.fails("rolled back");
    assert_eq!(stored(&state, "policy.applied"), before);
    assert_eq!(stored(&state, "policy.previous"), None);
    let mut trial = Trial::start(&host, &new(), Input::Nothing, &options);
    answer(&host, "confirm").succeeded();
    assert_eq!(trial.ended(), Some(0));
    assert_eq!(stored(&state, "policy.previous"), before);
}

#[test]
fn through_a_watch_the_last_valid_policy_stays_in_force() {
    let host = host();
    let watch = Watch::start_with(&host, Files::new(OLD), &[]);
    let file = watch.files().policy();
    fs::write(&file, "x").expect("to write");
    let old = ruleset(&host);
    let file = file.to_string_lossy();
    let errors = dwnl(&host, &["apply", "--fallback", "-f", &file], "").failed(4);
    assert!(errors.contains("policy.toml:1:"), "{errors}");
    dwnl(&host, &["apply", "-f", &file], "").failed(2);
    assert_eq!(ruleset(&host), old);
}
