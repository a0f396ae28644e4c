//! A host that receives real packets and reports whether each was let in.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt::Mark};
use socket2::{Domain, Protocol, Socket, Type};

use super::super::support::{Namespace, Topology, wait_for};
use super::model::{DESTINATIONS, PORTS, Packet, SOURCES, destination, source};

/// A host whose chain `DOCKER` translates every packet that is let in to one listener. Packets that
/// stay untranslated go to another.
pub struct Range {
    pub topology: Topology,
    let_in: Listeners,
    kept_out: Listeners,
    /// Listeners on each port, in the role of docker-proxy.
    proxies: Vec<Listeners>,
    source_port: u16,
}

/// The host's addresses of the two listeners.
const LET_IN: usize = 0xfa;
const KEPT_OUT: usize = 0xfb;
const PORT: u16 = 7000;

/// Static neighbours, so that no packet waits for neighbour discovery. Packets are routed through
/// eth0, and those with the client's mark through eth1.
const HOST: &str = "
    link set eth0 address 02:00:00:00:00:01
    link set eth1 address 02:00:00:00:00:02
    neigh replace 192.0.2.2 lladdr 02:00:00:00:01:01 dev eth0
    neigh replace 2001:db8::2 lladdr 02:00:00:00:01:01 dev eth0
    route add 10.9.255.0/24 via 192.0.2.2
    route add 10.10.0.0/24 via 192.0.2.2
    route add fd09::/64 via 2001:db8::2 dev eth0";
const CLIENT: &str = "
    link set eth0 address 02:00:00:00:01:01
    link set eth1 address 02:00:00:00:01:02
    neigh replace 192.0.2.1 lladdr 02:00:00:00:00:01 dev eth0
    neigh replace 2001:db8::1 lladdr 02:00:00:00:00:01 dev eth0
    neigh replace 198.51.100.1 lladdr 02:00:00:00:00:02 dev eth1
    neigh replace 2001:db8:1::1 lladdr 02:00:00:00:00:02 dev eth1
    route add 10.8.0.0/24 via 192.0.2.1
    route add fd08::/64 via 2001:db8::1 dev eth0
    route add 10.8.0.0/24 via 198.51.100.1 table 100
    route add fd08::/64 via 2001:db8:1::1 dev eth1 onlink table 100
    rule add fwmark 1 table 100";

/// Disables the rate limits of ICMP errors.
const DISABLE_RATELIMIT: &str =
    "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit; echo 0 > /proc/sys/net/ipv6/icmp/ratelimit";

/// Accepts packets with a source address of eth0 on both interfaces.
const DISABLE_RP_FILTER: &str = "for interface in all eth0 eth1; do echo 0 > /proc/sys/net/ipv4/conf/$interface/rp_filter; done";

/// Translates packets that the chains of iptables have left untranslated.
const OBSERVER: &str = "
    table inet observer {
        chain prerouting {
            type nat hook prerouting priority dstnat + 1;
            ip daddr 10.8.0.0/24 meta l4proto { tcp, udp } dnat ip to 10.8.0.251:7000
            ip6 daddr fd08::/64 meta l4proto { tcp, udp } dnat ip6 to [fd08::fb]:7000
        }
    }";

/// Docker's chain translates packets from outside, whatever their port.
pub const TRANSLATED: [&str; 2] = ["! -i docker0 -p tcp", "! -i docker0 -p udp"];
/// Docker's chain translates nothing, but its rules publish the ports of the packets.
pub const PUBLISHED: [&str; 2] =
    ["-i docker0 -p tcp -m tcp --dport 5000:5003", "-i docker0 -p udp -m udp --dport 5000:5003"];

impl Range {
    /// A host whose chain `DOCKER` has rules with these conditions.
    pub fn new(conditions: &[&str]) -> Range {
        let topology = Topology::new();
        let Topology { host, client } = &topology;
        host.run(&["sh", "-c", DISABLE_RP_FILTER]);
        let destinations = (0..DESTINATIONS).chain([LET_IN, KEPT_OUT]);
        batch(host, HOST, destinations, destination);
        batch(client, CLIENT, 0..SOURCES, source);
        client.run(&["ip", "-6", "rule", "add", "fwmark", "1", "table", "100"]);
        for (iptables, to) in [("iptables", "10.8.0.250:7000"), ("ip6tables", "[fd08::fa]:7000")] {
            let nat = [iptables, "-t", "nat"];
            let local = ["-m", "addrtype", "--dst-type", "LOCAL", "-j", "DOCKER"];
            host.run(&[&nat, &["-N", "DOCKER"][..]].concat());
            host.run(&[&nat, &["-A", "PREROUTING"][..], &local].concat());
            for condition in conditions {
                let condition: Vec<&str> = condition.split(' ').collect();
                let translate = ["-j", "DNAT", "--to-destination", to];
                host.run(&[&nat, &["-A", "DOCKER"][..], &condition, &translate].concat());
            }
        }
        let at = |number, port| Listeners::new(host, port, |is_ip6| destination(is_ip6, number));
        let let_in = at(LET_IN, PORT);
        let kept_out = at(KEPT_OUT, PORT);
        let any = |is_ip6| if is_ip6 { "::" } else { "0.0.0.0" }.to_owned();
        let proxies = PORTS.map(|port| Listeners::new(host, port, any)).collect();
        Range { topology, let_in, kept_out, proxies, source_port: 10_000 }
    }

    /// Also delivers packets that the chains of iptables leave untranslated.
    pub fn observe(&self) {
        self.topology.host.try_run(&["nft", "-f", "-"], OBSERVER).succeeded();
    }

    pub fn has_sets(&self) -> bool {
        self.topology.host.run(&["nft", "list", "sets"]).contains("table inet dwnl")
    }

