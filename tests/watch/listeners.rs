//! docker-proxy listens a moment after the last thing that is heard of: over IPv6 alone, after no more than
//! a new interface.

use std::thread;
use std::time::Duration;

use super::idle::{asleep, work};
use super::policy;
use super::support::{Namespace, Server, Slice, Watch, wait_for};

/// The rules by which the published ports are guarded.
fn guarded(host: &Namespace) -> String {
    host.run(&["nft", "list", "chain", "inet", "dwnl", "input"])
}

#[test]
fn a_listener_of_dockers_is_found_after_a_new_interface() {
    let host = Namespace::new();
    let slice =
        Slice::new(&format!("dwnl-test-{}-listeners", std::process::id()), &["docker.service"]);
    let told =
        format!("{}\n[guard]\ndocker-cgroup = \"{}/docker.service\"\n", policy(), slice.name());
    let watch = Watch::start(&host, &told);
    let before = asleep(&watch, Duration::from_secs(1));
    // Of one that comes alone nothing can be heard.
    let _unheard = Server::start(&host, &slice.service(), 8090);
    assert_eq!(asleep(&watch, Duration::from_secs(1)), before);
    assert!(!guarded(&host).contains("8090"));

    host.run(&["ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1"]);
    // The comparison that follows at once is over.
    wait_for("the first port", || guarded(&host).contains("dport 8090 ").then_some(()));
    let _late = Server::start(&host, &slice.service(), 8092);
    wait_for("the second port", || guarded(&host).contains("dport 8092 ").then_some(()));

    // The last comparison comes five seconds after the interface.
    let after = asleep(&watch, Duration::from_secs(6));
    thread::sleep(Duration::from_secs(5));
    assert_eq!(work(&watch), after);
}
