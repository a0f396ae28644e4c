//! rtnetlink: the host's own addresses, its interfaces, and the networks of an interface
//! (`linux/rtnetlink.h`, `linux/if_addr.h`, `linux/if_link.h`).

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::attribute::{Attributes, put};
use super::message::Message;
use super::nfproto;
use super::request::{Request, put_message, set_length};
use crate::model::{IpVersion, Name};

/// Lengths of `struct rtmsg`, `struct ifinfomsg` and `struct ifaddrmsg`.
const ROUTE_HEADER: usize = 12;
const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
/// The offset of `rtm_type` in `struct rtmsg`.
const ROUTE_TYPE: usize = 7;
/// `IFLA_EXT_MASK` and `RTEXT_FILTER_SKIP_STATS`: leave out an interface's counters.
const LINK_FILTER: u16 = 29;
const SKIP_STATISTICS: u32 = 1 << 3;

/// What can be dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteDump {
    /// The addresses of an IP version that are the host's own, as `-m addrtype --dst-type LOCAL` has
    /// them: all routes of the type local.
    LocalRoutes(IpVersion),
    /// The interfaces.
    Links,
    /// The addresses of an IP version that interfaces have.
    Addresses(IpVersion),
}

impl Request {
    /// A dump: answered by a message for each object, then by `NLMSG_DONE`.
    pub fn routes(what: RouteDump, sequence: u32) -> Request {
        let mut bytes = Vec::with_capacity(64);
        let mut begin = |kind: u16, header: &[u8]| {
            put_message(&mut bytes, kind, header, libc::NLM_F_DUMP as u16, sequence);
        };
        match what {
            RouteDump::LocalRoutes(version) => {
                let mut header = [0; ROUTE_HEADER];
                header[0] = nfproto::number(version.into());
                header[ROUTE_TYPE] = libc::RTN_LOCAL;
                begin(libc::RTM_GETROUTE, &header);
            }
            RouteDump::Links => {
                begin(libc::RTM_GETLINK, &[0; LINK_HEADER]);
                put(&mut bytes, LINK_FILTER, &SKIP_STATISTICS.to_ne_bytes());
            }
            RouteDump::Addresses(version) => {
                let mut header = [0; ADDRESS_HEADER];
                header[0] = nfproto::number(version.into());
                begin(libc::RTM_GETADDR, &header);
            }
        }
        set_length(&mut bytes, 0);
        Request { bytes, sequence }
    }
}

/// The network of a route of the type local.
pub(crate) fn decode_local_route(message: Message) -> Option<IpNetwork> {
    let (header, attributes) = split::<ROUTE_HEADER>(message)?;
    let [family, length, .., kind, _, _, _, _] = header;
    if kind != libc::RTN_LOCAL {
        return None;
    }
    network(attributes.find(libc::RTA_DST)?.payload, family, length)
}

/// An interface as it is dumped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DumpedLink {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: Name,
    /// `IFLA_INFO_KIND`, such as `bridge`.
    pub kind: Option<Name>,
    /// The number of the interface that it is attached to.
    pub master: Option<u32>,
}

/// An interface.
pub(crate) fn decode_link(message: Message) -> Option<DumpedLink> {
    let ([_, _, _, _, a, b, c, d, ..], attributes) = split::<LINK_HEADER>(message)?;
    let find = |number| attributes.clone().find(number);
    let name = find(libc::IFLA_IFNAME)?.string().into();
    let info = find(libc::IFLA_LINKINFO);
    let kind = info.and_then(|info| info.nested().find(libc::IFLA_INFO_KIND));
    let master = find(libc::IFLA_MASTER).and_then(|master| master.payload.try_into().ok());
    Some(DumpedLink {
        index: u32::from_ne_bytes([a, b, c, d]),
        name,
        kind: kind.map(|kind| kind.string().into()),
        master: master.map(u32::from_ne_bytes),
    })
}

