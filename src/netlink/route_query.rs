//! rtnetlink: the route that the kernel takes for one packet (`RTM_GETROUTE`, `linux/rtnetlink.h`).

use std::net::IpAddr;

use super::attribute::{Attributes, put};
use super::message::Message;
use super::nfproto;
use super::request::{Request, put_message, set_length};
use crate::model::IpVersion;

/// Length of `struct rtmsg`, and the offset of `rtm_type` in it.
const HEADER: usize = 12;
const TYPE: usize = 7;
/// `rtm_dst_len` and `rtm_src_len`: the addresses are whole.
const LENGTHS: [usize; 2] = [1, 2];
/// Routes that reject what takes them: `RTN_BLACKHOLE`, `RTN_UNREACHABLE` and `RTN_PROHIBIT`.
const REJECTING: [u8; 3] = [libc::RTN_BLACKHOLE, libc::RTN_UNREACHABLE, libc::RTN_PROHIBIT];

/// A packet whose route is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RouteQuery {
    /// Its destination.
    pub destination: IpAddr,
    /// Its source, of the same IP version; `None`: chosen by the kernel.
    pub source: Option<IpAddr>,
    /// The number of the interface by which it comes in; `None`: the host itself sends it.
    pub in_interface: Option<u32>,
    /// Its mark.
    pub mark: u32,
}

/// The route of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FoundRoute {
    /// Whether the packet is for the host itself.
    pub is_local: bool,
    /// Whether the route rejects packets.
    pub is_rejecting: bool,
    /// The number of the interface by which it leaves.
    pub out_interface: Option<u32>,
    /// The host's own address for packets that it sends by this route.
    pub own_address: Option<IpAddr>,
}

impl Request {
    /// Answered by one message, or by an error.
    pub fn route(query: &RouteQuery, sequence: u32) -> Request {
        let mut bytes = Vec::with_capacity(96);
        let version = IpVersion::of(query.destination);
        let mut header = [0; HEADER];
        header[0] = nfproto::number(version.into());
        header[LENGTHS[0]] = version.address_bits();
        header[LENGTHS[1]] = query.source.map_or(0, |_| version.address_bits());
        put_message(&mut bytes, libc::RTM_GETROUTE, &header, 0, sequence);
        put_address(&mut bytes, libc::RTA_DST, query.destination);
        if let Some(source) = query.source {
            put_address(&mut bytes, libc::RTA_SRC, source);
        }
        if let Some(number) = query.in_interface {
            put(&mut bytes, libc::RTA_IIF, &number.to_ne_bytes());
        }
        if query.mark != 0 {
            put(&mut bytes, libc::RTA_MARK, &query.mark.to_ne_bytes());
        }
        set_length(&mut bytes, 0);
        Request { bytes, sequence }
    }
}

fn put_address(bytes: &mut Vec<u8>, number: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => put(bytes, number, &address.octets()),
        IpAddr::V6(address) => put(bytes, number, &address.octets()),
    }
}

/// The answer to [`Request::route`].
pub(crate) fn decode_route(message: Message) -> Option<FoundRoute> {
    if message.kind != libc::RTM_NEWROUTE {
        return None;
    }
    let (header, rest) = message.payload.split_first_chunk::<HEADER>()?;
    let attributes = Attributes::new(rest);
    let find = |number| attributes.clone().find(number).map(|attribute| attribute.payload);
    let number = |payload: &[u8]| Some(u32::from_ne_bytes(payload.try_into().ok()?));
    Some(FoundRoute {
        is_local: header[TYPE] == libc::RTN_LOCAL,
        is_rejecting: REJECTING.contains(&header[TYPE]),
        out_interface: find(libc::RTA_OIF).and_then(number),
        own_address: find(libc::RTA_PREFSRC).and_then(address),
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message::Messages;
    use super::*;

    fn first(bytes: &[u8]) -> Message<'_> {
        Messages::new(bytes).next().expect("a message")
    }

    fn answer(kind: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut header = [0; HEADER];
        header[TYPE] = kind;
        put_message(&mut bytes, libc::RTM_NEWROUTE, &header, 0, 7);
        attributes.iter().for_each(|(number, payload)| put(&mut bytes, *number, payload));
        set_length(&mut bytes, 0);
        bytes
    }

    #[test]
    fn a_query_has_the_packet() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let query = RouteQuery {
            destination: address("2001:db8::1"),
            source: Some(address("2001:db8::2")),
            in_interface: Some(3),
            mark: 0x2000,
        };
        let request = Request::route(&query, 7);
        let message = first(&request.bytes);
        assert_eq!((message.kind, message.sequence), (libc::RTM_GETROUTE, 7));
        assert_eq!(message.payload[..3], [libc::AF_INET6 as u8, 128, 128]);
        let attributes = Attributes::new(&message.payload[HEADER..]);
        let find = |number| attributes.clone().find(number).expect("an attribute").payload;
        assert_eq!(super::address(find(libc::RTA_DST)), Some(query.destination));
        assert_eq!(super::address(find(libc::RTA_SRC)), query.source);
        assert_eq!(find(libc::RTA_IIF), 3u32.to_ne_bytes());
        assert_eq!(find(libc::RTA_MARK), 0x2000u32.to_ne_bytes());
    }

    #[test]
    fn an_answer_is_read() {
        let oif = 4u32.to_ne_bytes();
        let bytes = answer(
            libc::RTN_UNICAST,
            &[(libc::RTA_OIF, &oif), (libc::RTA_PREFSRC, &[192, 0, 2, 1])],
        );
        let expected = FoundRoute {
            is_local: false,
            is_rejecting: false,
            out_interface: Some(4),
            own_address: Some(IpAddr::from([192, 0, 2, 1])),
        };
        assert_eq!(decode_route(first(&bytes)), Some(expected));
        for (kind, is_local, is_rejecting) in [
            (libc::RTN_LOCAL, true, false),
            (libc::RTN_UNREACHABLE, false, true),
            (libc::RTN_BLACKHOLE, false, true),
        ] {
            let route = decode_route(first(&answer(kind, &[]))).expect("a route");
            assert_eq!((route.is_local, route.is_rejecting), (is_local, is_rejecting));
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_panic(
            payload in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = Vec::new();
            put_message(&mut bytes, libc::RTM_NEWROUTE, &payload, 0, 7);
            decode_route(first(&bytes));
        }
    }
}
