//! docker-proxy starts to listen shortly after the last event. For a port over IPv6 only, the one
//! event is a new interface.

use std::thread;
use std::time::Duration;

use super::idle::{asleep, work};
use super::policy;
use super::support::{Cgroup, Namespace, Server, Watch, wait_for};

/// Longer than the time from an event to the last check that follows it.
const LAST_CHECK: Duration = Duration::from_secs(6);

/// The guard's rules for published ports.
fn guarded(host: &Namespace) -> String {
    host.run(&["nft", "list", "chain", "inet", "dwnl", "input"])
}

#[test]
fn a_docker_listener_is_found_after_a_new_interface() {
    let host = Namespace::new();
    let docker = Cgroup::new();
    let docker_cgroup = docker.inner_path();
    let policy_text = format!("{}[guard]\ndocker-cgroup = {docker_cgroup:?}\n", policy());
    let watch = Watch::start(&host, &policy_text);
    let before = asleep(&watch, LAST_CHECK);
    // A new listener alone causes no event.
    let _first = Server::start(&host, &docker.inner(), 8090);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(work(&watch), before);
    assert!(!guarded(&host).contains("8090"));

    host.run(&["ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1"]);
    // The check that follows the event immediately is over.
    wait_for("the first port", || guarded(&host).contains("dport 8090 ").then_some(()));
    let _late = Server::start(&host, &docker.inner(), 8092);
    wait_for("the second port", || guarded(&host).contains("dport 8092 ").then_some(()));

    let after = asleep(&watch, LAST_CHECK);
    thread::sleep(LAST_CHECK);
    assert_eq!(work(&watch), after);
}