/// The number of an interface and the network that an address makes it a part of.
pub(crate) fn decode_address(message: Message) -> Option<(u32, IpNetwork)> {
    let ([family, length, _, _, a, b, c, d], attributes) = split::<ADDRESS_HEADER>(message)?;
    let network = network(attributes.find(libc::IFA_ADDRESS)?.payload, family, length)?;
    Some((u32::from_ne_bytes([a, b, c, d]), network))
}

fn split<const HEADER: usize>(message: Message<'_>) -> Option<([u8; HEADER], Attributes<'_>)> {
    let (header, rest) = message.payload.split_first_chunk()?;
    Some((*header, Attributes::new(rest)))
}

fn network(address: &[u8], family: u8, length: u8) -> Option<IpNetwork> {
    let address = match i32::from(family) {
        libc::AF_INET => IpAddr::from(<[u8; 4]>::try_from(address).ok()?),
        libc::AF_INET6 => IpAddr::from(<[u8; 16]>::try_from(address).ok()?),
        _ => return None,
    };
    IpNetwork::new(address, length).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::attribute::put_nested;
    use super::super::message::Messages;
    use super::*;

    /// A message of the kernel with one attribute.
    fn message(kind: u16, header: &[u8], number: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_message(&mut bytes, kind, header, 0, 7);
        put(&mut bytes, number, payload);
        set_length(&mut bytes, 0);
        bytes
    }

    fn first(bytes: &[u8]) -> Message<'_> {
        Messages::new(bytes).next().expect("a message")
    }

    #[test]
    fn routes_interfaces_and_addresses_are_read() {
        let (family, loopback) = (libc::AF_INET as u8, "127.0.0.0/8".parse().ok());
        let mut route = [family, 8, 0, 0, 255, 2, 254, libc::RTN_LOCAL, 0, 0, 0, 0];
        let bytes = message(libc::RTM_NEWROUTE, &route, libc::RTA_DST, &[127, 0, 0, 0]);
        assert_eq!(decode_local_route(first(&bytes)), loopback);
        route[ROUTE_TYPE] = libc::RTN_UNICAST;
        let bytes = message(libc::RTM_NEWROUTE, &route, libc::RTA_DST, &[127, 0, 0, 0]);
        assert_eq!(decode_local_route(first(&bytes)), None);

        let mut link = [0; LINK_HEADER];
        link[4..8].copy_from_slice(&3u32.to_ne_bytes());
        let bytes = message(libc::RTM_NEWLINK, &link, libc::IFLA_IFNAME, b"docker0\0");
        let hardware = DumpedLink { index: 3, name: "docker0".into(), kind: None, master: None };
        assert_eq!(decode_link(first(&bytes)), Some(hardware.clone()));
        let mut bytes = bytes;
        put_nested(&mut bytes, libc::IFLA_LINKINFO, |bytes| {
            put(bytes, libc::IFLA_INFO_KIND, b"veth\0");
        });
        put(&mut bytes, libc::IFLA_MASTER, &9u32.to_ne_bytes());
        set_length(&mut bytes, 0);
        let port = DumpedLink { kind: Some("veth".into()), master: Some(9), ..hardware };
        assert_eq!(decode_link(first(&bytes)), Some(port));

        let mut header = [family, 16, 0, 0, 0, 0, 0, 0];
        header[4..].copy_from_slice(&3u32.to_ne_bytes());
        let bytes = message(libc::RTM_NEWADDR, &header, libc::IFA_ADDRESS, &[172, 17, 0, 1]);
        let network = "172.17.0.1/16".parse().expect("a network");
        assert_eq!(decode_address(first(&bytes)), Some((3, network)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            header in prop::collection::vec(any::<u8>(), 0..20),
            payload in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            for number in [1, 2, 3, libc::IFLA_MASTER, libc::IFLA_LINKINFO] {
                let bytes = message(libc::RTM_NEWROUTE, &header, number, &payload);
                let message = first(&bytes);
                let _ = (decode_local_route(message), decode_link(message), decode_address(message));
            }
        }
    }
}
