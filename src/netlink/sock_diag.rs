//! sock_diag: the sockets that wait for connections or datagrams (`linux/sock_diag.h`,
//! `linux/inet_diag.h`). Reading them needs no capability.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::attribute::{Attribute, Attributes};
use super::message::Message;
use super::nfproto;
use super::request::{Request, put_message, set_length};
use super::uapi::sock_diag::{self, state};
use crate::model::{Family, IpVersion, Listener, Protocol};

/// Lengths of `struct inet_diag_req_v2` and `struct inet_diag_msg`.
const REQUEST_HEADER: usize = 56;
const SOCKET_HEADER: usize = 72;
/// The offset of `idiag_src` in `struct inet_diag_msg`, and its length.
const SOURCE: usize = 8;
const SOURCE_LENGTH: usize = 16;
/// Length of `struct sockaddr_storage`, one for each address in `INET_DIAG_LOCALS`.
const SOCKET_ADDRESS: usize = 128;

impl Request {
    /// A dump: answered by a message for each socket that waits, then by `NLMSG_DONE`. If the kernel
    /// has no diag module for the protocol, the dump fails with ENOENT.
    pub fn listeners(version: IpVersion, protocol: Protocol, sequence: u32) -> Request {
        let states = 1u32 << waiting_state(protocol);
        let mut header = [0; REQUEST_HEADER];
        header[0] = nfproto::number(version.into());
        header[1] = protocol.number();
        header[4..8].copy_from_slice(&states.to_ne_bytes());
        let mut bytes = Vec::with_capacity(128);
        let flags = libc::NLM_F_DUMP as u16;
        put_message(&mut bytes, sock_diag::BY_FAMILY, &header, flags, sequence);
        set_length(&mut bytes, 0);
        Request { bytes, sequence }
    }
}

/// A socket of this protocol, if it waits: it listens or, for UDP, has no peer. Other states are
/// possible: SCTP dumps all endpoints without an association.
pub(crate) fn decode_listener(message: Message, protocol: Protocol) -> Option<Listener> {
    let (header, rest) = message.payload.split_first_chunk::<SOCKET_HEADER>()?;
    let [family, state, _, _, port_0, port_1, peer_0, peer_1, ..] = *header;
    let port = u16::from_be_bytes([port_0, port_1]);
    let is_waiting = state == waiting_state(protocol) && [peer_0, peer_1] == [0, 0] && port != 0;
    if !is_waiting {
        return None;
    }
    let attributes = Attributes::new(rest);
    let find = |number| attributes.clone().find(number);
    let only_v6 = find(sock_diag::V6_ONLY).is_some_and(|flag| flag.payload.first() == Some(&1));
    let source = header.get(SOURCE..SOURCE + SOURCE_LENGTH)?.try_into().ok()?;
    let (family, address) = bound_to(family, source, only_v6)?;
    // An SCTP socket can be bound to several addresses, of which the header has one.
    let address = address.filter(|_| find(sock_diag::LOCALS).is_none_or(|all| !has_several(&all)));
    let cgroup = find(sock_diag::CGROUP_ID).and_then(|id| id.payload.try_into().ok());
    Some(Listener { family, address, protocol, port, cgroup: cgroup.map(u64::from_ne_bytes) })
}

/// The state in which a socket waits. UDP has the numbers of TCP's states.
fn waiting_state(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp | Protocol::Sctp => state::LISTEN,
        Protocol::Udp => state::CLOSE,
    }
}

/// The family of the packets that a socket receives, and its address unless it is bound to any.
fn bound_to(
    family: u8,
    source: [u8; SOURCE_LENGTH],
    only_v6: bool,
) -> Option<(Family, Option<IpAddr>)> {
    let [a, b, c, d, ..] = source;
    let v6 = Ipv6Addr::from(source);
    let (family, address): (_, IpAddr) = match i32::from(family) {
        libc::AF_INET => (Family::Ip, Ipv4Addr::from([a, b, c, d]).into()),
        libc::AF_INET6 => match v6.to_ipv4_mapped() {
            Some(v4) => (Family::Ip, v4.into()),
            None if v6.is_unspecified() && !only_v6 => (Family::Inet, v6.into()),
            None => (Family::Ip6, v6.into()),
        },
        _ => return None,
    };
    Some((family, Some(address).filter(|address| !address.is_unspecified())))
}

