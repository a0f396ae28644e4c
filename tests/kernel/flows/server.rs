//! Terminated flows whose server sends first. Where the published port is the server's own, the
//! client cannot distinguish such packets from those of the old flow.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::super::UNGUARDED;
use super::site::{CUT, FAMILIES, Family, Site};
use crate::support::{Topology, apply};

/// The published port, which is also the container's.
const PORT: u16 = 80;
const UNRELATED: &str = "203.0.113.1";

fn policy(source: &str) -> String {
    format!("[[allow]]\nports = [\"80/tcp\", \"80/udp\"]\nfrom = [\"{source}\"]\n{UNGUARDED}{CUT}")
}

/// The two ends of a flow, each with a short read time-out.
struct Tcp {
    client: TcpStream,
    server: TcpStream,
}

fn connect(family: Family) -> TcpStream {
    let at = |address: &str, port| SocketAddr::new(address.parse().expect("an address"), port);
    let target = at(family.host, PORT);
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, None).expect("a socket");
    socket.bind(&at(family.client, 0).into()).expect("to bind to the source");
    socket.connect(&target.into()).expect("a connection");
    socket.into()
}

impl Tcp {
    fn open(site: &Site, family: Family) -> Tcp {
        let at = (family.container, PORT);
        let listener = site.container.inside(|| TcpListener::bind(at)).expect("a listener");
        let client = site.topology.client.inside(|| connect(family));
        let (server, _) = listener.accept().expect("a connection");
        for end in [&client, &server] {
            end.set_read_timeout(Some(SILENCE)).expect("a time-out");
        }
        Tcp { client, server }
    }

    /// Whether data from the server reaches the client.
    fn pushes(&mut self) -> bool {
        self.server.write_all(b"push").is_ok() && self.client.read_exact(&mut [0; 4]).is_ok()
    }

    /// Whether data from the client reaches the server.
    fn answers(&mut self) -> bool {
        self.client.write_all(b"back").is_ok() && self.server.read_exact(&mut [0; 4]).is_ok()
    }
}

struct Udp {
    client: UdpSocket,
    server: UdpSocket,
    seen_as: SocketAddr,
}

impl Udp {
    fn open(site: &Site, family: Family) -> Udp {
        let server = || UdpSocket::bind((family.container, PORT));
        let server = site.container.inside(server).expect("a UDP socket");
        let client = || UdpSocket::bind((family.client, 0));
        let client = site.topology.client.inside(client).expect("a UDP socket");
        client.connect((family.host, PORT)).expect("to connect a UDP socket");
        for end in [&client, &server] {
            end.set_read_timeout(Some(SILENCE)).expect("a time-out");
        }
        client.send(b"first").expect("to send");
        let (_, seen_as) = server.recv_from(&mut [0; 5]).expect("a datagram");
        Udp { client, server, seen_as }
    }

    fn pushes(&self) -> bool {
        self.server.send_to(b"push", self.seen_as).is_ok() && self.client.recv(&mut [0; 4]).is_ok()
    }

    fn answers(&self) -> bool {
        // Discards the error that an earlier datagram caused.
        let _ = self.client.take_error();
        self.client.send(b"back").is_ok() && self.server.recv(&mut [0; 4]).is_ok()
    }
}

const SILENCE: Duration = Duration::from_millis(1500);

#[test]
fn a_terminated_flow_cannot_be_resumed_by_its_server() {
    for family in FAMILIES {
        let site = Site::without_servers();
        let host = &site.topology.host;
        apply(host, &policy(family.client));
        let (mut tcp, udp) = (Tcp::open(&site, family), Udp::open(&site, family));
        let pushes = |tcp: &mut Tcp| (tcp.pushes(), udp.pushes());
        let answers = |tcp: &mut Tcp| (tcp.answers(), udp.answers());
        assert_eq!(pushes(&mut tcp), (true, true), "{family:?}");
        assert_eq!(answers(&mut tcp), (true, true), "{family:?}");

        let outcome = apply(host, &policy(UNRELATED));
        assert_eq!(outcome["flows_terminated"], 2, "{family:?}: {outcome}");
        for _ in 0..2 {
            assert_eq!(pushes(&mut tcp), (false, false), "{family:?}");
            assert_eq!(answers(&mut tcp), (false, false), "{family:?}");
        }
        let reset = tcp.server.write_all(b"push").expect_err("a connection that is reset");
        assert_eq!(reset.kind(), std::io::ErrorKind::BrokenPipe, "{family:?}");

        apply(host, &policy(family.client));
        assert!(udp.answers(), "{family:?}: the same client, allowed again");
    }
}

#[test]
fn the_flow_of_a_continuously_sending_server_is_terminated() {
    let site = Site::without_servers();
    let host = &site.topology.host;
    apply(host, &policy(Topology::ALLOWED));
    let udp = Udp::open(&site, FAMILIES[0]);
    udp.client.set_read_timeout(Some(Duration::from_millis(300))).expect("a time-out");
    let stopped = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stopped.load(Ordering::Relaxed) {
                let _ = udp.server.send_to(b"push", udp.seen_as);
            }
        });
        udp.client.recv(&mut [0; 4]).expect("a datagram");
        let outcome = apply(host, &policy(UNRELATED));
        let drained = (0..1_000_000).any(|_| udp.client.recv(&mut [0; 4]).is_err());
        stopped.store(true, Ordering::Relaxed);
        assert_eq!(outcome["flows_terminated"], 1, "{outcome}");
        assert!(drained, "the client still receives datagrams");
    });
}

/// Clients at two addresses, with the same source ports, that use two published ports of the same
/// container port.
#[test]
fn flows_of_many_clients_are_terminated_together() {
    let site = Site::new();
    let host = &site.topology.host;
    let both = |source| policy(source).replace("\"80/udp\"", "\"80/udp\", \"8080/udp\"");
    apply(host, &both("192.0.2.0/24"));
    let open_flows = || {
        for client in [Topology::ALLOWED, Topology::REFUSED] {
            for port in 20_000..20_100 {
                let socket = UdpSocket::bind((client, port)).expect("a UDP socket");
                for published in [PORT, 8080] {
                    socket.send_to(b"call", (Topology::HOST, published)).expect("to send");
                    socket.recv(&mut [0; 4]).expect("an answer");
                }
            }
        }
    };
    site.topology.client.inside(open_flows);
    let outcome = apply(host, &both(UNRELATED));
    assert_eq!(outcome["flows_terminated"], 400, "{outcome}");
    assert_eq!(outcome["warnings"].as_array().map(Vec::len), Some(0), "{outcome}");
}
