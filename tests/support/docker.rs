//! A real dockerd on a host of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

use super::command::{Output, companion, output, path};
use super::slice::{Slice, remove_tree};
use super::wait::wait_if;
use super::{Namespace, image};

/// A dockerd with its own containerd, containers and state, in the host's network namespace and in
/// its own mount and PID namespaces. When it ends, everything that it started ends too.
pub struct Docker {
    namespace: String,
    flags: Vec<String>,
    directory: TempDir,
    process: Option<Child>,
    cgroup: Option<Slice>,
}

/// Hides the machine's own containerd and cgroup manager, and the state of any other dockerd.
///
/// containerd is started here, because dockerd waits only 15 seconds for its start, and a busy
/// machine takes longer. Its plugin for Kubernetes is disabled to save time.
///
/// With `SLICE`, the path of a cgroup, both run in services of that cgroup and see a host with
/// cgroup2 only. So does runc, which puts each container into a cgroup of its own below `SLICE`.
const SCRIPT: &str = r#"set -e
mount -t tmpfs tmpfs /run
if [ -n "$SLICE" ]; then
    umount -R /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
enter() {
    [ -z "$SLICE" ] || echo 0 >"/sys/fs/cgroup/$SLICE/$1/cgroup.procs"
}
cat >/run/containerd.toml <<END
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri"]
END
(
    enter containerd.service
    exec containerd --config /run/containerd.toml --root "$0" --state /run/containerd \
        --address /run/containerd.socket
) &
until [ -S /run/containerd.socket ]; do
    kill -0 $!
    sleep 0.1
done
enter docker.service
exec dockerd --containerd /run/containerd.socket "$@"
"#;

impl Docker {
    /// The flags that make dockerd write rules for IPv6, an experimental feature before Docker 27.
    pub const IPV6: [&str; 4] =
        ["--experimental", "--ipv6", "--ip6tables", "--fixed-cidr-v6=fd00:db8::/64"];

    /// Starts dockerd with these flags on the host and waits until it answers.
    pub fn start(host: &Namespace, flags: &[&str]) -> Docker {
        Docker::new(host, flags).started()
    }

    /// Starts dockerd as systemd would: its sockets, including those of docker-proxy, have the
    /// cgroup [`Docker::cgroup_path`], and those of each container a cgroup of their own.
    pub fn start_service(host: &Namespace, flags: &[&str]) -> Docker {
        let mut docker = Docker::new(host, flags);
        docker.cgroup = Some(docker.new_slice());
        docker.started()
    }

    fn new(host: &Namespace, flags: &[&str]) -> Docker {
        assert!(nix::unistd::Uid::effective().is_root(), "dockerd needs root");
        Docker {
            namespace: host.path(),
            flags: flags.iter().map(ToString::to_string).collect(),
            directory: TempDir::with_prefix("dwnl-docker-").expect("a temporary directory"),
            process: None,
            cgroup: None,
        }
    }

    fn started(mut self) -> Docker {
        self.launch();
        self.client(&["import", &image::archive(self.directory.path()), "image"]);
        self
    }

    /// Stops dockerd and starts it again. Containers with `--restart=always` are restarted.
    pub fn restart(&mut self) {
        self.stop();
        self.launch();
    }

    /// Restarts dockerd in a new cgroup with another ID, as if systemd had removed the old one.
    /// `before_start` runs in between, like `ExecStartPre=`, and finds the new cgroup.
    pub fn restart_in_new_cgroup(&mut self, before_start: impl FnOnce()) {
        self.stop();
        // The old cgroup must be removed before the new one can take its name.
        self.cgroup = None;
        self.cgroup = Some(self.new_slice());
        before_start();
        self.launch();
    }

    /// The path of the service's cgroup, from the root of the cgroup2 hierarchy.
    pub fn cgroup_path(&self) -> String {
        let cgroup = self.cgroup.as_ref().expect("a dockerd that was started as a service");
        format!("{}/docker.service", cgroup.name())
    }

