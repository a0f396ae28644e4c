//! Beside podman, whose port forwards lie in `PREROUTING` as Docker's do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::support::{Answer, Docker, Podman, Topology, Watch, apply, remove, tcp, wait_for};

/// Lets one client reach Docker's port, and says nothing of podman's.
const POLICY: &str = r#"
[[allow]]
ports = ["8080/tcp"]
from = ["192.0.2.2", "2001:db8::2"]
"#;

const ECHO: &str = "exec nc -ll -p 80 -e cat";

/// Docker's published port, and podman's.
const DOCKERS: u16 = 8080;
const PODMANS: u16 = 8095;

/// A host that forwards already: Docker, had it to switch that on, would drop whatever else is forwarded.
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
fn everybody_reaches(topology: &Topology, port: u16) {
    for source in [Topology::ALLOWED, Topology::REFUSED] {
        becomes(topology, source, port, Answer::Answered);
    }
}

#[track_caller]
fn dockers_port_is_open_to_the_allowed_alone(topology: &Topology) {
    becomes(topology, Topology::ALLOWED, DOCKERS, Answer::Answered);
    assert_eq!(attempt(topology, Topology::REFUSED, DOCKERS), Answer::TimedOut);
}

/// Calls podman's port without pause while `meanwhile` goes on; each call has to be answered.
fn is_answered_all_the_time(topology: &Topology, meanwhile: impl FnOnce()) {
    let (over, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let caller = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let answer = attempt(topology, Topology::REFUSED, PODMANS);
                let number = calls.fetch_add(1, Ordering::Relaxed);
                assert_eq!(answer, Answer::Answered, "call {number} of podman's port");
            }
        });
        let _over = Over(&over);
        meanwhile();
        assert!(!caller.is_finished(), "podman's port has gone silent");
    });
    let calls = calls.into_inner();
    assert!(calls > 100, "{calls} calls show nothing");
}

/// Ends the calls, however the test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_port_of_podmans_answers_whatever_dwnl_does() {
    let topology = forwarding();
    let host = &topology.host;
    let mut docker = Docker::start(host, &[]);
    docker.run("web", &["--restart=always", "-p", "8080:80"], ECHO);
    let podman = Podman::new(host);
    podman.run("pod", &["-p", "8095:80"], ECHO);
    everybody_reaches(&topology, DOCKERS);
    everybody_reaches(&topology, PODMANS);

    is_answered_all_the_time(&topology, || {
        apply(host, POLICY);
        dockers_port_is_open_to_the_allowed_alone(&topology);
        assert_eq!(apply(host, POLICY)["changed"], false);
        let watch = Watch::start(host, POLICY);
        docker.run("other", &["-p", "8082:80"], ECHO);
        becomes(&topology, Topology::REFUSED, 8082, Answer::TimedOut);
        docker.restart();
        dockers_port_is_open_to_the_allowed_alone(&topology);
        drop(watch);
        remove(host);
        everybody_reaches(&topology, DOCKERS);
    });
}

#[test]
fn a_podman_that_comes_while_a_watch_runs_is_reached_and_opens_nothing() {
    let topology = forwarding();
    let host = &topology.host;
    let docker = Docker::start(host, &[]);
    docker.run("web", &["-p", "8080:80"], ECHO);
    everybody_reaches(&topology, DOCKERS);
    apply(host, POLICY);
    let mut watch = Watch::start(host, POLICY);

    let podman = Podman::new(host);
    for round in 1..=2 {
        podman.run("pod", &["-p", "8095:80"], ECHO);
        everybody_reaches(&topology, PODMANS);
        is_answered_all_the_time(&topology, || {
            dockers_port_is_open_to_the_allowed_alone(&topology)
        });
        podman.client(&["rm", "--force", "--time=0", "pod"]);
        assert!(watch.is_running(), "round {round}");
        dockers_port_is_open_to_the_allowed_alone(&topology);
    }
}

/// Its chains are there before Docker's, and above dwnl's jumps.
#[test]
fn a_podman_that_was_there_first_opens_nothing() {
    let topology = forwarding();
    let host = &topology.host;
    let podman = Podman::new(host);
    podman.run("pod", &["-p", "8095:80"], ECHO);
    everybody_reaches(&topology, PODMANS);
    let docker = Docker::start(host, &[]);
    docker.run("web", &["-p", "8080:80"], ECHO);
    everybody_reaches(&topology, DOCKERS);
    apply(host, POLICY);
    dockers_port_is_open_to_the_allowed_alone(&topology);
    everybody_reaches(&topology, PODMANS);
    // A port of podman's that Docker publishes too, but for another address.
    docker.run("same", &["-p", "192.0.2.3:8096:80"], ECHO);
    podman.run("same", &["-p", "192.0.2.1:8096:80"], ECHO);
    everybody_reaches(&topology, 8096);
    let attempt = tcp(&topology.client, Topology::REFUSED, Topology::HOST_TOO, 8096);
    assert_eq!(attempt, Answer::TimedOut);
}
