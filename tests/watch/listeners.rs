//! docker-proxy listens a moment after the last thing that is heard of: over IPv6 alone, after no more than
//! a new interface.

use std::thread;
use std::time::Duration;

use super::idle::{asleep, work};
use super::policy;
use super::support::{Cgroup, Namespace, Server, Watch, wait_for};

/// Longer than it takes from an event to the last comparison that follows it.
const LAST_COMPARISON: Duration = Duration::from_secs(6);

/// The rules by which the published ports are guarded.
fn guarded(host: &Namespace) -> String {
    host.run(&["nft", "list", "chain", "inet", "dwnl", "input"])
}

#[test]
fn a_listener_of_dockers_is_found_after_a_new_interface() {
    let host = Namespace::new();
    let docker = Cgroup::new();
    let docker_cgroup = docker.inner_path();
    let told = format!("{}[guard]\ndocker-cgroup = {docker_cgroup:?}\n", policy());
    let watch = Watch::start(&host, &told);
    let before = asleep(&watch, LAST_COMPARISON);
    // Of one that comes alone nothing can be heard.
    let _unheard = Server::start(&host, &docker.inner(), 8090);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(work(&watch), before);
    assert!(!guarded(&host).contains("8090"));

    host.run(&["ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1"]);
    // The comparison that follows at once is over.
    wait_for("the first port", || guarded(&host).contains("dport 8090 ").then_some(()));
    let _late = Server::start(&host, &docker.inner(), 8092);
    wait_for("the second port", || guarded(&host).contains("dport 8092 ").then_some(()));

    let after = asleep(&watch, LAST_COMPARISON);
    thread::sleep(LAST_COMPARISON);
    assert_eq!(work(&watch), after);
}