    /// Sends the packet, and waits until it has arrived at one of the listeners.
    pub fn is_let_in(&mut self, packet: &Packet) -> bool {
        // A new source port for each flow: for a known flow the kernel would reuse the earlier
        // verdict.
        self.source_port += 1;
        let _sender = send(&self.topology.client, packet, self.source_port);
        let [let_in, kept_out] =
            [&self.let_in, &self.kept_out].map(|listeners| listeners.of(packet));
        let mut polled = [let_in, kept_out].map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN));
        let number = poll(&mut polled, PollTimeout::from(60_000_u16)).expect("to poll");
        assert_eq!(number, 1, "arrived nowhere or twice: {packet:?}");
        let is_let_in = polled[0].any() == Some(true);
        let listener = if is_let_in { let_in } else { kept_out };
        assert_eq!(sender_of(listener, packet.is_udp).port(), self.source_port, "{packet:?}");
        is_let_in
    }
}

impl Range {
    /// Makes the guard reject instead of drop, so that no test waits for a time-out.
    pub fn answer_refusals(&self) {
        for answer in ["reject", "meta l4proto tcp reject with tcp reset"] {
            let rule = format!("insert rule inet dwnl proxied index 2 {answer}");
            self.topology.host.run(&["nft", &rule]);
        }
        self.topology.host.run(&["sh", "-c", DISABLE_RATELIMIT]);
    }

    /// Sends the packet, and waits until it has arrived or was answered.
    pub fn is_accepted(&mut self, packet: &Packet) -> bool {
        self.source_port += 1;
        let sender = send(&self.topology.client, packet, self.source_port);
        let proxy = self.proxies.get(usize::from(packet.port - PORTS.start()));
        let listener = proxy.expect("a listener").of(packet);
        let mut polled = [
            PollFd::new(listener.as_fd(), PollFlags::POLLIN),
            PollFd::new(sender.as_fd(), PollFlags::empty()),
        ];
        wait_for("the packet or an answer to it", || {
            let number = poll(&mut polled, PollTimeout::from(100_u16)).expect("to poll");
            if number == 0 && packet.is_udp {
                // The answer was rate-limited nevertheless.
                let _ = sender.send(b"ping");
            }
            (number > 0).then_some(())
        });
        let is_accepted = polled[0].any() == Some(true);
        if is_accepted {
            let port = sender_of(listener, packet.is_udp).port();
            assert_eq!(port, self.source_port, "{packet:?}");
        } else {
            let error = sender.take_error().expect("the sender's state");
            assert!(error.is_some(), "neither arrived nor answered: {packet:?}");
        }
        is_accepted
    }
}

fn batch(
    namespace: &Namespace,
    commands: &str,
    numbers: impl Iterator<Item = usize>,
    name: fn(bool, usize) -> String,
) {
    let mut text = String::new();
    for number in numbers {
        text += &format!("address add {}/32 dev lo\n", name(false, number));
        text += &format!("address add {}/128 dev lo nodad\n", name(true, number));
    }
    namespace.try_run(&["ip", "-batch", "-"], &format!("{text}{commands}\n")).succeeded();
}

/// Starts the flow and returns its socket.
fn send(client: &Namespace, packet: &Packet, port: u16) -> Socket {
    let from = address(&source(packet.is_ip6, packet.source), port);
    let to = address(&destination(packet.is_ip6, packet.destination), packet.port);
    let socket = client.inside(|| socket(from, packet.is_udp));
    if packet.interface == 1 {
        setsockopt(&socket, Mark, &1).expect("to mark the packets");
    }
    socket.bind(&from.into()).expect("to bind to the source");
    socket.set_nonblocking(true).expect("a socket that does not block");
    if packet.is_udp {
        // A connected UDP socket receives ICMP errors.
        socket.connect(&to.into()).expect("to connect a UDP socket");
        socket.send(b"ping").expect("to send");
    } else {
        // The handshake completes in the background.
        let _ = socket.connect(&to.into());
    }
    socket
}

/// The sender of the datagram or connection that has arrived.
fn sender_of(listener: &Socket, is_udp: bool) -> SocketAddr {
    let sender = if is_udp {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 8];
        listener.recv_from(&mut buffer).expect("a datagram").1
    } else {
        listener.accept().expect("a connection").1
    };
    sender.as_socket().expect("an address")
}

/// The sockets of one host address: TCP and UDP for each family.
struct Listeners([[Socket; 2]; 2]);

impl Listeners {
    fn new(host: &Namespace, port: u16, name: impl Fn(bool) -> String + Sync) -> Listeners {
        let listen = |is_ip6, is_udp| {
            let address = address(&name(is_ip6), port);
            let socket = host.inside(|| socket(address, is_udp));
            if is_ip6 {
                socket.set_only_v6(true).expect("an IPv6-only socket");
            }
            socket.bind(&address.into()).expect("to bind to the listener's address");
            if !is_udp {
                socket.listen(128).expect("to listen");
            }
            socket
        };
        Listeners([false, true].map(|is_ip6| [false, true].map(|is_udp| listen(is_ip6, is_udp))))
    }

    fn of(&self, packet: &Packet) -> &Socket {
        &self.0[usize::from(packet.is_ip6)][usize::from(packet.is_udp)]
    }
}

fn socket(address: SocketAddr, is_udp: bool) -> Socket {
    let (kind, protocol) =
        if is_udp { (Type::DGRAM, Protocol::UDP) } else { (Type::STREAM, Protocol::TCP) };
    Socket::new(Domain::for_address(address), kind, Some(protocol)).expect("a socket")
}

fn address(text: &str, port: u16) -> SocketAddr {
    SocketAddr::new(text.parse::<IpAddr>().expect("an address"), port)
}
