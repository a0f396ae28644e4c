//! Traffic between Swarm nodes: dockerd's own ports, and the VXLAN of overlay networks, into which
//! any host could inject packets.

use super::super::site::Site;
use super::super::support::{
    Answer, Connection, Namespace, Topology, apply, tcp, tcp_echo, wait_for,
};
use super::answered;

const PEERS: &str = "swarm-peers = [\"192.0.2.2\"]";

/// Whether dockerd accepts the connection; it does not echo.
fn connects(site: &Site, source: &str, port: u16) -> bool {
    Connection::open(&site.topology.client, source, Topology::HOST, port).is_ok()
}

#[test]
fn dockerds_ports_are_open_to_peers_only() {
    let site = Site::service(&[]);
    let host = &site.topology.host;
    site.docker.client(&["swarm", "init", "--advertise-addr", Topology::HOST]);
    for port in [2377, 7946] {
        for source in [Topology::ALLOWED, Topology::REFUSED] {
            wait_for("dockerd", || connects(&site, source, port).then_some(()));
        }
    }
    apply(host, &site.policy_with("", PEERS));
    for port in [2377, 7946] {
        assert!(connects(&site, Topology::ALLOWED, port), "a peer, port {port}");
        assert!(!connects(&site, Topology::REFUSED, port), "a stranger, port {port}");
    }
    site.docker.client(&["node", "ls"]);
}

/// The client's end of a VXLAN to the host.
struct Vxlan<'a> {
    client: &'a Namespace,
    name: &'a str,
}

impl Vxlan<'_> {
    /// Creates the client's end, which sends its outer packets from `local`.
    fn join<'a>(client: &'a Namespace, name: &'a str, local: &str, inner: &str) -> Vxlan<'a> {
        let between = ["id", "4097", "local", local, "remote", Topology::HOST, "dstport", "4789"];
        client.run(&[&["ip", "link", "add", name, "type", "vxlan"], &between[..]].concat());
        client.run(&["ip", "address", "add", inner, "dev", name]);
        client.run(&["ip", "link", "set", name, "up"]);
        Vxlan { client, name }
    }
}

impl Drop for Vxlan<'_> {
    fn drop(&mut self) {
        self.client.run(&["ip", "link", "delete", self.name]);
    }
}

/// The sandbox of an overlay network. The VXLAN's socket belongs to the kernel and stays on the
/// host.
fn overlay(host: &Namespace) -> Namespace {
    let sandbox = Namespace::new();
    let between = ["id", "4097", "local", Topology::HOST, "dstport", "4789"];
    host.run(&[&["ip", "link", "add", "vx0", "type", "vxlan"], &between[..]].concat());
    host.run(&["ip", "link", "set", "vx0", "netns", &sandbox.path()]);
    sandbox.run(&["ip", "address", "add", "10.88.0.1/24", "dev", "vx0"]);
    sandbox.run(&["ip", "link", "set", "vx0", "up"]);
    sandbox
}

#[test]
fn an_overlay_is_open_to_peers_only() {
    let site = Site::service(&[]);
    let Topology { host, client } = &site.topology;
    let sandbox = overlay(host);
    let _service = tcp_echo(&sandbox, 80);
    let clients = [(Topology::ALLOWED, "10.88.0.2"), (Topology::REFUSED, "10.88.0.66")];
    let attempt = |(outer, inner): (&str, &str)| {
        let _vxlan = Vxlan::join(client, "vx1", outer, &format!("{inner}/24"));
        tcp(client, inner, "10.88.0.1", 80)
    };
    for one in clients {
        answered(one.0, || attempt(one));
    }
    apply(host, &site.policy_with("", PEERS));
    answered("a peer", || attempt(clients[0]));
    assert_ne!(attempt(clients[1]), Answer::Answered, "a stranger");
    // The same flow again, which conntrack now knows: the sender chooses the outer source port.
    assert_ne!(attempt(clients[1]), Answer::Answered, "a stranger, again");
}
