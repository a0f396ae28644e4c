//! ctnetlink: the flows of connection tracking, dumped and deleted
//! (`linux/netfilter/nfnetlink_conntrack.h`). There are no batches: each message is a request of its
//! own, but many of them fit into one datagram.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::attribute::{Attribute, Attributes, put, put_nested};
use super::message::Message;
use super::nfproto;
use super::request::{Request, nfgenmsg, put_message, set_length};
use super::uapi::{conntrack, conntrack_nat, tuple, tuple_addresses, tuple_protocol};
use crate::model::{Flow, IpVersion, Protocol, Status, Tuple};

impl Request {
    /// A dump of all flows or, where the kernel can filter them (since Linux 5.18), of those that
    /// lack all bits of `without`. Answered by a message for each flow, then by `NLMSG_DONE`.
    pub fn flows(without: Option<Status>, sequence: u32) -> Request {
        let mut bytes = Vec::with_capacity(64);
        let kind = kind(conntrack::MESSAGE_GET);
        let flags = libc::NLM_F_DUMP as u16;
        put_message(&mut bytes, kind, &nfgenmsg(libc::AF_UNSPEC as u8), flags, sequence);
        if let Some(mask) = without {
            put(&mut bytes, conntrack::STATUS, &0u32.to_be_bytes());
            put(&mut bytes, conntrack::STATUS_MASK, &mask.0.to_be_bytes());
        }
        set_length(&mut bytes, 0);
        Request { bytes, sequence }
    }
}

/// Appends the deletion of the flow that has this tuple in either direction and, if it is given,
/// this ID, so that no later flow with the same tuple is deleted. The kernel answers only if it
/// fails: ENOENT if there is no such flow.
pub(crate) fn put_deletion(bytes: &mut Vec<u8>, tuple: &Tuple, id: Option<u32>, sequence: u32) {
    put_change(bytes, conntrack::MESSAGE_DELETE, 0, tuple, sequence, |bytes| {
        if let Some(id) = id {
            put(bytes, conntrack::ID, &id.to_be_bytes());
        }
    });
}

/// Appends a tombstone for a deleted flow: an entry that matches what the server still sends and
/// redirects it to a port of the host on which no socket can listen, so that the host rejects it.
/// Without it connection tracking would take the server's next packet for the first of a new flow,
/// which would continue as before if the published port is the server's own.
///
/// It lasts as long as the flow would have. The kernel answers only if it fails: EEXIST if the server
/// was faster, or if an entry already matches all that the server sends to this address of the host.
pub(crate) fn put_tombstone(bytes: &mut Vec<u8>, flow: &Flow, host: IpAddr, sequence: u32) {
    let flags = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
    put_change(bytes, conntrack::MESSAGE_NEW, flags, &flow.reply, sequence, |bytes| {
        put_tuple(bytes, conntrack::REPLY, &flow.reply.inverse());
        put(bytes, conntrack::TIMEOUT, &flow.timeout.to_be_bytes());
        put_translation(bytes, conntrack::DESTINATION_NAT, host, NOBODYS_PORT..=NOBODYS_PORT);
        // From no particular port of the server, because all its flows end alike. With any other
        // address the kernel would have to search all of them.
        put_translation(bytes, conntrack::SOURCE_NAT, flow.reply.source, 1..=u16::MAX);
    });
}

/// No socket can be bound to it.
const NOBODYS_PORT: u16 = 0;

fn put_translation(bytes: &mut Vec<u8>, number: u16, to: IpAddr, ports: RangeInclusive<u16>) {
    put_nested(bytes, number, |bytes| {
        put_address(bytes, &TRANSLATED, to);
        put_nested(bytes, conntrack_nat::PROTOCOL, |bytes| {
            put(bytes, conntrack_nat::PORT_FIRST, &ports.start().to_be_bytes());
            put(bytes, conntrack_nat::PORT_LAST, &ports.end().to_be_bytes());
        });
    });
}

