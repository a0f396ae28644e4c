//! `--base-dir`, for programs that check a policy before they put it in its place, and `--as-service`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::support::output;
use super::{LISTED, dwnl, text};

/// A directory with a policy and its list that every user can read, in a place that the services see.
fn site() -> (TempDir, PathBuf) {
    let directory = TempDir::with_prefix_in("dwnl-service-", "/var/lib").expect("a directory");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("to change it");
    let policy = directory.path().join("policy.toml");
    fs::write(&policy, LISTED).expect("a policy");
    fs::write(directory.path().join("list.txt"), "192.0.2.1\n").expect("a list");
    (directory, policy)
}

#[test]
fn lists_are_relative_to_the_base_directory() {
    let (directory, policy) = site();
    let elsewhere = TempDir::new().expect("a directory");
    let copy = elsewhere.path().join("tmpabcd");
    fs::copy(&policy, &copy).expect("to copy it");
    let errors = dwnl(&["check", "-f", text(&copy)]).failed(2);
    assert!(errors.contains("list.txt`: no such file"), "{errors}");
    let base = text(directory.path());
    for args in [["check", "--base-dir", base], ["--base-dir", base, "check"]] {
        let output = dwnl(&[&args[..], &["-f", text(&copy)]].concat()).succeeded();
        assert!(output.ends_with("1 entry, 1 source, no errors\n"), "{output}");
    }
    let errors = dwnl(&["show", "--base-dir", "/etc"]).failed(2);
    assert!(errors.contains("--base-dir"), "{errors}");
}

#[test]
fn files_that_the_services_cannot_read_are_reported() {
    let (directory, policy) = site();
    let check = || dwnl(&["check", "--as-service", "nobody", "-f", text(&policy)]);
    check().succeeded();
    let list = directory.path().join("list.txt");
    fs::set_permissions(&list, Permissions::from_mode(0o600)).expect("to change it");
    let errors = check().failed(2);
    assert!(errors.contains("cannot read source file"), "{errors}");
    assert!(errors.contains("list.txt`: permission denied"), "{errors}");
    fs::set_permissions(&list, Permissions::from_mode(0o644)).expect("to change it");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).expect("to change it");
    let errors = check().failed(2);
    assert!(errors.contains("policy.toml: permission denied"), "{errors}");
    dwnl(&["check", "-f", text(&policy)]).succeeded();
}

#[test]
fn files_that_the_sandbox_hides_are_reported() {
    let (directory, policy) = site();
    let hidden = TempDir::new_in("/tmp").expect("a directory");
    fs::set_permissions(hidden.path(), Permissions::from_mode(0o755)).expect("to change it");
    let (list, target) = (directory.path().join("list.txt"), hidden.path().join("list.txt"));
    fs::rename(&list, &target).or_else(|_| fs::copy(&list, &target).map(|_| ())).expect("a copy");
    let _ = fs::remove_file(&list);
    std::os::unix::fs::symlink(&target, &list).expect("a link");
    let errors = dwnl(&["check", "--as-service", "nobody", "-f", text(&policy)]).failed(2);
    assert!(errors.contains("PrivateTmp=yes hides /tmp from the services"), "{errors}");
    dwnl(&["check", "-f", text(&policy)]).succeeded();
}

#[test]
fn the_user_of_the_services_must_exist_and_be_reachable() {
    let (_directory, policy) = site();
    let errors = dwnl(&["check", "--as-service", "no-such-user", "-f", text(&policy)]).failed(1);
    assert!(errors.contains("user no-such-user does not exist"), "{errors}");
    let setpriv = ["setpriv", "--reuid=12345", "--clear-groups", "--regid=12345"];
    // The binary may be in a directory that only root can enter.
    let copy = TempDir::new_in("/var/lib").expect("a directory");
    fs::set_permissions(copy.path(), Permissions::from_mode(0o755)).expect("to change it");
    let binary = copy.path().join("dwnl");
    // Another process makes the copy: other threads of this one would pass the open file to their
    // children, and a file that is open for writing cannot be executed.
    output(&["cp", env!("CARGO_BIN_EXE_dwnl"), text(&binary)], "").succeeded();
    let arguments = [text(&binary), "check", "--as-service", "nobody", "-f", text(&policy)];
    let output = output(&[&setpriv[..], &arguments].concat(), "").failed(1);
    assert!(output.contains("cannot become user nobody: run dwnl as root"), "{output}");
}
