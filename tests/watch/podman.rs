//! `dwnl watch` with podman, whose port forwards are in `PREROUTING` like Docker's.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::support::{Answer, Docker, Podman, Topology, Watch, apply, remove, tcp, wait_for};

/// Allows one client to reach Docker's port, and does not name podman's.
const POLICY: &str = r#"
[[allow]]
ports = ["8080/tcp"]
from = ["192.0.2.2", "2001:db8::2"]
"#;

const ECHO: &str = "exec nc -ll -p 80 -e cat";

/// Docker's published port, and podman's.
const DOCKERS: u16 = 8080;
const PODMANS: u16 = 8095;

/// A host with forwarding enabled. If Docker had to enable it, it would drop all other forwarded
/// traffic.
fn forwarding() -> Topology {
    let topology = Topology::new();
    topology.host.run(&["sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1"]);
    topology
}

fn attempt(topology: &Topology, source: &str, port: u16) -> Answer {
    tcp(&topology.client, source, Topology::HOST, port)
}

#[track_caller]
fn becomes(topology: &Topology, source: &str, port: u16, answer: Answer) {
    let what = format!("{answer:?} from {source}, port {port}");
    wait_for(&what, || (attempt(topology, source, port) == answer).then_some(()));
}

#[track_caller]
fn all_clients_reach(topology: &Topology, port: u16) {
    for source in [Topology::ALLOWED, Topology::REFUSED] {
        becomes(topology, source, port, Answer::Answered);
    }
}

#[track_caller]
fn dockers_port_is_open_to_allowed_only(topology: &Topology) {
    becomes(topology, Topology::ALLOWED, DOCKERS, Answer::Answered);
    assert_eq!(attempt(topology, Topology::REFUSED, DOCKERS), Answer::TimedOut);
}

/// Connects to podman's port continuously while `meanwhile` runs. Every attempt must be answered.
fn stays_reachable(topology: &Topology, meanwhile: impl FnOnce()) {
    let (done, attempts) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let answer = attempt(topology, Topology::REFUSED, PODMANS);
                let number = attempts.fetch_add(1, Ordering::Relaxed);
                assert_eq!(answer, Answer::Answered, "attempt {number} on podman's port");
            }
        });
        let _stop = StopOnDrop(&done);
        meanwhile();
        assert!(!client.is_finished(), "podman's port no longer answers");
    });
    let attempts = attempts.into_inner();
    assert!(attempts > 100, "{attempts} attempts prove nothing");
}

/// Stops the client, also when the test fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn podmans_port_stays_reachable_whatever_dwnl_does() {
    let topology = forwarding();
    let host = &topology.host;
    let mut docker = Docker::start(host, &[]);
    docker.run("web", &["--restart=always", "-p", "8080:80"], ECHO);
    let podman = Podman::new(host);
    podman.run("pod", &["-p", "8095:80"], ECHO);
    all_clients_reach(&topology, DOCKERS);
    all_clients_reach(&topology, PODMANS);

    stays_reachable(&topology, || {
        apply(host, POLICY);
        dockers_port_is_open_to_allowed_only(&topology);
        assert_eq!(apply(host, POLICY)["has_changes"], false);
        let watch = Watch::start(host, POLICY);
        docker.run("other", &["-p", "8082:80"], ECHO);
        becomes(&topology, Topology::REFUSED, 8082, Answer::TimedOut);
        docker.restart();
        dockers_port_is_open_to_allowed_only(&topology);
        drop(watch);
        remove(host);
        all_clients_reach(&topology, DOCKERS);
    });
}

#[test]
fn a_later_podman_is_reachable_and_opens_nothing() {
    let topology = forwarding();
    let host = &topology.host;
    let docker = Docker::start(host, &[]);
    docker.run("web", &["-p", "8080:80"], ECHO);
    all_clients_reach(&topology, DOCKERS);
    apply(host, POLICY);
    let mut watch = Watch::start(host, POLICY);

    let podman = Podman::new(host);
    for round in 1..=2 {
        podman.run("pod", &["-p", "8095:80"], ECHO);
        all_clients_reach(&topology, PODMANS);
        stays_reachable(&topology, || dockers_port_is_open_to_allowed_only(&topology));
        podman.client(&["rm", "--force", "--time=0", "pod"]);
        assert!(watch.is_running(), "round {round}");
        dockers_port_is_open_to_allowed_only(&topology);
    }
}

/// Podman's chains exist before Docker's, and come before dwnl's jumps.
#[test]
fn an_earlier_podman_opens_nothing() {
    let topology = forwarding();
    let host = &topology.host;
    let podman = Podman::new(host);
    podman.run("pod", &["-p", "8095:80"], ECHO);
    all_clients_reach(&topology, PODMANS);
    let docker = Docker::start(host, &[]);
    docker.run("web", &["-p", "8080:80"], ECHO);
    all_clients_reach(&topology, DOCKERS);
    apply(host, POLICY);
    dockers_port_is_open_to_allowed_only(&topology);
    all_clients_reach(&topology, PODMANS);
    // A port that podman and Docker publish on different addresses.
    docker.run("same", &["-p", "192.0.2.3:8096:80"], ECHO);
    podman.run("same", &["-p", "192.0.2.1:8096:80"], ECHO);
    all_clients_reach(&topology, 8096);
    let attempt = tcp(&topology.client, Topology::REFUSED, Topology::HOST_SECOND, 8096);
    assert_eq!(attempt, Answer::TimedOut);
}
