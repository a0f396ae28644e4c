//! Notifications that do not fit into the receive buffer.

use nix::sys::socket::{setsockopt, sockopt};

use dwnl::engine::MonitorEvent;

use super::super::sets::hosts;
use super::super::support::Namespace;
use super::{commits, desired, is_in_sync, open, policy};

/// Number of commits whose notifications overrun the smallest receive buffer.
const FLOOD: usize = 100;

#[test]
fn an_overrun_is_reported_once_and_recovered() {
    let host = Namespace::new();
    let (mut monitor, mut engine) = open(&host);
    setsockopt(&monitor, sockopt::RcvBuf, &1).expect("success");
    let desired = desired(&policy(&hosts(100)));
    engine.apply(&desired).expect("success");

    // When the set is flushed, the buffer has already overrun and its notification is lost.
    let flood = "add table ip kube\ndelete table ip kube\n";
    for _ in 0..FLOOD {
        host.try_run(&["nft", "-f", "-"], flood).succeeded();
    }
    host.run(&["nft", "flush set inet dwnl many-4"]);
    let events = monitor.read().expect("monitor events");
    assert!(matches!(events[..], [MonitorEvent::Overrun]), "{events:?}");

    host.run(&["nft", "add", "table", "ip", "kube"]);
    assert_eq!(commits(&mut monitor).len(), 1, "later commits are reported");
    host.run(&["nft", "delete", "table", "ip", "kube"]);
    monitor.read().expect("monitor events");
    assert_eq!(engine.apply(&desired).expect("success").plan.added(), 100);
    assert!(is_in_sync(&host, &desired));
}
