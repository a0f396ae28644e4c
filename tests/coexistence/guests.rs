//! Guests of LXD, Incus and libvirt, behind a bridge of their own.

use super::document::recipe;
use super::site::Site;
use super::support::{Answer, Namespace, Topology, tcp, tcp_echo, wait_for};

/// The rules, the bridge, its network, and the check of `doctor`.
const PROGRAMS: [(&str, &str, &str, &str); 4] = [
    ("lxd.nft", "lxdbr0", "10.195.1", "lxd"),
    ("incus.nft", "incusbr0", "10.195.1", "lxd"),
    ("libvirt.nft", "virbr0", "192.168.122", "libvirt"),
    ("libvirt.rules", "virbr0", "192.168.122", "libvirt"),
];

/// The port of a service on the clients' side.
const SERVICE: u16 = 7000;

/// A guest with the address `NETWORK.2` behind the bridge.
fn guest(site: &Site, bridge: &str, network: &str) -> Namespace {
    let (host, guest) = (site.host(), Namespace::new());
    host.run(&["ip", "link", "add", bridge, "type", "bridge"]);
    host.run(&["ip", "address", "add", &format!("{network}.1/24"), "dev", bridge]);
    host.run(&["ip", "link", "set", bridge, "up"]);
    let peer = ["peer", "name", "eth0", "netns", &guest.path()];
    host.run(&[&["ip", "link", "add", "tap0", "type", "veth"], &peer[..]].concat());
    host.run(&["ip", "link", "set", "tap0", "master", bridge, "up"]);
    guest.run(&["ip", "address", "add", &format!("{network}.2/24"), "dev", "eth0"]);
    guest.run(&["ip", "link", "set", "eth0", "up"]);
    guest.run(&["ip", "route", "add", "default", "via", &format!("{network}.1")]);
    let route = ["ip", "route", "add", &format!("{network}.0/24"), "via", Topology::HOST];
    site.topology.client.run(&route);
    guest
}

#[test]
fn the_recipe_lets_guests_out_and_opens_no_port() {
    for (rules, bridge, network, check) in PROGRAMS {
        let site = Site::dropping();
        let guest = guest(&site, bridge, network);
        let _service = tcp_echo(&site.topology.client, SERVICE);
        site.load(rules);
        site.protect();
        let address = format!("{network}.2");
        let out = || tcp(&guest, &address, Topology::REFUSED, SERVICE);
        // libvirt's chains in FORWARD accept before Docker's policy drops.
        let is_dropped = rules.ends_with(".nft");
        let expected = if is_dropped { Answer::TimedOut } else { Answer::Answered };
        assert_eq!(out(), expected, "{rules}");
        assert_eq!(site.found(check).as_deref() == Some("note"), is_dropped, "{rules}");

        let recipe = recipe("LXD, Incus and libvirt", "sh").replace("lxdbr0", bridge);
        site.shell(&recipe);
        wait_for("the guest's way out", || (out() == Answer::Answered).then_some(()));
        assert_eq!(site.found(check).as_deref(), Some("ok"), "{rules}");
        let published = tcp(&guest, &address, Topology::HOST, super::site::PORT);
        assert_eq!(published, Answer::TimedOut, "{rules}: a guest is outside");
        site.decides();
        site.is_in_sync();
    }
}