    /// Runs a detached container `name`, whose `command` is executed by the shell of busybox.
    #[track_caller]
    pub fn run(&self, name: &str, options: &[&str], command: &str) {
        let run = ["run", "--detach", "--stop-signal=KILL", "--name", name];
        self.client(&[&run[..], options, &["image", "/bin/sh", "-c", command]].concat());
    }

    /// Runs the client and returns what it prints; panics if it fails.
    #[track_caller]
    pub fn client(&self, args: &[&str]) -> String {
        self.try_client(args).succeeded()
    }

    /// Runs the client.
    pub fn try_client(&self, args: &[&str]) -> Output {
        output(&[&["docker", "-H", &self.address()], args].concat(), "")
    }

    /// The network namespace of a container.
    pub fn namespace(&self, name: &str) -> Namespace {
        let key = self.client(&["inspect", "-f", "{{.NetworkSettings.SandboxKey}}", name]);
        let key = key.trim().replace("/var/run/", "/run/");
        let process = self.process.as_ref().expect("dockerd to run").id();
        Namespace::open(Path::new(&format!("/proc/{process}/root{key}")))
    }

    fn launch(&mut self) {
        let log = self.file("log");
        let stream = || File::options().create(true).append(true).open(&log).expect("a log");
        let process = companion(&self.namespace)
            .args(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", SCRIPT, &self.file("containerd")])
            .args(["--storage-driver=vfs", "--data-root", &self.file("data")])
            .args(["-H", &self.address(), "--cgroup-parent", &format!("/{}", self.slice())])
            .args(&self.flags)
            .env("PATH", path())
            .env("SLICE", self.cgroup.as_ref().map_or("", Slice::name))
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .unwrap_or_else(|error| panic!("dockerd: {error}: run scripts/setup"));
        let process = self.process.insert(process);
        let answers = wait_if(|| {
            let has_ended = process.try_wait().expect("dockerd's state").is_some();
            let version = output(&["docker", "-H", &address(&self.directory), "version"], "");
            (has_ended || version.status.success()).then_some(!has_ended)
        });
        assert!(
            answers == Some(true),
            "dockerd does not answer (have you run scripts/setup?):\n{}",
            fs::read_to_string(&log).unwrap_or_default()
        );
    }

    /// Stops dockerd as an init system would, and waits for its end.
    fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let namespace = format!("--pid=/proc/{}/ns/pid_for_children", process.id());
        output(&["nsenter", &namespace, "sh", "-c", "kill -TERM 1"], "");
        if wait_if(|| process.try_wait().ok().flatten()).is_none() {
            let _ = process.kill().and_then(|()| process.wait());
        }
    }

    /// The parent of the containers' cgroups, named after the unique temporary directory.
    fn slice(&self) -> String {
        self.directory.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn new_slice(&self) -> Slice {
        Slice::new(&self.slice(), &["docker.service", "containerd.service"])
    }

    /// Removes the parent of the containers' cgroups, which is empty by now: one in cgroup v2, or
    /// one for each controller.
    fn remove_slice(&self) {
        let root = Path::new("/sys/fs/cgroup");
        let entries = fs::read_dir(root).into_iter().flatten().flatten();
        let controllers = entries.filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir()));
        for parent in controllers.map(|entry| entry.path()).chain([root.to_owned()]) {
            remove_tree(&parent.join(self.slice()));
        }
    }

    /// The socket of the API.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn address(&self) -> String {
        address(&self.directory)
    }

    fn file(&self, name: &str) -> String {
        self.directory.path().join(name).to_string_lossy().into_owned()
    }
}

fn address(directory: &TempDir) -> String {
    format!("unix://{}", directory.path().join("socket").display())
}

impl Drop for Docker {
    fn drop(&mut self) {
        self.stop();
        self.cgroup = None;
        self.remove_slice();
    }
}