/// A message always has a tuple: without one, a deletion would delete all flows.
fn put_change(
    bytes: &mut Vec<u8>,
    message: u16,
    flags: u16,
    original: &Tuple,
    sequence: u32,
    fill: impl FnOnce(&mut Vec<u8>),
) {
    let start = bytes.len();
    let family = nfproto::number(IpVersion::of(original.source).into());
    put_message(bytes, kind(message), &nfgenmsg(family), flags, sequence);
    put_tuple(bytes, conntrack::ORIGINAL, original);
    fill(bytes);
    set_length(bytes, start);
}

/// The flow in a message of a dump; `None` if it is in a zone, of a protocol that Docker does not
/// publish, or not understood.
pub(crate) fn decode_flow(message: Message) -> Option<Flow> {
    if message.kind != kind(conntrack::MESSAGE_NEW) {
        return None;
    }
    let attributes = message.attributes();
    let find = |number| attributes.clone().find(number);
    if find(conntrack::ZONE).is_some() {
        return None;
    }
    Some(Flow {
        original: decode_tuple(find(conntrack::ORIGINAL)?)?,
        reply: decode_tuple(find(conntrack::REPLY)?)?,
        status: Status(find(conntrack::STATUS)?.be_u32()?),
        id: find(conntrack::ID)?.be_u32()?,
        timeout: find(conntrack::TIMEOUT).and_then(|timeout| timeout.be_u32()).unwrap_or_default(),
    })
}

fn kind(message: u16) -> u16 {
    (libc::NFNL_SUBSYS_CTNETLINK as u16) << 8 | message
}

fn put_tuple(bytes: &mut Vec<u8>, number: u16, tuple: &Tuple) {
    put_nested(bytes, number, |bytes| {
        put_nested(bytes, tuple::ADDRESSES, |bytes| {
            put_address(bytes, &SOURCE, tuple.source);
            put_address(bytes, &DESTINATION, tuple.destination);
        });
        put_nested(bytes, tuple::PROTOCOL, |bytes| {
            put(bytes, tuple_protocol::NUMBER, &[tuple.protocol.number()]);
            put(bytes, tuple_protocol::SOURCE_PORT, &tuple.source_port.to_be_bytes());
            put(bytes, tuple_protocol::DESTINATION_PORT, &tuple.destination_port.to_be_bytes());
        });
    });
}

/// The numbers of an address's attribute: of IPv4 and of IPv6.
type AddressNumbers = [u16; 2];
const SOURCE: AddressNumbers = [tuple_addresses::SOURCE_V4, tuple_addresses::SOURCE_V6];
const DESTINATION: AddressNumbers =
    [tuple_addresses::DESTINATION_V4, tuple_addresses::DESTINATION_V6];
const TRANSLATED: AddressNumbers = [conntrack_nat::ADDRESS_V4, conntrack_nat::ADDRESS_V6];

fn put_address(bytes: &mut Vec<u8>, [v4, v6]: &AddressNumbers, address: IpAddr) {
    match address {
        IpAddr::V4(address) => put(bytes, *v4, &address.octets()),
        IpAddr::V6(address) => put(bytes, *v6, &address.octets()),
    }
}

fn decode_tuple(attribute: Attribute) -> Option<Tuple> {
    let parts = attribute.nested();
    if parts.clone().find(tuple::ZONE).is_some() {
        return None;
    }
    let addresses = parts.clone().find(tuple::ADDRESSES)?.nested();
    let protocol = parts.clone().find(tuple::PROTOCOL)?.nested();
    let port = |number| {
        let port = protocol.clone().find(number)?.payload;
        Some(u16::from_be_bytes(port.try_into().ok()?))
    };
    let [number] = protocol.clone().find(tuple_protocol::NUMBER)?.payload else { return None };
    Some(Tuple {
        source: decode_address(&addresses, &SOURCE)?,
        destination: decode_address(&addresses, &DESTINATION)?,
        protocol: Protocol::from_number(*number)?,
        source_port: port(tuple_protocol::SOURCE_PORT)?,
        destination_port: port(tuple_protocol::DESTINATION_PORT)?,
    })
}

