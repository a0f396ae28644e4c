//! The policy in force is stored.

use std::fs;
use std::path::PathBuf;

use super::support::{Files, Watch, wait_if};
use super::{host, wait_until_in_force};

fn allowing(port: u16) -> String {
    format!("[[allow]]\nports = [\"{port}/tcp\"]\n")
}

/// The files of a watch with this policy, and its state directory.
fn files(policy: &str) -> (Files, PathBuf) {
    let files = Files::new(policy);
    let state = files.path("state");
    fs::create_dir(&state).expect("a directory");
    (files, state)
}

#[test]
fn each_policy_that_is_put_in_force_is_stored() {
    let host = host();
    let (files, state) = files(&allowing(1));
    let watch = Watch::start_with(&host, files, &["--state-dir", &state.to_string_lossy()]);
    let stored = |name: &str| fs::read_to_string(state.join(name)).unwrap_or_default();
    assert!(stored("policy.applied").ends_with(&allowing(1)), "{}", stored("policy.applied"));
    fs::write(watch.files().policy(), allowing(2)).expect("to write");
    wait_until_in_force(&host, &allowing(2), "the new policy");
    let is_stored = || stored("policy.applied").ends_with(&allowing(2)).then_some(());
    wait_if(is_stored).expect("to be stored");
    assert!(stored("policy.previous").ends_with(&allowing(1)));
}

#[test]
fn a_policy_that_cannot_be_stored_is_in_force_and_reported() {
    let host = host();
    let files = Files::new(&allowing(1));
    let state = files.path("missing");
    let watch = Watch::start_with(&host, files, &["--state-dir", &state.to_string_lossy()]);
    wait_until_in_force(&host, &allowing(1), "the policy");
    watch.logged("cannot store the policy: ");
}
