//! The guard and services in cgroups: which packets it filters by the cgroup of the receiving
//! socket.

mod fallback;
mod late;
mod rejection;
mod time_wait;
mod unlisted;

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;

use dwnl::Engine;
use dwnl::model::Protocol;

use super::support::{
    Answer, Cgroup, Namespace, Topology, companion, tcp, tcp_echo_at, udp, udp_echo_at, wait_for,
};

/// Allows one client of each IP version on all ports of these tests, published or not.
const POLICY: &str = r#"
[[allow]]
ports = ["8080-8099/tcp", "8080-8099/udp"]
from = ["192.0.2.2", "2001:db8::2"]
"#;

/// The policy with this cgroup for dockerd and these for the host. Dockerd's cgroup is not one that
/// dwnl searches by default, so that tests do not affect each other.
fn policy(docker: &str, host: &[&Cgroup]) -> String {
    let host: Vec<&str> = host.iter().map(|cgroup| cgroup.name()).collect();
    format!("{POLICY}\n[guard]\ndocker-cgroup = {docker:?}\nhost-cgroups = {host:?}\n")
}

/// A program that echoes TCP and UDP on a port. It is killed on drop.
struct Service(Child);

/// Moves itself into a cgroup and executes the remaining arguments.
const MOVED: &str = r#"echo 0 >"$0/cgroup.procs" && exec "$@""#;
/// The environment variables for the address and port to listen on.
const ADDRESS: &str = "DWNL_TESTS_ADDRESS";
const PORT: &str = "DWNL_TESTS_PORT";

impl Service {
    /// Starts the service in a cgroup, on all IPv4 and IPv6 addresses.
    fn start(host: &Namespace, cgroup: &Path, port: u16) -> Service {
        Service::start_at(host, cgroup, "::", port)
    }

    /// Starts the service on one address.
    fn start_at(host: &Namespace, cgroup: &Path, at: &str, port: u16) -> Service {
        let program = env::current_exe().expect("this program");
        let service = companion(&host.path())
            .args(["sh", "-c", MOVED])
            .args([cgroup, &program])
            .args(["--ignored", "--exact", "cgroups::serves"])
            .envs([(ADDRESS, at), (PORT, &port.to_string())])
            .stdout(Stdio::null())
            .spawn();
        let service = Service(service.expect("a service"));
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            wait_for("a service", || listens(host, cgroup, protocol, port).then_some(()));
        }
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Not a test: the program that [`Service`] runs in its cgroup.
#[test]
#[ignore = "started by tests that need a service"]
fn serves() {
    let variable = |name| env::var(name).expect("a variable");
    let (at, port) = (variable(ADDRESS), variable(PORT).parse().expect("a port"));
    let here = Namespace::open(Path::new("/proc/thread-self/ns/net"));
    let _servers = (tcp_echo_at(&here, &at, port), udp_echo_at(&here, &at, port));
    loop {
        thread::park();
    }
}

/// Whether a socket of the cgroup listens on the port.
fn listens(host: &Namespace, cgroup: &Path, protocol: Protocol, port: u16) -> bool {
    let id = fs::metadata(cgroup).expect("a cgroup").ino();
    let mut engine = host.inside(Engine::open).expect("an engine");
    let listeners = engine.host_state().expect("the state of the host").listeners;
    let mut listeners = listeners.into_iter().flatten();
    listeners.any(|it| (it.protocol, it.port, it.cgroup) == (protocol, port, Some(id)))
}

const ALL: [Answer; 2] = [Answer::Answered; 2];
const ONLY_ALLOWED: [Answer; 2] = [Answer::Answered, Answer::TimedOut];

/// Asserts the answers to both clients over each IP version and protocol. The refused client tries
/// first.
#[track_caller]
fn expect(topology: &Topology, port: u16, [allowed, refused]: [Answer; 2]) {
    for (source, target, expected) in [
        (Topology::REFUSED, Topology::HOST, refused),
        (Topology::REFUSED6, Topology::HOST6, refused),
        (Topology::ALLOWED, Topology::HOST, allowed),
        (Topology::ALLOWED6, Topology::HOST6, allowed),
    ] {
        let what = format!("from {source}, port {port}");
        assert_eq!(tcp(&topology.client, source, target, port), expected, "{what} over TCP");
        assert_eq!(udp(&topology.client, source, target, port), expected, "{what} over UDP");
    }
}
