//! A host with a policy in `/etc/dwnl`, in a network and a mount namespace of its own.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

use super::golden::{self, Picture, compare};
use super::pty::on_terminal;
use super::support::{Topology, companion, udp, wait_for};

/// The policy. The large group is in `/etc/dwnl/cdn.txt`.
pub const POLICY: &str = "\
[sources]
proxies = [\"192.0.2.0/28\", \"2001:db8:10::/64\"]
office = [\"198.51.100.7\", \"203.0.113.10-203.0.113.20\"]
cdn = { file = \"cdn.txt\" }

[[allow]]
name = \"web\"
ports = [\"443\", \"443/udp\"]
from = [\"proxies\", \"cdn\"]

[[allow]]
name = \"api\"
ports = [\"8000-8100\"]

[[allow]]
name = \"metrics\"
ports = [\"9100\"]
from = [\"office\"]
in-interface = \"eth1\"
";

/// The rules of a Docker that publishes ports of a web server, of two programs and of a database.
const DOCKER: &str = "
table ip nat {
    chain PREROUTING { type nat hook prerouting priority dstnat; fib daddr type local jump DOCKER; }
    chain DOCKER {
        iifname != docker0 tcp dport 443 dnat to 172.17.0.2:443
        iifname != docker0 udp dport 443 dnat to 172.17.0.2:443
        iifname != docker0 tcp dport 8001 dnat to 172.17.0.3:80
        iifname != docker0 tcp dport 8003 dnat to 172.17.0.4:80
        iifname != docker0 udp dport 5432 dnat to 172.17.0.5:5432
    }
}
";

/// Hides the machine's files. There is no cgroup hierarchy, because kernels differ in what they can
/// match of it.
const MOUNTS: &str = "
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /etc
mount -t tmpfs tmpfs /var/lib
umount -lR /sys/fs/cgroup 2>/dev/null || true
mkdir -m 755 /etc/dwnl
mkdir -m 700 /var/lib/dwnl
echo root:x:0:0:root:/root:/bin/sh > /etc/passwd
touch /etc/dwnl/ready
exec sleep infinity
";

/// The host with its clients.
pub struct Stage {
    topology: Topology,
    /// It holds the mount namespace.
    holder: Child,
}

impl Stage {
    /// A host with the policy. Nothing is applied.
    pub fn new() -> Stage {
        let topology = Topology::new();
        let holder = companion(&topology.host.path())
            .args(["unshare", "-m", "sh", "-c", MOUNTS])
            .stdin(Stdio::null())
            .spawn()
            .expect("a process");
        let stage = Stage { topology, holder };
        wait_for("the mounts", || stage.path("ready").exists().then_some(()));
        let cdn: Vec<String> =
            (0..300).map(|n| format!("198.18.{}.{}", n / 250, n % 250)).collect();
        fs::write(stage.path("cdn.txt"), cdn.join("\n") + "\n").expect("to write");
        stage.write_policy(POLICY);
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/etc/dwnl/{name}", self.holder.id()))
    }

    /// Writes the policy file.
    pub fn write_policy(&self, text: &str) {
        fs::write(self.path("policy.toml"), text).expect("to write");
    }

    /// Removes the policy file.
    pub fn remove_policy(&self) {
        fs::remove_file(self.path("policy.toml")).expect("to remove");
    }

    /// Lets Docker publish its ports.
    pub fn publish(&self) {
        let host = &self.topology.host;
        host.run(&["ip", "link", "add", "docker0", "type", "bridge"]);
        host.run(&["ip", "address", "add", "172.17.0.1/16", "dev", "docker0"]);
        host.run(&["ip", "link", "set", "docker0", "up"]);
        host.run(&["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
        host.try_run(&["nft", "-f", "-"], DOCKER).succeeded();
    }

    /// A command on the host.
    fn command(&self, args: &[&str]) -> Command {
        let id = self.holder.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["-t", &id, "-m", "-n", "--"]).args(args).stdin(Stdio::null());
        command
    }

    /// Runs a command on the host; panics if it fails.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Vec<u8> {
        let output = self.command(args).output().expect("the command");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn arguments(words: &str) -> Vec<&str> {
        let mut args = vec![env!("CARGO_BIN_EXE_dwnl")];
        args.extend(words.split(' '));
        if ["apply", "status", "watch"].contains(&args[1]) {
            args.extend(["--state-dir", "/var/lib/dwnl"]);
        }
        args
    }

    /// Runs dwnl; panics if it fails.
    #[track_caller]
    pub fn dwnl(&self, words: &str) -> Vec<u8> {
        self.run(&Stage::arguments(words))
    }

    /// Starts a watch, and waits until the policy is in force.
    pub fn watch(&self) -> Watch {
        let mut command = self.command(&Stage::arguments("watch"));
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let watch = Watch(process.expect("dwnl"));
        wait_for("the watch", || self.status()["watch"]["started_at"].as_str().map(|_| ()));
        watch
    }

    /// Removes a rule, and waits until the watch has repaired it.
    pub fn disturb(&self) {
        self.run(&["nft", "flush chain ip nat DOCKER-BLOCK"]);
        wait_for("the repair", || self.status()["watch"]["last_repair"].is_object().then_some(()));
    }

    fn status(&self) -> Value {
        serde_json::from_slice(&self.dwnl("status --json")).expect("JSON")
    }

    /// Sends datagrams to the host, each of a flow of its own.
    pub fn send(&self, source: &str, port: u16, flows: usize) {
        for _ in 0..flows {
            udp(&self.topology.client, source, Topology::HOST, port);
        }
    }

    /// Does something while datagrams are sent to the host.
    pub fn while_sending(&self, source: &str, port: u16, action: impl FnOnce()) {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let _stop = SetOnDrop(&done);
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    self.send(source, port, 1);
                }
            });
            action();
        });
    }

    /// Compares what dwnl prints on a terminal with what is expected.
    #[track_caller]
    pub fn expect(&self, name: &str, words: &str, picture: Picture) {
        let print = |has_colour| on_terminal(self.command(&Stage::arguments(words)), has_colour);
        // What changes something does so once.
        let is_once = ["apply", "remove"].contains(&words);
        let coloured = print(true);
        let plain = if is_once { golden::unstyled(&coloured) } else { print(false) };
        compare(name, words, [plain, coloured], picture);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.holder.kill().and_then(|()| self.holder.wait());
    }
}

/// Ends a loop, also when the test fails.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A running watch.
pub struct Watch(Child);

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}
