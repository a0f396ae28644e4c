//! Who receives what arrives at a port of the host itself.

use std::net::{IpAddr, SocketAddr};

use crate::model::{Family, HostState, Listener, Name, Protocol};

/// Who receives a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Receiver {
    /// A container or another host, to which the packet is forwarded.
    Forwarded {
        /// The address and port.
        to: SocketAddr,
        /// The interface by which it leaves.
        out_interface: Name,
    },
    /// docker-proxy or dockerd, which pass it on to a container or answer it.
    Docker,
    /// Another process of the host, or of a container in the host's network.
    Process,
    /// No socket: the host refuses the connection, or answers the datagram with an error.
    Nobody,
    /// The kernel does not list the sockets of the protocol.
    Unknown,
}

impl Receiver {
    /// Who receives what arrives at this address and port of the host.
    pub fn at(host: &HostState, address: IpAddr, protocol: Protocol, port: u16) -> Receiver {
        let Some(listeners) = &host.listeners else { return Receiver::Unknown };
        let mut waiting = listeners
            .iter()
            .filter(|it| it.protocol == protocol && it.port == port && is_bound(it, address));
        let daemons = host.cgroups.iter().flat_map(|cgroups| &cgroups.daemons);
        let is_daemon = |id: u64| daemons.clone().any(|daemon| daemon.id == id);
        match waiting.next() {
            // Its diag module is missing wherever SCTP itself is not loaded, or cannot be loaded.
            None if protocol == Protocol::Sctp => Receiver::Unknown,
            None => Receiver::Nobody,
            Some(listener) if listener.cgroup.is_some_and(is_daemon) => Receiver::Docker,
            Some(_) => Receiver::Process,
        }
    }
}

/// Whether the socket receives what is for the address.
fn is_bound(listener: &Listener, address: IpAddr) -> bool {
    let is_of_version = match listener.family {
        Family::Ip => address.is_ipv4(),
        Family::Ip6 => address.is_ipv6(),
        _ => true,
    };
    is_of_version && listener.address.is_none_or(|bound| bound == address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cgroup, Cgroups};

    #[test]
    fn the_socket_of_the_address_receives() {
        let listener = |family, address: Option<&str>, protocol, port, cgroup| Listener {
            family,
            address: address.map(|it| it.parse().expect("an address")),
            protocol,
            port,
            cgroup: Some(cgroup),
        };
        let host = HostState {
            listeners: Some(vec![
                listener(Family::Ip, None, Protocol::Tcp, 8080, 7),
                listener(Family::Ip6, Some("2001:db8::1"), Protocol::Tcp, 8080, 7),
                listener(Family::Inet, None, Protocol::Udp, 53, 9),
            ]),
            cgroups: Some(Cgroups {
                daemons: vec![Cgroup { path: "system.slice/docker.service".to_owned(), id: 7 }],
                ..Cgroups::default()
            }),
            ..HostState::default()
        };
        let at = |address: &str, protocol, port| {
            Receiver::at(&host, address.parse().expect("an address"), protocol, port)
        };
        assert_eq!(at("192.0.2.1", Protocol::Tcp, 8080), Receiver::Docker);
        assert_eq!(at("2001:db8::1", Protocol::Tcp, 8080), Receiver::Docker);
        assert_eq!(at("2001:db8::2", Protocol::Tcp, 8080), Receiver::Nobody);
        assert_eq!(at("192.0.2.1", Protocol::Tcp, 53), Receiver::Nobody);
        assert_eq!(at("2001:db8::2", Protocol::Udp, 53), Receiver::Process);
        assert_eq!(at("192.0.2.1", Protocol::Sctp, 53), Receiver::Unknown);
        let unlisted = HostState::default();
        let address = "192.0.2.1".parse().expect("an address");
        assert_eq!(Receiver::at(&unlisted, address, Protocol::Tcp, 1), Receiver::Unknown);
    }
}
