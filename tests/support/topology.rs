//! A host and its clients.

use super::Namespace;

/// A host with two interfaces, and one namespace for all of its clients. Both networks use
/// documentation addresses. Tests may add addresses to the clients.
pub struct Topology {
    /// The host: `eth0` has 192.0.2.1, 192.0.2.3 and 2001:db8::1, `eth1` has 198.51.100.1.
    pub host: Namespace,
    /// The clients: [`Self::ALLOWED`] and the others on `eth0`, 198.51.100.2 on `eth1`.
    pub client: Namespace,
}

impl Topology {
    /// The host's address.
    pub const HOST: &str = "192.0.2.1";
    /// The host's second address, on the same interface.
    pub const HOST_SECOND: &str = "192.0.2.3";
    /// The host's IPv6 address.
    pub const HOST6: &str = "2001:db8::1";
    /// The host's address on its second interface.
    pub const HOST_ETH1: &str = "198.51.100.1";
    /// The client that the policies allow.
    pub const ALLOWED: &str = "192.0.2.2";
    /// The client that the policies do not allow.
    pub const REFUSED: &str = "192.0.2.66";
    /// The IPv6 client that the policies allow.
    pub const ALLOWED6: &str = "2001:db8::2";
    /// The IPv6 client that the policies do not allow.
    pub const REFUSED6: &str = "2001:db8::66";
    /// The client on the second interface.
    pub const CLIENT_ETH1: &str = "198.51.100.2";

    /// Creates the links and assigns the addresses.
    pub fn new() -> Topology {
        let (host, client) = (Namespace::new(), Namespace::new());
        for interface in ["eth0", "eth1"] {
            let peer = ["peer", "name", interface, "netns", &client.path()];
            host.run(&[&["ip", "link", "add", interface, "type", "veth"], &peer[..]].concat());
            host.run(&["ip", "link", "set", interface, "up"]);
            client.run(&["ip", "link", "set", interface, "up"]);
        }
        for address in [Self::HOST, Self::HOST_SECOND] {
            assign(&host, "eth0", address);
        }
        assign(&host, "eth0", Self::HOST6);
        assign(&host, "eth1", Self::HOST_ETH1);
        for address in [Self::ALLOWED, Self::REFUSED, Self::ALLOWED6, Self::REFUSED6] {
            assign(&client, "eth0", address);
        }
        assign(&client, "eth1", Self::CLIENT_ETH1);
        Topology { host, client }
    }

    /// A topology whose `INPUT` drops the ports that the tests publish. Without the guard dwnl
    /// relies on this: docker-proxy would accept packets that are not translated.
    pub fn closed() -> Topology {
        let topology = Topology::new();
        for iptables in ["iptables", "ip6tables"] {
            for protocol in ["tcp", "udp"] {
                let ports = ["-p", protocol, "--dport", "8080:8099", "-j", "DROP"];
                topology.host.run(&[&[iptables, "-A", "INPUT"], &ports[..]].concat());
            }
        }
        topology
    }

    /// Adds an address to the clients on `eth0`.
    pub fn add_client(&self, address: &str) {
        assign(&self.client, "eth0", address);
    }
}

fn assign(namespace: &Namespace, interface: &str, address: &str) {
    let length = if address.contains(':') { 64 } else { 24 };
    let address = format!("{address}/{length}");
    // Without duplicate address detection the address is usable immediately.
    let args = ["ip", "address", "add", &address, "dev", interface];
    let nodad: &[&str] = if length == 64 { &["nodad"] } else { &[] };
    namespace.run(&[&args[..], nodad].concat());
}
