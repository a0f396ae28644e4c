//! What is heard of network interfaces.

use std::os::fd::AsFd;
use std::path::Path;

use dwnl::engine::LinkMonitor;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::super::support::Namespace;

/// Whether it has anything to tell; nothing is waited for.
fn is_readable(monitor: &LinkMonitor) -> bool {
    let mut sources = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
    poll(&mut sources, PollTimeout::ZERO).expect("to poll") == 1
}

/// Whether it has heard of changes; afterwards there is nothing more.
#[track_caller]
fn hears(monitor: &mut LinkMonitor) -> bool {
    let has_heard = is_readable(monitor);
    assert_eq!(monitor.read().expect("an answer"), has_heard);
    assert!(!is_readable(monitor));
    assert!(!monitor.read().expect("an answer"), "nothing has changed since");
    has_heard
}

/// The interfaces stay down: of one that comes up the kernel tells once more a while later.
const CHANGES: [&str; 5] = [
    "link add veth0 type veth peer name veth1",
    "link set veth0 mtu 1400",
    "link add br0 type bridge",
    "link set veth1 master br0",
    "link delete veth0",
];

#[test]
fn an_interface_is_heard_of_when_it_appears_changes_and_goes() {
    let (host, other) = (Namespace::new(), Namespace::new());
    let mut monitor = host.inside(LinkMonitor::open).expect("a monitor");
    let mut named = LinkMonitor::open_in(Path::new(&other.path())).expect("a monitor");
    assert!(!hears(&mut monitor));
    for change in CHANGES {
        let words: Vec<&str> = ["ip"].into_iter().chain(change.split(' ')).collect();
        host.run(&words);
        assert!(hears(&mut monitor), "{change}");
        assert!(!hears(&mut named), "{change} in another namespace");
        other.run(&words);
        assert!(!hears(&mut monitor), "{change} in another namespace");
        assert!(hears(&mut named), "{change}");
    }
    // None of these is an interface.
    host.run(&["ip", "address", "add", "127.0.0.2/8", "dev", "lo"]);
    host.run(&["ip", "route", "add", "192.0.2.0/24", "dev", "lo"]);
    host.run(&["nft", "add", "table", "inet", "other"]);
    assert!(!hears(&mut monitor));
}

/// Whether the kernel has dropped notifications, because nobody read them.
fn has_dropped(host: &Namespace) -> bool {
    let sockets = host.run(&["cat", "/proc/net/netlink"]);
    let mut drops = sockets.lines().skip(1).filter_map(|line| line.split_whitespace().nth(8));
    drops.any(|drops| drops != "0")
}

#[test]
fn changes_that_were_lost_are_heard_of() {
    let host = Namespace::new();
    let mut monitor = host.inside(LinkMonitor::open).expect("a monitor");
    host.run(&["ip", "link", "add", "br0", "type", "bridge"]);
    let change = |n: u32| format!("link set br0 mtu {}\n", 1000 + n % 2);
    let changes: String = (0..10_000).map(change).collect();
    host.try_run(&["ip", "-batch", "-"], &changes).succeeded();
    assert!(has_dropped(&host));
    assert!(hears(&mut monitor));
    host.run(&["ip", "link", "delete", "br0"]);
    assert!(hears(&mut monitor));
}
