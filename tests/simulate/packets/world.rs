//! A host between two networks and a container, and what becomes of real packets there.

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::socket::{setsockopt, sockopt::BindToDevice};
use nix::unistd::Pid;
use socket2::{Domain, Protocol, Socket, Type};

use super::super::support::{Namespace, Topology};
use super::frame::{First, Seen, TCP, UDP, marker, parse};

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was delivered by this interface, or to the host itself.
    Arrived { at: Option<&'static str>, address: Option<IpAddr>, port: u16 },
    /// The sender was told that it was not.
    Rejected,
    /// Nothing was seen of it.
    Lost,
}

/// A host with `eth0` and `eth1`, each to clients, and the bridge `docker0` to a container. The
/// clients and the container have no addresses: their interfaces are watched.
pub struct World {
    pub host: Namespace,
    _client: Namespace,
    _container: Namespace,
    /// Sends from the clients, by interface and version of IP.
    senders: [[Socket; 2]; 2],
    /// Sends from the host.
    own: Socket,
    /// Sees every frame of a namespace: host, client, container.
    taps: [Socket; 3],
    /// Receives what is delivered to the host, after all of its hooks.
    local: Vec<Socket>,
    markers: u32,
}

const HOST: &str = "
    link set eth0 address 02:00:00:00:00:01
    link set eth1 address 02:00:00:00:00:02
    link add docker0 type bridge
    address add 172.17.0.1/16 dev docker0
    address add fd17::1/64 dev docker0 nodad
    address add 2001:db8:1::1/64 dev eth1 nodad
    link set docker0 up
    neigh replace 192.0.2.2 lladdr 02:00:00:00:01:01 dev eth0
    neigh replace 2001:db8::2 lladdr 02:00:00:00:01:01 dev eth0
    neigh replace 198.51.100.2 lladdr 02:00:00:00:01:02 dev eth1
    neigh replace 2001:db8:1::2 lladdr 02:00:00:00:01:02 dev eth1
    route add 10.9.0.0/24 via 192.0.2.2
    route add fd09::/64 via 2001:db8::2 dev eth0
    route add 10.10.0.0/24 via 198.51.100.2
    route add fd10::/64 via 2001:db8:1::2 dev eth1";

/// The bridge takes over the hardware address of its port, and forgets its neighbours.
const PORT: &str = "
    link set veth0 up
    neigh replace 172.17.0.2 lladdr 02:00:00:00:02:01 dev docker0
    neigh replace fd17::2 lladdr 02:00:00:00:02:01 dev docker0";

const CLIENT: &str = "
    address flush dev eth0
    address flush dev eth1
    link set eth0 address 02:00:00:00:01:01
    link set eth1 address 02:00:00:00:01:02
    neigh replace 192.0.2.1 lladdr 02:00:00:00:00:01 dev eth0
    neigh replace 198.51.100.1 lladdr 02:00:00:00:00:02 dev eth1
    neigh replace fe80::1 lladdr 02:00:00:00:00:01 dev eth0
    neigh replace fe80::2 lladdr 02:00:00:00:00:02 dev eth1
    address add 203.0.113.1/32 dev lo
    route add default via 192.0.2.1 dev eth0 onlink
    route add default via 198.51.100.1 dev eth1 onlink metric 9
    -6 route add default via fe80::1 dev eth0 metric 8
    -6 route add default via fe80::2 dev eth1 metric 9";

/// Forwards, answers every packet that is rejected, and takes packets by any interface.
const SETTINGS: &str = "
    cd /proc/sys/net
    echo 1 >ipv4/ip_forward
    echo 1 >ipv6/conf/all/forwarding
    echo 0 >ipv4/icmp_ratelimit
    echo 0 >ipv6/icmp/ratelimit
    echo 1000000 >ipv4/icmp_msgs_per_sec
    echo 1000000 >ipv4/icmp_msgs_burst
    for i in all eth0 eth1 docker0; do
        echo 0 >ipv4/conf/$i/rp_filter
        echo 0 >ipv4/conf/$i/send_redirects
    done";