fn decode_address(addresses: &Attributes, [v4, v6]: &AddressNumbers) -> Option<IpAddr> {
    if let Some(address) = addresses.clone().find(*v4) {
        return Some(IpAddr::from(<[u8; 4]>::try_from(address.payload).ok()?));
    }
    let address = addresses.clone().find(*v6)?.payload;
    Some(IpAddr::from(<[u8; 16]>::try_from(address).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message::Messages;
    use super::*;

    fn tuple() -> impl Strategy<Value = Tuple> {
        let v4 = || any::<u32>().prop_map(|address| IpAddr::from(address.to_be_bytes()));
        let v6 = || any::<u128>().prop_map(|address| IpAddr::from(address.to_be_bytes()));
        let addresses = prop_oneof![(v4(), v4()), (v6(), v6())];
        let protocol = prop::sample::select(Protocol::ALL.to_vec());
        (addresses, protocol, any::<u16>(), any::<u16>()).prop_map(
            |((source, destination), protocol, source_port, destination_port)| Tuple {
                source,
                destination,
                protocol,
                source_port,
                destination_port,
            },
        )
    }

    /// A flow as the kernel dumps it.
    fn dumped(flow: &Flow, zone: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        let header = nfgenmsg(libc::AF_INET as u8);
        put_message(&mut bytes, kind(conntrack::MESSAGE_NEW), &header, 0, 7);
        put_tuple(&mut bytes, conntrack::ORIGINAL, &flow.original);
        put_tuple(&mut bytes, conntrack::REPLY, &flow.reply);
        put(&mut bytes, conntrack::STATUS, &flow.status.0.to_be_bytes());
        put(&mut bytes, conntrack::ID, &flow.id.to_be_bytes());
        put(&mut bytes, conntrack::TIMEOUT, &flow.timeout.to_be_bytes());
        if zone {
            put(&mut bytes, conntrack::ZONE, &1u16.to_be_bytes());
        }
        set_length(&mut bytes, 0);
        bytes
    }

    fn decoded(bytes: &[u8]) -> Vec<Option<Flow>> {
        Messages::new(bytes).map(decode_flow).collect()
    }

    proptest! {
        #[test]
        fn what_the_kernel_tells_is_read(
            (original, reply) in (tuple(), tuple()),
            status in any::<u32>(),
            (id, timeout) in any::<(u32, u32)>(),
        ) {
            let flow = Flow { original, reply, status: Status(status), id, timeout };
            prop_assert_eq!(decoded(&dumped(&flow, false)), [Some(flow)]);
            prop_assert_eq!(decoded(&dumped(&flow, true)), [None]);
        }

        #[test]
        fn every_deletion_names_its_flow(flows in prop::collection::vec(tuple(), 1..5)) {
            let mut bytes = Vec::new();
            for (index, original) in flows.iter().enumerate() {
                put_deletion(&mut bytes, original, Some(index as u32 + 40), index as u32);
            }
            let messages: Vec<Message> = Messages::new(&bytes).collect();
            prop_assert_eq!(messages.len(), flows.len());
            for (index, (message, original)) in messages.iter().zip(&flows).enumerate() {
                prop_assert_eq!((message.kind, message.sequence), (0x102, index as u32));
                let find = |number| message.attributes().find(number);
                prop_assert_eq!(find(conntrack::ORIGINAL).and_then(decode_tuple), Some(*original));
                prop_assert_eq!(find(conntrack::ID).and_then(|id| id.be_u32()), Some(index as u32 + 40));
            }
        }

        #[test]
        fn damaged_bytes_are_read_without_panic(
            (original, at, byte) in (tuple(), any::<prop::sample::Index>(), any::<u8>()),
        ) {
            let status = Status::default();
            let flow = Flow { original, reply: original.inverse(), status, id: 1, timeout: 1 };
            let mut bytes = dumped(&flow, false);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            decoded(&bytes);
            decoded(&bytes[..at]);
        }
    }
}
