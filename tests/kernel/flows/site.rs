//! A host that publishes a container's port with Docker's rules, without docker-proxy.

use crate::support::{
    Datagrams, Namespace, TcpEcho, Topology, UNGUARDED, UdpEcho, tcp_echo, udp_echo,
};

/// Echo servers on port 80 of a container, published as 8080, and on the host's own port 8090.
pub struct Site {
    pub topology: Topology,
    pub container: Namespace,
    _servers: Vec<(UdpEcho, TcpEcho)>,
}

/// The addresses of one family.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    pub host: &'static str,
    pub container: &'static str,
    pub client: &'static str,
    pub other: &'static str,
}

pub const FAMILIES: [Family; 2] = [
    Family {
        host: Topology::HOST,
        container: "172.17.0.2",
        client: Topology::ALLOWED,
        other: Topology::REFUSED,
    },
    Family {
        host: Topology::HOST6,
        container: "fd00:db8::2",
        client: Topology::ALLOWED6,
        other: Topology::REFUSED6,
    },
];

/// The port that the container publishes.
pub const PUBLISHED: u16 = 8080;
/// The port of a service on the host itself.
pub const HOSTS_OWN: u16 = 8090;

/// Docker's rules for one family. Port 80 is also published as port 80.
fn rules(bridge: &str, container: &str, network: &str) -> String {
    let port = |protocol: &str, port: u16, inside: u16| {
        format!(
            "-A DOCKER ! -i {bridge} -p {protocol} -m {protocol} --dport {port} -j DNAT \
             --to-destination {container}:{inside}\n"
        )
    };
    let ports: String = ["tcp", "udp"].map(|p| port(p, PUBLISHED, 80) + &port(p, 80, 80)).concat();
    format!(
        "*nat\n:DOCKER - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n\
         -A POSTROUTING -s {network} ! -o {bridge} -j MASQUERADE\n\
         -A DOCKER -i {bridge} -j RETURN\n{ports}COMMIT\n"
    )
}

impl Site {
    pub fn new() -> Site {
        let mut site = Site::without_servers();
        for (namespace, port) in [(&site.container, 80), (&site.topology.host, HOSTS_OWN)] {
            site._servers.push((udp_echo(namespace, port), tcp_echo(namespace, port)));
        }
        site
    }

    /// A host and a container without servers.
    pub fn without_servers() -> Site {
        let (topology, container) = (Topology::new(), Namespace::new());
        let host = &topology.host;
        let peer = ["peer", "name", "eth0", "netns", &container.path()];
        host.run(&["ip", "link", "add", "docker0", "type", "bridge"]);
        host.run(&[&["ip", "link", "add", "veth0123456", "type", "veth"], &peer[..]].concat());
        host.run(&["ip", "link", "set", "veth0123456", "master", "docker0", "up"]);
        for (namespace, interface, number) in [(host, "docker0", "1"), (&container, "eth0", "2")] {
            // Otherwise the link-local address is not usable for the first packet.
            let dad = format!("net.ipv6.conf.{interface}.dad_transmits=0");
            namespace.run(&["sysctl", "-qw", &dad]);
            namespace.run(&["ip", "link", "set", interface, "up"]);
            let v4 = format!("172.17.0.{number}/16");
            let v6 = format!("fd00:db8::{number}/64");
            namespace.run(&["ip", "address", "add", &v4, "dev", interface]);
            namespace.run(&["ip", "address", "add", &v6, "dev", interface, "nodad"]);
        }
        container.run(&["ip", "route", "add", "default", "via", "172.17.0.1"]);
        container.run(&["ip", "route", "add", "default", "via", "fd00:db8::1"]);
        host.run(&["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
        let site = Site { topology, container, _servers: Vec::new() };
        site.publish();
        site
    }

    /// Loads Docker's rules, replacing what the tables hold.
    pub fn publish(&self) {
        let restore = |program: &str, rules: &str| {
            self.topology.host.try_run(&[program, "--noflush"], rules).succeeded()
        };
        restore("iptables-restore", &rules("docker0", "172.17.0.2", "172.17.0.0/16"));
        restore("ip6tables-restore", &rules("docker0", "[fd00:db8::2]", "fd00:db8::/64"));
    }

    /// A UDP client in the clients' namespace.
    pub fn datagrams(&self, source: &str, target: &str, port: u16) -> Datagrams {
        Datagrams::open(&self.topology.client, source, target, port)
    }
}

/// Allows these sources to reach the published port. The guard is off: it drops the packets of
/// refused clients, which then leave no flow.
pub fn policy(sources: &[&str], settings: &str) -> String {
    let sources: Vec<String> = sources.iter().map(|source| format!("\"{source}\"")).collect();
    format!(
        "[[allow]]\nports = [\"8080/tcp\", \"8080/udp\"]\nfrom = [{}]\n{UNGUARDED}{settings}",
        sources.join(", ")
    )
}

/// Terminates flows that are no longer allowed.
pub const CUT: &str = "[revoke]\nestablished = \"cut\"\n";
