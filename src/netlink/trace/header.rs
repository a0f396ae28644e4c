//! The headers of a traced packet: the first 40 bytes from the IP header on, and the first 20 of the
//! transport header.

use std::net::IpAddr;

use crate::model::{IpVersion, PacketHeader, Transport};

/// `IPPROTO_*`.
const ICMP: u8 = libc::IPPROTO_ICMP as u8;
const TCP: u8 = libc::IPPROTO_TCP as u8;
const UDP: u8 = libc::IPPROTO_UDP as u8;
const ICMPV6: u8 = libc::IPPROTO_ICMPV6 as u8;
const SCTP: u8 = libc::IPPROTO_SCTP as u8;

/// The offset of the flags in the TCP header (RFC 9293).
const TCP_FLAGS: usize = 13;
/// The length of the IPv6 header (RFC 8200), which its length field does not count.
const IPV6_HEADER: u32 = 40;

/// The headers, if the IP header is complete.
pub fn decode(version: IpVersion, network: &[u8], transport: &[u8]) -> Option<PacketHeader> {
    let number =
        |offset: usize| network.get(offset..)?.first_chunk().map(|it| u16::from_be_bytes(*it));
    // The offsets of the length, the protocol and the addresses (RFC 791, RFC 8200).
    let (length, protocol, source, destination) = match version {
        IpVersion::V4 => (u32::from(number(2)?), network.get(9)?, 12, 16),
        IpVersion::V6 => (u32::from(number(4)?) + IPV6_HEADER, network.get(6)?, 8, 24),
    };
    Some(PacketHeader {
        source: address(version, network.get(source..)?)?,
        destination: address(version, network.get(destination..)?)?,
        protocol: *protocol,
        length,
        transport: decode_transport(*protocol, transport),
    })
}

/// The address that the bytes begin with.
fn address(version: IpVersion, bytes: &[u8]) -> Option<IpAddr> {
    match version {
        IpVersion::V4 => Some(IpAddr::from(*bytes.first_chunk::<4>()?)),
        IpVersion::V6 => Some(IpAddr::from(*bytes.first_chunk::<16>()?)),
    }
}

fn decode_transport(protocol: u8, bytes: &[u8]) -> Transport {
    let ports = || {
        let [a, b, c, d] = *bytes.first_chunk()?;
        Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    };
    let decoded = match protocol {
        TCP => ports().zip(bytes.get(TCP_FLAGS)).map(|((source_port, port), flags)| {
            Transport::Tcp { source_port, port, flags: *flags }
        }),
        UDP | SCTP => ports().map(|(source_port, port)| Transport::Ports { source_port, port }),
        ICMP | ICMPV6 => bytes.first().map(|kind| Transport::Icmp { kind: *kind }),
        _ => None,
    };
    decoded.unwrap_or(Transport::Other)
}
