//! Notifications of network interfaces.

use std::os::fd::AsFd;
use std::path::Path;

use dwnl::engine::LinkMonitor;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::support::Namespace;

/// Whether a notification is pending, without waiting for one.
fn is_readable(monitor: &LinkMonitor) -> bool {
    let mut sources = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
    poll(&mut sources, PollTimeout::ZERO).expect("to poll") == 1
}

/// Whether the monitor reports changes. It is drained afterwards.
#[track_caller]
fn reports_changes(monitor: &mut LinkMonitor) -> bool {
    let is_pending = is_readable(monitor);
    assert_eq!(monitor.read().expect("an answer"), is_pending);
    assert!(!is_readable(monitor));
    assert!(!monitor.read().expect("an answer"), "nothing has changed since");
    is_pending
}

/// The interfaces stay down, because the kernel sends a delayed second notification for one that
/// comes up.
const CHANGES: [&str; 5] = [
    "link add veth0 type veth peer name veth1",
    "link set veth0 mtu 1400",
    "link add br0 type bridge",
    "link set veth1 master br0",
    "link delete veth0",
];

#[test]
fn added_changed_and_deleted_interfaces_are_reported() {
    let (host, other) = (Namespace::new(), Namespace::new());
    let mut monitor = host.inside(LinkMonitor::open).expect("a monitor");
    let mut named = LinkMonitor::open_in(Path::new(&other.path())).expect("a monitor");
    assert!(!reports_changes(&mut monitor));
    for change in CHANGES {
        let words: Vec<&str> = ["ip"].into_iter().chain(change.split(' ')).collect();
        host.run(&words);
        assert!(reports_changes(&mut monitor), "{change}");
        assert!(!reports_changes(&mut named), "{change} in another namespace");
        other.run(&words);
        assert!(!reports_changes(&mut monitor), "{change} in another namespace");
        assert!(reports_changes(&mut named), "{change}");
    }
    // None of these is an interface.
    host.run(&["ip", "address", "add", "127.0.0.2/8", "dev", "lo"]);
    host.run(&["ip", "route", "add", "192.0.2.0/24", "dev", "lo"]);
    host.run(&["nft", "add", "table", "inet", "other"]);
    assert!(!reports_changes(&mut monitor));
}

/// Whether the kernel has dropped notifications because they were not read.
fn has_dropped(host: &Namespace) -> bool {
    let sockets = host.run(&["cat", "/proc/net/netlink"]);
    let mut drops = sockets.lines().skip(1).filter_map(|line| line.split_whitespace().nth(8));
    drops.any(|drops| drops != "0")
}

#[test]
fn lost_changes_are_reported() {
    let host = Namespace::new();
    let mut monitor = host.inside(LinkMonitor::open).expect("a monitor");
    host.run(&["ip", "link", "add", "br0", "type", "bridge"]);
    let change = |n: u32| format!("link set br0 mtu {}\n", 1000 + n % 2);
    let changes: String = (0..10_000).map(change).collect();
    host.try_run(&["ip", "-batch", "-"], &changes).succeeded();
    assert!(has_dropped(&host));
    assert!(reports_changes(&mut monitor));
    host.run(&["ip", "link", "delete", "br0"]);
    assert!(reports_changes(&mut monitor));
}
