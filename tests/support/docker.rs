//! A real dockerd on a host of its own.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command};

use tempfile::TempDir;

use super::command::{Output, companion, output, path};
use super::wait::wait_if;
use super::{Namespace, busybox};

/// A dockerd with a containerd, containers and state of its own, in namespaces of its own: network
/// (the host's), mounts and processes. Whatever ends it ends everything that it started.
pub struct Docker {
    namespace: String,
    flags: Vec<String>,
    directory: TempDir,
    process: Option<Child>,
}

/// Hides the machine's own containerd and cgroup manager, and the state of any other dockerd.
///
/// containerd is not left to dockerd, which gives it 15 seconds to start and then gives up; a busy
/// machine takes longer. Its plugin for Kubernetes would only take time.
const SCRIPT: &str = r#"set -e
mount -t tmpfs tmpfs /run
cat >/run/containerd.toml <<END
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri"]
END
containerd --config /run/containerd.toml --root "$0" --state /run/containerd \
    --address /run/containerd.socket &
until [ -S /run/containerd.socket ]; do
    kill -0 $!
    sleep 0.1
done
exec dockerd --containerd /run/containerd.socket "$@"
"#;

impl Docker {
    /// The flags with which it writes rules for IPv6. Before Docker 27 this was an experiment.
    pub const IPV6: [&str; 4] =
        ["--experimental", "--ipv6", "--ip6tables", "--fixed-cidr-v6=fd00:db8::/64"];

    /// Starts dockerd with these flags on the host and waits until it answers.
    pub fn start(host: &Namespace, flags: &[&str]) -> Docker {
        assert!(nix::unistd::Uid::effective().is_root(), "dockerd needs root");
        let mut docker = Docker {
            namespace: host.path(),
            flags: flags.iter().map(ToString::to_string).collect(),
            directory: TempDir::with_prefix("dwnl-docker-").expect("a temporary directory"),
            process: None,
        };
        docker.launch();
        docker.import_image();
        docker
    }

    /// Stops dockerd and starts it again. Containers with `--restart=always` come back.
    pub fn restart(&mut self) {
        self.stop();
        self.launch();
    }

    /// `docker run` of a detached container whose name is `name` and whose `command` is run by the
    /// shell of busybox.
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
            .args(["-H", &self.address(), "--cgroup-parent", &self.cgroup()])
            .args(&self.flags)
            .env("PATH", path())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .unwrap_or_else(|error| panic!("dockerd: {error}: run tests/setup"));
        let process = self.process.insert(process);
        let answers = wait_if(|| {
            let has_ended = process.try_wait().expect("dockerd's state").is_some();
            let version = output(&["docker", "-H", &address(&self.directory), "version"], "");
            (has_ended || version.status.success()).then_some(!has_ended)
        });
        assert!(
            answers == Some(true),
            "dockerd does not answer (have you run tests/setup?):\n{}",
            fs::read_to_string(&log).unwrap_or_default()
        );
    }

    /// The image holds nothing but busybox.
    fn import_image(&self) {
        let (root, archive) = (self.file("root"), self.file("image.tar"));
        let bin = Path::new(&root).join("bin");
        fs::create_dir_all(&bin).expect("a directory");
        fs::copy(busybox(), bin.join("busybox")).expect("to copy busybox");
        for applet in ["cat", "nc", "sh", "sleep"] {
            symlink("busybox", bin.join(applet)).expect("a link");
        }
        output(&["tar", "-C", &root, "-cf", &archive, "."], "").succeeded();
        self.client(&["import", &archive, "image"]);
    }

    /// Asks dockerd to stop as an init system would, and waits until it has.
    fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let namespace = format!("--pid=/proc/{}/ns/pid_for_children", process.id());
        output(&["nsenter", &namespace, "sh", "-c", "kill -TERM 1"], "");
        if wait_if(|| process.try_wait().ok().flatten()).is_none() {
            let _ = process.kill().and_then(|()| process.wait());
        }
    }

    /// The directory's name is as unique as a cgroup's has to be.
    fn cgroup(&self) -> String {
        self.directory.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Removes the cgroup of the containers, which have ended: one of cgroup v2, or one a controller.
    fn remove_cgroup(&self) {
        let root = Path::new("/sys/fs/cgroup");
        let controllers = fs::read_dir(root).into_iter().flatten().flatten();
        for parent in controllers.map(|entry| entry.path()).chain([root.to_owned()]) {
            // Where there is none, none has to be removed.
            let _ = fs::remove_dir(parent.join(self.cgroup()));
        }
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
        self.remove_cgroup();
    }
}