/// The hardware addresses of the clients and the container, with the host's interfaces to them.
const PEERS: [([u8; 6], &str); 3] =
    [([2, 0, 0, 0, 1, 1], "eth0"), ([2, 0, 0, 0, 1, 2], "eth1"), ([2, 0, 0, 0, 2, 1], "docker0")];

impl World {
    pub fn new() -> World {
        stay_on_one_cpu();
        let Topology { host, client } = Topology::new();
        let container = Namespace::new();
        batch(&host, HOST);
        let link = "link add veth0 master docker0 type veth peer name eth0 netns";
        batch(&host, &format!("{link} {}", container.path()));
        batch(&host, PORT);
        batch(&container, "link set eth0 address 02:00:00:00:02:01\nlink set eth0 up");
        batch(&client, CLIENT);
        host.run(&["sh", "-ec", SETTINGS]);
        let senders = ["eth0", "eth1"].map(|interface| {
            [Domain::IPV4, Domain::IPV6].map(|domain| {
                let socket = raw(&client, domain, libc::IPPROTO_RAW);
                setsockopt(&socket, BindToDevice, &interface.into()).expect("to bind to a device");
                socket
            })
        });
        let own = raw(&host, Domain::IPV4, libc::IPPROTO_RAW);
        let taps = [&host, &client, &container].map(tap);
        let protocols = [TCP, UDP].map(i32::from);
        let local = [Domain::IPV4, Domain::IPV6]
            .map(|domain| protocols.map(|protocol| raw(&host, domain, protocol)));
        let local = local.into_iter().flatten().collect();
        World {
            host,
            _client: client,
            _container: container,
            senders,
            own,
            taps,
            local,
            markers: 0,
        }
    }

    /// Sends the first packet of a flow, and finds out what becomes of it. The host handles the
    /// packets of one CPU in their order, so it is done with this one when a later one is seen.
    pub fn send(&mut self, interface: usize, first: &First) -> Fate {
        self.drain();
        let senders = &self.senders[interface];
        let sender = &senders[usize::from(first.source.is_ipv6())];
        sender.send_to(&first.bytes(), &to(first.destination)).expect("to send a packet");
        let from = "192.0.2.1".parse().expect("an address");
        let mut seen = Vec::new();
        self.markers += 1;
        let host: IpAddr = "192.0.2.3".parse().expect("an address");
        let ahead = marker("203.0.113.1".parse().expect("an address"), host, self.markers);
        self.senders[interface][0].send_to(&ahead, &to(host)).expect("to send a marker");
        seen.extend(self.wait(0, self.markers));
        for (tap, address) in [(2, "172.17.0.2"), (1, "192.0.2.2"), (1, "198.51.100.2")] {
            self.markers += 1;
            let address: IpAddr = address.parse().expect("an address");
            let behind = marker(from, address, self.markers);
            self.own.send_to(&behind, &to(address)).expect("to send a marker");
            seen.extend(self.wait(tap, self.markers));
        }
        self.fate(first, &seen)
    }

