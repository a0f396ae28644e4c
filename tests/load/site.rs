//! The host with Docker that the clients connect to.

use std::fs;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

use super::client::echo;
use super::kind::Kind;
use super::ports::Ports;
use super::support::{Docker, TcpEcho, Topology, UdpEcho, remove, tcp_echo, udp_echo, wait_for};

/// Conntrack time-outs in seconds, for those whose default is longer than a run.
const TIMEOUTS: [(&str, &str); 4] = [
    ("tcp_timeout_close", "1"),
    ("tcp_timeout_time_wait", "1"),
    ("udp_timeout", "1"),
    ("udp_timeout_stream", "1"),
];

/// A host with Docker and a container whose port 80 is published over TCP and UDP.
pub struct Site {
    pub topology: Topology,
    pub docker: Docker,
    /// The ports of each kind, shared by all runs, so that no run reuses the flows of another.
    ports: [Mutex<Ports>; Kind::COUNT],
    _servers: (TcpEcho, UdpEcho),
}

impl Site {
    /// A host whose `INPUT` drops the published ports, and whose Docker also translates IPv6, so
    /// that no guard is needed.
    pub fn closed() -> Site {
        Site::new(Topology::closed(), &Docker::IPV6, Ports::ALL)
    }

    /// A stock host. docker-proxy accepts connections over IPv6 and, without the guard, whatever is
    /// not translated.
    pub fn stock() -> Site {
        Site::new(Topology::new(), &[], Ports::PROXIED)
    }

    fn new(topology: Topology, flags: &[&str], ipv6_ports: Range<u16>) -> Site {
        let docker = Docker::start(&topology.host, flags);
        docker.run("echo", &["-p", "8080:80", "-p", "8080:80/udp"], "exec sleep 10000");
        let container = docker.namespace("echo");
        let servers = (tcp_echo(&container, 80), udp_echo(&container, 80));
        topology.host.inside(|| {
            for (name, seconds) in TIMEOUTS {
                let path = format!("/proc/sys/net/netfilter/nf_conntrack_{name}");
                fs::write(&path, seconds).unwrap_or_else(|error| panic!("{path}: {error}"));
            }
        });
        let range = |ipv6: bool| if ipv6 { ipv6_ports.clone() } else { Ports::ALL };
        let ports = Kind::all().map(|kind| Mutex::new(Ports::new(range(kind.is_ipv6))));
        let site = Site { topology, docker, ports, _servers: servers };
        site.is_open();
        site
    }

    /// The source ports for connections of this kind, for one client at a time.
    pub fn ports(&self, kind: Kind) -> MutexGuard<'_, Ports> {
        self.ports[kind.index()].lock().expect("the ports")
    }

    /// Positive control: without dwnl's rules every client gets in.
    fn is_open(&self) {
        remove(&self.topology.host);
        for kind in Kind::all() {
            let answered =
                || self.topology.client.inside(|| echo(kind, &mut self.ports(kind))).ok();
            wait_for(&format!("an answer: {kind}"), answered);
        }
    }
}
