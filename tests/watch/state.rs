//! The policy in force is stored.

use std::fs;
use std::path::{Path, PathBuf};

use super::metrics::value;
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

#[test]
fn a_watch_starts_with_the_last_valid_policy_if_the_file_has_errors() {
    let host = host();
    let (files, state) = files(&allowing(1));
    let state = state.to_string_lossy().into_owned();
    let first = Watch::start_with(&host, files, &["--state-dir", &state]);
    let files = first.killed();
    fs::write(files.policy(), "mistake").expect("to write");
    let socket = files.path("metrics").to_string_lossy().into_owned();
    let options = ["--fallback", "--state-dir", &state, "--metrics-socket", &socket];
    let watch = Watch::start_with(&host, files, &options);
    wait_until_in_force(&host, &allowing(1), "the last valid policy");
    watch.logged("error: policy has 1 error; applying the last valid policy instead, from ");
    watch.logged("policy.toml:1:8: ");
    let gauges =
        || ["dwnl_policy_current", "dwnl_policy_fallback"].map(|it| value(Path::new(&socket), it));
    assert_eq!(gauges(), [0.0, 1.0]);
    fs::write(watch.files().policy(), allowing(2)).expect("to write");
    wait_until_in_force(&host, &allowing(2), "the corrected policy");
    watch.logged("policy reloaded (errors fixed)");
    assert_eq!(gauges(), [1.0, 0.0]);
}