    fn fate(&mut self, sent: &First, seen: &[(Option<&'static str>, Seen)]) -> Fate {
        if let Some((address, port)) = self.delivered(sent) {
            return Fate::Arrived { at: None, address, port };
        }
        let arrived = seen.iter().find_map(|(at, it)| match it {
            Seen::First(it) if it.source_port == sent.source_port => {
                Some(Fate::Arrived { at: *at, address: Some(it.destination), port: it.port })
            }
            _ => None,
        });
        let is_rejected = |(_, it): &(_, Seen)| *it == Seen::Rejected(sent.source_port);
        arrived.unwrap_or(if seen.iter().any(is_rejected) { Fate::Rejected } else { Fate::Lost })
    }

    /// Where on the host the packet was delivered. Of IPv6 the kernel passes on no header.
    fn delivered(&mut self, sent: &First) -> Option<(Option<IpAddr>, u16)> {
        for socket in &self.local {
            while let Some(bytes) = receive(socket) {
                let header = [sent.source_port.to_be_bytes(), [0; 2]].concat();
                match parse(&bytes) {
                    Some(Seen::First(it)) if it.source_port == sent.source_port => {
                        return Some((Some(it.destination), it.port));
                    }
                    _ if bytes.len() >= 4 && bytes[..2] == header[..2] => {
                        return Some((None, u16::from_be_bytes([bytes[2], bytes[3]])));
                    }
                    _ => {}
                }
            }
        }
        None
    }

    /// What a tap sees until a marker, with the host's interface that it left by.
    fn wait(&self, tap: usize, number: u32) -> Vec<(Option<&'static str>, Seen)> {
        let mut seen = Vec::new();
        loop {
            let Some(frame) = receive(&self.taps[tap]) else {
                let mut polled = [PollFd::new(self.taps[tap].as_fd(), PollFlags::POLLIN)];
                let ready = poll(&mut polled, PollTimeout::from(60_000_u16)).expect("to poll");
                assert_eq!(ready, 1, "marker {number} is missing at {tap}");
                continue;
            };
            match frame.get(14..).and_then(parse) {
                Some(Seen::Marker(it)) if it == number => return seen,
                Some(it) if tap > 0 => {
                    let peer = PEERS.iter().find(|(address, _)| frame.starts_with(address));
                    seen.extend(peer.map(|(_, interface)| (Some(*interface), it)));
                }
                _ => {}
            }
        }
    }

    fn drain(&self) {
        for socket in self.taps.iter().chain(&self.local) {
            while receive(socket).is_some() {}
        }
    }
}

/// The kernel handles packets between namespaces in their order as long as one CPU sends them.
fn stay_on_one_cpu() {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this).expect("the CPUs");
    let mut one = CpuSet::new();
    let first = (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu) == Ok(true));
    one.set(first.expect("a CPU")).expect("a CPU");
    sched_setaffinity(this, &one).expect("to stay on a CPU");
}

fn batch(namespace: &Namespace, commands: &str) {
    let lines: Vec<&str> = commands.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    let (v6, v4): (Vec<&str>, Vec<&str>) = lines.iter().partition(|it| it.starts_with("-6 "));
    namespace.try_run(&["ip", "-batch", "-"], &(v4.join("\n") + "\n")).succeeded();
    let v6: Vec<&str> = v6.iter().map(|it| &it[3..]).collect();
    namespace.try_run(&["ip", "-6", "-batch", "-"], &(v6.join("\n") + "\n")).succeeded();
}

fn raw(namespace: &Namespace, domain: Domain, protocol: i32) -> Socket {
    let open = || Socket::new(domain, Type::from(libc::SOCK_RAW), Some(Protocol::from(protocol)));
    let socket = namespace.inside(open).expect("a raw socket");
    socket.set_nonblocking(true).expect("a socket that does not block");
    socket
}

/// A socket that sees every frame.
fn tap(namespace: &Namespace) -> Socket {
    let every = i32::from((libc::ETH_P_ALL as u16).to_be());
    let socket = raw(namespace, Domain::from(libc::AF_PACKET), every);
    socket.set_recv_buffer_size(1 << 20).expect("a buffer");
    socket
}

fn receive(mut socket: &Socket) -> Option<Vec<u8>> {
    let mut buffer = [0; 2048];
    match socket.read(&mut buffer) {
        Ok(length) => Some(buffer[..length].to_vec()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("a raw socket: {error}"),
    }
}

/// The port has no meaning for a raw socket, and has to be 0 for IPv6.
fn to(address: IpAddr) -> socket2::SockAddr {
    SocketAddr::new(address, 0).into()
}
