//! An engine's own commits are not heard of.

use dwnl::Engine;
use dwnl::engine::Monitor;

use super::super::sets::{hosts, hosts_in};
use super::super::support::Namespace;
use super::{commits, desired, open, policy};

#[test]
fn the_engine_that_is_ignored_is_not_heard_of() {
    let host = Namespace::new();
    let (mut monitor, mut engine) = open(&host);
    let mut control = host.inside(Monitor::open).expect("a monitor");
    let mut another = host.inside(Engine::open).expect("an engine");
    for sources in [hosts(3), hosts(100), hosts(90)] {
        let desired = desired(&policy(&sources));
        engine.apply(&desired).expect("success");
        assert!(!commits(&mut control).is_empty(), "the commit can be heard of at all");
        assert!(commits(&mut monitor).is_empty());
        another.remove().expect("success");
        assert_eq!(commits(&mut monitor).len(), 1, "another engine is somebody else");
        assert_eq!(commits(&mut control).len(), 1);
    }
    monitor.exclude(&another).expect("success");
    engine.apply(&desired(&policy(&hosts(3)))).expect("success");
    another.remove().expect("success");
    assert_eq!(commits(&mut monitor).len(), 1, "it is heard of again");
}

/// The kernel makes a page for each element, so there are not more of them.
const MANY: usize = 20_000;

/// Of two monitors that ignore one engine, the last leaves while it makes a large commit.
#[test]
fn the_notifications_of_a_large_commit_of_our_own_never_wait() {
    let host = Namespace::new();
    let (mut filtering, mut engine) = open(&host);
    let mut leaving = host.inside(Monitor::open).expect("a monitor");
    leaving.exclude(&engine).expect("success");
    for block in 0..2 {
        let desired = desired(&policy(&hosts_in(block, MANY)));
        assert!(engine.apply(&desired).expect("success").plan.added() >= MANY);
        assert!(commits(&mut filtering).is_empty());
        assert!(commits(&mut leaving).is_empty());
        host.run(&["nft", "add", "table", "ip", "kube"]);
        assert_eq!(commits(&mut filtering).len(), 1, "it listens still");
        assert_eq!(commits(&mut leaving).len(), 1, "it listens again");
        host.run(&["nft", "delete", "table", "ip", "kube"]);
        assert_eq!((commits(&mut filtering).len(), commits(&mut leaving).len()), (1, 1));
    }
}
