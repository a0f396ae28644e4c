//! Files that are not regular, that others can change, or that have been replaced.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::support::output;
use super::{LISTED, dwnl, text};

/// A directory with a policy that names a list, and the paths of both.
fn site() -> (TempDir, PathBuf, PathBuf) {
    let directory = TempDir::new().expect("a directory");
    let path = |name| directory.path().join(name);
    let (policy, list) = (path("policy.toml"), path("list.txt"));
    fs::write(&policy, LISTED).expect("a policy");
    fs::write(&list, "192.0.2.1\n").expect("a list");
    (directory, policy, list)
}

#[test]
fn a_fifo_or_device_is_refused_at_once() {
    let (_directory, policy, list) = site();
    for what in ["FIFO", "device"] {
        fs::remove_file(&list).expect("to remove it");
        match what {
            "FIFO" => mkfifo(&list, Mode::S_IRWXU).expect("a FIFO"),
            _ => symlink("/dev/zero", &list).expect("a link"),
        }
        for command in ["check", "rules", "plan", "apply"] {
            let errors = dwnl(&[command, "-f", text(&policy)]).failed(2);
            assert!(errors.contains(&format!("it is a {what}, not a regular file")), "{errors}");
            assert!(errors.contains("help: a source file must be a regular file"), "{errors}");
            let errors = dwnl(&[command, "-f", text(&list)]).failed(2);
            assert!(errors.contains("or pass it to standard input: `-f -`"), "{errors}");
        }
    }
}

#[test]
fn a_file_with_other_writers_is_warned_of() {
    let (directory, policy, list) = site();
    fs::set_permissions(&list, Permissions::from_mode(0o666)).expect("to change the mode");
    let warnings = dwnl(&["check", "-f", text(&policy)]).stderr;
    assert!(warnings.starts_with("warning: "), "{warnings}");
    assert!(warnings.contains("list.txt: other users can write to the file (mode 0666)"));
    assert!(warnings.contains("help: run `chmod go-w` on it"), "{warnings}");
    fs::set_permissions(&list, Permissions::from_mode(0o644)).expect("to change the mode");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).expect("to change it");
    let warnings = dwnl(&["check", "-f", text(&policy)]).stderr;
    assert_eq!(warnings.matches("other users can replace the file").count(), 2, "{warnings}");
}

/// A container keeps the old content of a file that is mounted by itself and replaced on the host.
#[test]
fn a_file_that_was_replaced_below_a_bind_mount_is_warned_of() {
    let (directory, policy, list) = site();
    let outside = directory.path().join("outside.txt");
    fs::write(&outside, "192.0.2.2\n").expect("a list");
    let script = "mount --bind \"$1\" \"$2\"; echo 192.0.2.3 >\"$1.new\"; mv \"$1.new\" \"$1\"
                  exec \"$3\" check -f \"$4\"";
    let dwnl = env!("CARGO_BIN_EXE_dwnl");
    let script = ["unshare", "-rm", "sh", "-ec", script, "sh"];
    let output =
        output(&[&script[..], &[text(&outside), text(&list), dwnl, text(&policy)]].concat(), "");
    assert!(output.status.success(), "{output}");
    let message = "list.txt: the file has been deleted or replaced, and this is its old content";
    assert!(output.stderr.contains(message), "{output}");
    assert!(output.stderr.contains("mounts this single file, mount its directory"), "{output}");
}