fn has_several(addresses: &Attribute) -> bool {
    addresses.payload.len() > SOCKET_ADDRESS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::attribute::put;
    use super::super::message::Messages;
    use super::*;

    /// What Linux 6.18 reported of a TCP socket of IPv6 that listens on port 8080 of any address,
    /// without the header of netlink: `struct inet_diag_msg`, then `INET_DIAG_SHUTDOWN`,
    /// `INET_DIAG_SKV6ONLY`, `INET_DIAG_MARK`, `INET_DIAG_CGROUP_ID` and `INET_DIAG_SOCKOPT`.
    const RECORDED: &[u8] = &[
        10, 10, 0, 0, 31, 144, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 128, 0, 0, 0, 0, 0, 0, 0, 108, 28, 1, 0, 5, 0, 8, 0, 0, 0, 0, 0, 5, 0, 11, 0, 0, 0, 0,
        0, 8, 0, 15, 0, 0, 0, 0, 0, 12, 0, 21, 0, 1, 0, 0, 0, 0, 0, 0, 0, 6, 0, 22, 0, 18, 0, 0, 0,
    ];

    fn message(payload: &[u8], attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_message(&mut bytes, sock_diag::BY_FAMILY, payload, 0, 7);
        attributes.iter().for_each(|(number, payload)| put(&mut bytes, *number, payload));
        set_length(&mut bytes, 0);
        bytes
    }

    fn read(bytes: &[u8], protocol: Protocol) -> Option<Listener> {
        decode_listener(Messages::new(bytes).next().expect("a message"), protocol)
    }

    /// A socket on port 80 of this address.
    fn header(state: u8, address: &str) -> [u8; SOCKET_HEADER] {
        let mut header = [0; SOCKET_HEADER];
        let address: IpAddr = address.parse().expect("an address");
        header[0] = nfproto::number(IpVersion::of(address).into());
        header[1] = state;
        header[4..6].copy_from_slice(&80u16.to_be_bytes());
        match address {
            IpAddr::V4(v4) => header[SOURCE..SOURCE + 4].copy_from_slice(&v4.octets()),
            IpAddr::V6(v6) => header[SOURCE..SOURCE + 16].copy_from_slice(&v6.octets()),
        }
        header
    }

    #[test]
    fn a_recorded_socket_is_read() {
        let listener = read(&message(RECORDED, &[]), Protocol::Tcp);
        let expected = Listener {
            family: Family::Inet,
            address: None,
            protocol: Protocol::Tcp,
            port: 8080,
            cgroup: Some(1),
        };
        assert_eq!(listener, Some(expected));
        assert_eq!(read(&message(RECORDED, &[]), Protocol::Udp), None);
    }

    #[test]
    fn the_address_decides_which_family_a_socket_takes() {
        let cases = [
            ("0.0.0.0", 0, Family::Ip, None),
            ("127.0.0.1", 0, Family::Ip, Some("127.0.0.1")),
            ("::", 0, Family::Inet, None),
            ("::", 1, Family::Ip6, None),
            ("::1", 0, Family::Ip6, Some("::1")),
            ("::ffff:192.0.2.1", 0, Family::Ip, Some("192.0.2.1")),
            ("::ffff:0.0.0.0", 0, Family::Ip, None),
        ];
        for (address, only_v6, family, expected) in cases {
            let bytes = message(&header(state::LISTEN, address), &[(11, &[only_v6])]);
            let listener = read(&bytes, Protocol::Tcp).expect("a listener");
            let expected = expected.map(|address| address.parse().expect("an address"));
            assert_eq!((listener.family, listener.address), (family, expected), "{address}");
            assert_eq!((listener.port, listener.cgroup), (80, None));
        }
    }

    #[test]
    fn a_socket_that_does_not_wait_is_left_out() {
        let with = |at: usize, value| {
            let mut header = header(state::CLOSE, "127.0.0.1");
            header[at] = value;
            read(&message(&header, &[]), Protocol::Udp)
        };
        assert!(with(SOCKET_HEADER - 1, 0).is_some());
        let (established, peer_port, port, packet_socket) = ((1, 1), (7, 53), (5, 0), (0, 17));
        for (at, value) in [established, peer_port, port, packet_socket] {
            assert_eq!(with(at, value), None, "{at}");
        }
    }

    #[test]
    fn an_sctp_socket_of_several_addresses_counts_as_one_of_all() {
        for (count, expected) in [(1, Some(Ipv4Addr::LOCALHOST.into())), (2, None)] {
            let locals = vec![0; count * SOCKET_ADDRESS];
            let bytes = message(&header(state::LISTEN, "127.0.0.1"), &[(12, &locals)]);
            let listener = read(&bytes, Protocol::Sctp).expect("a listener");
            assert_eq!(listener.address, expected);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            family in prop::sample::select(&[2u8, 10, 1][..]),
            state in prop::sample::select(&[10u8, 7, 1][..]),
            mut bytes in prop::collection::vec(any::<u8>(), 0..160),
        ) {
            for (place, value) in bytes.iter_mut().zip([family, state]) {
                *place = value;
            }
            for protocol in Protocol::ALL {
                let _ = read(&message(&bytes, &[]), protocol);
            }
        }
    }
}
