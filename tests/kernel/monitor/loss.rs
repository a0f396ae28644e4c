//! Notifications that do not fit into the receive buffer.

use nix::sys::socket::{setsockopt, sockopt};

use dwnl::engine::MonitorEvent;

use super::super::sets::hosts;
use super::super::support::Namespace;
use super::{commits, desired, heed, is_kept, open, policy};

/// So many commits do not fit into a buffer of the least size there is.
const FLOOD: usize = 100;

#[test]
fn lost_notifications_are_told_once_and_put_right() {
    let host = Namespace::new();
    let (mut monitor, mut engine) = open(&host);
    setsockopt(&monitor, sockopt::RcvBuf, &1).expect("success");
    let desired = desired(&policy(&hosts(100)));
    engine.apply(&desired).expect("success");

    // The flood is over when the set is touched, of which nothing can be heard then.
    let flood = "add table ip kube\ndelete table ip kube\n";
    for _ in 0..FLOOD {
        host.try_run(&["nft", "-f", "-"], flood).succeeded();
    }
    host.run(&["nft", "flush set inet dwnl many-4"]);
    let notices = monitor.read().expect("notices");
    assert!(matches!(notices[..], [MonitorEvent::Overrun]), "{notices:?}");
    notices.iter().for_each(|notice| engine.observe(notice));

    host.run(&["nft", "add", "table", "ip", "kube"]);
    assert_eq!(commits(&mut monitor).len(), 1, "what comes afterwards is heard of");
    host.run(&["nft", "delete", "table", "ip", "kube"]);
    heed(&mut monitor, &mut engine);
    assert_eq!(engine.apply(&desired).expect("success").plan.added(), 100);
    assert!(is_kept(&host, &desired));
}
