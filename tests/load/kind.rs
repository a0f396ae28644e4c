//! The eight kinds of connection.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use super::support::Topology;

/// The one published port, of both protocols.
pub const PORT: u16 = 8080;

/// The properties that determine a connection's path through the rules.
#[derive(Clone, Copy)]
pub struct Kind {
    pub is_tcp: bool,
    pub is_ipv6: bool,
    /// Whether all policies allow its source, or none.
    pub is_allowed: bool,
}

impl Kind {
    pub const COUNT: usize = 8;

    /// All kinds.
    pub fn all() -> [Kind; Kind::COUNT] {
        std::array::from_fn(|index| Kind {
            is_allowed: index & 4 == 0,
            is_tcp: index & 2 == 0,
            is_ipv6: index & 1 != 0,
        })
    }

    /// Its index among all kinds.
    pub fn index(self) -> usize {
        usize::from(!self.is_allowed) * 4
            + usize::from(!self.is_tcp) * 2
            + usize::from(self.is_ipv6)
    }

    /// The client's address and port.
    pub fn source(self, port: u16) -> SocketAddr {
        let address = match (self.is_allowed, self.is_ipv6) {
            (true, false) => Topology::ALLOWED,
            (true, true) => Topology::ALLOWED6,
            (false, false) => Topology::REFUSED,
            (false, true) => Topology::REFUSED6,
        };
        socket_address(address, port)
    }

    /// The published port.
    pub fn target(self) -> SocketAddr {
        socket_address(if self.is_ipv6 { Topology::HOST6 } else { Topology::HOST }, PORT)
    }

    /// A socket of its protocol in the namespace of the calling thread.
    pub fn socket(self) -> Socket {
        let (kind, protocol) = match self.is_tcp {
            true => (Type::STREAM, Protocol::TCP),
            false => (Type::DGRAM, Protocol::UDP),
        };
        let domain = Domain::for_address(self.target());
        Socket::new(domain, kind, Some(protocol)).expect("a socket")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let protocol = if self.is_tcp { "TCP" } else { "UDP" };
        let family = if self.is_ipv6 { "IPv6" } else { "IPv4" };
        let verdict = if self.is_allowed { "allowed" } else { "refused" };
        write!(f, "{protocol} over {family}, {verdict}")
    }
}

fn socket_address(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse::<IpAddr>().expect("an address"), port)
}
