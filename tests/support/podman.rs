//! A real podman on a host of its own.

use std::process::{Child, Stdio};

use tempfile::TempDir;

use super::command::{Output, companion, path};
use super::slice::Slice;
use super::wait::wait_for;
use super::{Namespace, image};

/// A podman with its own storage, state and containers, in the host's network namespace and in its
/// own mount and PID namespaces. When it ends, everything that it started ends too.
pub struct Podman<'a> {
    host: &'a Namespace,
    /// The process that keeps the namespaces open.
    holder: Child,
    directory: TempDir,
    slice: Slice,
}

/// Hides the machine's own containers, addresses and cgroups.
const SCRIPT: &str = r#"set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
touch "$0"
exec sleep infinity
"#;

impl Podman<'_> {
    /// Creates the namespaces and the image. podman adds its rules with the first container.
    pub fn new(host: &Namespace) -> Podman<'_> {
        let directory = TempDir::with_prefix("dwnl-podman-").expect("a temporary directory");
        let name = directory.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let slice = Slice::new(&name, &[]);
        let ready = directory.path().join("ready");
        let holder = companion(&host.path())
            .args(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", SCRIPT])
            .arg(&ready)
            .env("PATH", path())
            .stdin(Stdio::null())
            .spawn()
            .expect("nsenter");
        let podman = Podman { host, holder, directory, slice };
        wait_for("podman's namespaces", || ready.exists().then_some(()));
        let archive = image::archive(podman.directory.path());
        podman.client(&["import", "--quiet", &archive, "image"]);
        podman
    }

    /// Runs a detached container `name`, whose `command` is executed by the shell of busybox.
    #[track_caller]
    pub fn run(&self, name: &str, options: &[&str], command: &str) {
        let parent = format!("--cgroup-parent=/{}", self.slice.name());
        // cgroup2 may lack controllers, if the machine uses them in cgroup v1.
        let run = ["run", "--detach", "--pids-limit=-1", &parent, "--name", name];
        self.client(&[&run[..], options, &["image", "/bin/sh", "-c", command]].concat());
    }

    /// Runs podman and returns what it prints; panics if it fails.
    #[track_caller]
    pub fn client(&self, args: &[&str]) -> String {
        self.try_client(args).succeeded()
    }

    fn try_client(&self, args: &[&str]) -> Output {
        let namespaces = format!("/proc/{}/ns", self.holder.id());
        let mounts = format!("--mount={namespaces}/mnt");
        let processes = format!("--pid={namespaces}/pid_for_children");
        let file = |name: &str| self.directory.path().join(name).to_string_lossy().into_owned();
        let [storage, state, run, networks] = ["storage", "state", "run", "networks"].map(file);
        let own = ["--root", &storage, "--runroot", &run, "--tmpdir", &state];
        let own = [&own[..], &["--network-config-dir", &networks]].concat();
        let choices =
            ["--cgroup-manager=cgroupfs", "--events-backend=file", "--storage-driver=vfs"];
        let enter = ["nsenter", &mounts, &processes, "podman"];
        self.host.try_run(&[&enter[..], &own, &choices, args].concat(), "")
    }
}

impl Drop for Podman<'_> {
    fn drop(&mut self) {
        // When the first process of a PID namespace ends, the kernel ends all others.
        let _ = self.holder.kill().and_then(|()| self.holder.wait());
    }
}
