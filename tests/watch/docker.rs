//! `dwnl watch` with a real dockerd: whatever Docker does, an allowed client gets in and a refused
//! one does not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::support::{Answer, Docker, Topology, Watch, apply, tcp, wait_for};
use super::{is_in_force, wait_until_in_force};

/// Allows one client of each family.
const POLICY: &str = r#"
[[allow]]
ports = ["8080-8089/tcp"]
from = ["192.0.2.2", "2001:db8::2"]
"#;

/// Runs a container that echoes TCP and publishes this port.
fn publish(docker: &Docker, port: u16) {
    let options = ["--restart=always", "-p", &format!("{port}:80")];
    docker.run(&format!("web{port}"), &options, "exec nc -ll -p 80 -e cat");
}

fn attempt(topology: &Topology, source: &str, port: u16) -> Answer {
    let target = if source.contains(':') { Topology::HOST6 } else { Topology::HOST };
    tcp(&topology.client, source, target, port)
}

/// Waits until connection attempts have this result, because a container or a repair may not be
/// ready yet.
#[track_caller]
fn becomes(topology: &Topology, source: &str, port: u16, answer: Answer) {
    let what = format!("{answer:?} from {source}, port {port}");
    wait_for(&what, || (attempt(topology, source, port) == answer).then_some(()));
}

/// Asserts that allowed clients get in and refused ones do not. The latter never get in over IPv4;
/// over IPv6, through docker-proxy, they are blocked once the watch has seen the published port.
#[track_caller]
fn is_open_to_allowed_only(topology: &Topology, port: u16) {
    becomes(topology, Topology::ALLOWED, port, Answer::Answered);
    becomes(topology, Topology::ALLOWED6, port, Answer::Answered);
    becomes(topology, Topology::REFUSED6, port, Answer::TimedOut);
    for source in [Topology::REFUSED, Topology::REFUSED6] {
        assert_eq!(attempt(topology, source, port), Answer::TimedOut, "{source}, port {port}");
    }
}

/// Stops the client, also when the test fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn only_allowed_clients_get_in_whatever_docker_does() {
    let topology = Topology::new();
    let mut docker = Docker::start(&topology.host, &[]);
    publish(&docker, 8080);
    becomes(&topology, Topology::REFUSED, 8080, Answer::Answered);
    apply(&topology.host, POLICY);
    // Without a watch, a port published later is open through docker-proxy.
    publish(&docker, 8081);
    becomes(&topology, Topology::REFUSED6, 8081, Answer::Answered);
    assert!(!is_in_force(&topology.host, POLICY));

    let mut watch = Watch::start(&topology.host, POLICY);
    assert_eq!(attempt(&topology, Topology::REFUSED6, 8081), Answer::TimedOut);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = StopOnDrop(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let answer = attempt(&topology, Topology::REFUSED, 8080);
                assert_ne!(answer, Answer::Answered, "the refused client got in");
            }
        });
        change(&topology, &mut docker);
    });
    assert!(watch.is_running());
    for warning in ["keeps changing", "cannot repair", "could not be updated"] {
        assert!(!watch.log().contains(warning), "{}", watch.log());
    }
}

/// All changes that Docker may make.
fn change(topology: &Topology, docker: &mut Docker) {
    let host = &topology.host;
    for port in [8080, 8081] {
        is_open_to_allowed_only(topology, port);
    }
    for port in 8082..8085 {
        publish(docker, port);
        is_open_to_allowed_only(topology, port);
        docker.client(&["rm", "--force", &format!("web{port}")]);
        wait_until_in_force(host, POLICY, "the policy without the container");
    }
    host.run(&["iptables", "-t", "nat", "-N", "DOCKER-INGRESS"]);
    let jump = "PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS";
    let words = ["iptables", "-t", "nat", "-I"].into_iter().chain(jump.split(' '));
    host.run(&words.collect::<Vec<_>>());
    wait_until_in_force(host, POLICY, "dwnl's jumps above Swarm's");
    is_open_to_allowed_only(topology, 8080);
    docker.restart();
    for port in [8080, 8081] {
        is_open_to_allowed_only(topology, port);
    }
    // A container in a network of its own, whose bridge was unknown before.
    docker.client(&["network", "create", "other"]);
    let options = ["--network", "other", "-p", "8086:80"];
    docker.run("other", &options, "exec nc -ll -p 80 -e cat");
    is_open_to_allowed_only(topology, 8086);
    wait_until_in_force(host, POLICY, "the policy at the end");
}
