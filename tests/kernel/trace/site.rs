//! A host that forwards a port to a container, as Docker does.

use crate::support::{Namespace, TcpEcho, Topology, tcp_echo};

/// The published port, and the container's.
pub const PORT: u16 = 8080;
/// The container's address.
pub const CONTAINER: &str = "172.30.0.2";

/// A host with clients, and a container with a TCP server.
pub struct Site {
    pub host: Namespace,
    pub client: Namespace,
    _container: Namespace,
    _server: TcpEcho,
}

impl Site {
    pub fn new() -> Site {
        let Topology { host, client } = Topology::new();
        let container = Namespace::new();
        let peer = ["peer", "name", "eth0", "netns", &container.path()];
        host.run(&[&["ip", "link", "add", "docker0", "type", "veth"], &peer[..]].concat());
        host.run(&["ip", "address", "add", "172.30.0.1/24", "dev", "docker0"]);
        host.run(&["ip", "link", "set", "docker0", "up"]);
        container.run(&["ip", "address", "add", &format!("{CONTAINER}/24"), "dev", "eth0"]);
        container.run(&["ip", "link", "set", "eth0", "up"]);
        container.run(&["ip", "route", "add", "default", "via", "172.30.0.1"]);
        host.run(&["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
        for rule in [
            "-N DOCKER".to_owned(),
            "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER".to_owned(),
            format!("-A DOCKER ! -i docker0 -p tcp --dport {PORT} -j DNAT --to {CONTAINER}:80"),
        ] {
            let rule: Vec<&str> = rule.split(' ').collect();
            host.run(&[&["iptables", "-t", "nat"], &rule[..]].concat());
        }
        let server = tcp_echo(&container, 80);
        Site { host, client, _container: container, _server: server }
    }
}
