//! A host that publishes a container's port as Docker does, and looks names up at a server on it.

use std::path::PathBuf;

use tempfile::TempDir;

use super::support::{
    Answer, Files, Namespace, Output, ResolvConf, TcpEcho, Topology, Watch, tcp, tcp_echo, wait_for,
};

/// The container's port 80 is published as 8080, for both versions of IP.
const DOCKER: &str = "*nat
:PREROUTING ACCEPT
:DOCKER -
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination TO
COMMIT
";

/// The host, its clients and the container.
pub struct Site {
    pub topology: Topology,
    _container: (Namespace, TcpEcho),
    resolv_conf: ResolvConf,
    state: TempDir,
}

impl Site {
    pub fn new() -> Site {
        let topology = Topology::new();
        let container = container(&topology.host);
        let state = TempDir::with_prefix("dwnl-names-").expect("a directory");
        Site { topology, _container: container, resolv_conf: ResolvConf::new(), state }
    }

    pub fn host(&self) -> &Namespace {
        &self.topology.host
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.state.path().to_owned()
    }

    /// Runs dwnl with this policy as its input.
    pub fn dwnl(&self, args: &[&str], policy: &str) -> Output {
        let command = self.resolv_conf.command();
        let command = command.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_dwnl")]);
        let command: Vec<&str> = command.chain(args.iter().copied()).collect();
        self.host().try_run(&command, policy)
    }

    /// Applies the policy, and returns the warnings.
    #[track_caller]
    pub fn apply(&self, policy: &str) -> Vec<String> {
        let state = self.state().display().to_string();
        let report = self.dwnl(&["apply", "--json", "-f", "-", "--state-dir", &state], policy);
        let report: serde_json::Value = serde_json::from_str(&report.succeeded()).expect("JSON");
        let warnings = report["warnings"].as_array().expect("warnings").iter();
        let warnings = warnings.map(|it| it.as_str().expect("a text").to_owned());
        warnings.filter(|it| it.contains("example.net")).collect()
    }

    /// Starts a watch with this policy.
    pub fn watch(&self, policy: &str) -> Watch {
        self.watch_files(Files::new(policy))
    }

    /// Starts a watch with these files.
    pub fn watch_files(&self, files: Files) -> Watch {
        let (command, state) = (self.resolv_conf.command(), self.state().display().to_string());
        let watch = files.launch_through(&command, self.host(), &["--state-dir", &state], &[]);
        watch.notified("READY=1");
        watch
    }

    /// What a client gets on the published port.
    pub fn answer(&self, source: &str) -> Answer {
        let target = if source.contains(':') { Topology::HOST6 } else { Topology::HOST };
        tcp(&self.topology.client, source, target, 8080)
    }

    /// Whether a client gets in.
    #[track_caller]
    pub fn gets_in(&self, source: &str) {
        let get_in = || (self.answer(source) == Answer::Answered).then_some(());
        wait_for(&format!("{source} to get in"), get_in);
    }

    /// Whether a client is refused.
    #[track_caller]
    pub fn is_refused(&self, source: &str) {
        let refused = || (self.answer(source) == Answer::TimedOut).then_some(());
        wait_for(&format!("{source} to be refused"), refused);
    }
}

fn container(host: &Namespace) -> (Namespace, TcpEcho) {
    let inner = Namespace::new();
    host.run(&["ip", "link", "add", "docker0", "type", "bridge"]);
    let peer = ["peer", "name", "eth0", "netns", &inner.path()];
    host.run(&[&["ip", "link", "add", "veth0123456", "type", "veth"], &peer[..]].concat());
    host.run(&["ip", "link", "set", "veth0123456", "master", "docker0", "up"]);
    host.run(&["ip", "link", "set", "docker0", "up"]);
    inner.run(&["ip", "link", "set", "eth0", "up"]);
    for (iptables, prefix, length, to) in [
        ("iptables-restore", "172.17.0.", "16", "172.17.0.2:80"),
        ("ip6tables-restore", "fd00::", "64", "[fd00::2]:80"),
    ] {
        let [ours, theirs] = ["1", "2"].map(|it| format!("{prefix}{it}/{length}"));
        for (namespace, address, device) in [(host, ours, "docker0"), (&inner, theirs, "eth0")] {
            let nodad: &[&str] = if length == "64" { &["nodad"] } else { &[] };
            let args = ["ip", "address", "add", &address, "dev", device];
            namespace.run(&[&args[..], nodad].concat());
        }
        inner.run(&["ip", "route", "add", "default", "via", &format!("{prefix}1")]);
        host.try_run(&[iptables], &DOCKER.replace("TO", to)).succeeded();
    }
    host.run(&["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
    let echo = tcp_echo(&inner, 80);
    (inner, echo)
}
