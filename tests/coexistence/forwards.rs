//! The rules of kube-proxy and netavark, with a container of their own behind them.

use super::site::Site;
use super::support::{Answer, Namespace, Topology, UdpEcho, udp, udp_echo, wait_for};

/// The rules, the check of `doctor`, and the port that they forward.
const PROGRAMS: [(&str, &str, u16); 3] = [
    ("kube-proxy.rules", "kube_proxy", 30000),
    ("kube-proxy.nft", "kube_proxy", 30000),
    ("netavark.nft", "podman", 9000),
];

/// A container at 10.2.2.2 that echoes UDP.
fn container(host: &Namespace) -> (Namespace, UdpEcho) {
    let container = Namespace::new();
    let peer = ["peer", "name", "eth0", "netns", &container.path()];
    host.run(&[&["ip", "link", "add", "other0", "type", "veth"], &peer[..]].concat());
    host.run(&["ip", "address", "add", "10.2.2.1/24", "dev", "other0"]);
    host.run(&["ip", "link", "set", "other0", "up"]);
    container.run(&["ip", "address", "add", "10.2.2.2/24", "dev", "eth0"]);
    container.run(&["ip", "link", "set", "eth0", "up"]);
    container.run(&["ip", "route", "add", "default", "via", "10.2.2.1"]);
    let echo = udp_echo(&container, 80);
    (container, echo)
}

#[test]
fn their_forwards_stay_reachable() {
    for (rules, check, port) in PROGRAMS {
        let site = Site::new();
        let _container = container(site.host());
        site.load(rules);
        let answer = || udp(&site.topology.client, Topology::REFUSED, Topology::HOST, port);
        wait_for("the forward", || (answer() == Answer::Answered).then_some(()));
        site.protect();
        assert_eq!(answer(), Answer::Answered, "{rules}");
        assert_eq!(site.found(check).as_deref(), Some("note"), "{rules}");
        site.is_in_sync();
    }
}
