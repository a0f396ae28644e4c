//! A monitor does not report the commits of the engine that has subscribed it.

use dwnl::Engine;
use dwnl::engine::Monitor;

use super::super::sets::{hosts, hosts_in};
use super::super::support::Namespace;
use super::{commits, desired, open, policy};

#[test]
fn commits_of_the_subscribing_engine_are_not_reported() {
    let host = Namespace::new();
    let (mut monitor, mut engine) = open(&host);
    let mut control = host.inside(Monitor::open).expect("a monitor");
    let mut another = host.inside(Engine::open).expect("an engine");
    for sources in [hosts(3), hosts(100), hosts(90)] {
        let desired = desired(&policy(&sources));
        engine.apply(&desired).expect("success");
        assert!(
            !commits(&mut control).is_empty(),
            "a monitor without an engine reports the commit"
        );
        assert!(commits(&mut monitor).is_empty());
        another.remove().expect("success");
        assert_eq!(commits(&mut monitor).len(), 1, "commits of another engine are reported");
        assert_eq!(commits(&mut control).len(), 1);
    }
}

/// No more, because the kernel allocates a page for each element.
const MANY: usize = 20_000;

/// Of two monitors of one engine, the latest pauses during a large commit.
#[test]
fn notifications_of_a_large_commit_of_the_engine_are_never_queued() {
    let host = Namespace::new();
    let (mut filtering, mut engine) = open(&host);
    let mut pausing = host.inside(|| engine.subscribe()).expect("a monitor");
    for block in 0..2 {
        let desired = desired(&policy(&hosts_in(block, MANY)));
        assert!(engine.apply(&desired).expect("success").plan.added() >= MANY);
        assert!(commits(&mut filtering).is_empty());
        assert!(commits(&mut pausing).is_empty());
        host.run(&["nft", "add", "table", "ip", "kube"]);
        assert_eq!(commits(&mut filtering).len(), 1, "it is still subscribed");
        assert_eq!(commits(&mut pausing).len(), 1, "it is subscribed again");
        host.run(&["nft", "delete", "table", "ip", "kube"]);
        assert_eq!((commits(&mut filtering).len(), commits(&mut pausing).len()), (1, 1));
    }
}
