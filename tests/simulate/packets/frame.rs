//! IP packets as bytes: the first packet of a flow, and what comes back.

use std::net::IpAddr;

/// `SYN` and `RST` of TCP.
const SYN: u8 = 2;
const RST: u8 = 4;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMP6: u8 = 58;
/// A protocol for experiments (RFC 3692), which no rule is about.
const MARKER: u8 = 253;

/// The first packet of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First {
    pub is_udp: bool,
    pub source: IpAddr,
    pub source_port: u16,
    pub destination: IpAddr,
    pub port: u16,
}

/// What a packet that was seen is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The first packet of a flow, maybe translated.
    First(First),
    /// The flow that came from this port was rejected.
    Rejected(u16),
    /// A marker with this number.
    Marker(u32),
}

impl First {
    pub fn bytes(&self) -> Vec<u8> {
        let protocol = if self.is_udp { UDP } else { TCP };
        let mut header = [self.source_port.to_be_bytes(), self.port.to_be_bytes()].concat();
        let checksum_at = if self.is_udp {
            header.extend([0, 12, 0, 0]);
            header.extend(b"ping");
            6
        } else {
            header.extend([0, 0, 3, 232, 0, 0, 0, 0, 5 << 4, SYN, 4, 0, 0, 0, 0, 0]);
            16
        };
        let sum =
            checksum(&[&pseudo(self.source, self.destination, protocol, header.len()), &header]);
        header[checksum_at..checksum_at + 2].copy_from_slice(&sum.to_be_bytes());
        packet(self.source, self.destination, protocol, &header)
    }
}

/// A marker from one address to another.
pub fn marker(source: IpAddr, destination: IpAddr, number: u32) -> Vec<u8> {
    packet(source, destination, MARKER, &number.to_be_bytes())
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn packet(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short payload");
    let mut header = match source {
        IpAddr::V4(_) => {
            let total = (length + 20).to_be_bytes();
            vec![0x45, 0, total[0], total[1], 0, 1, 0x40, 0, 64, protocol, 0, 0]
        }
        IpAddr::V6(_) => {
            let length = length.to_be_bytes();
            vec![0x60, 0, 0, 0, length[0], length[1], protocol, 64]
        }
    };
    header.extend(octets(source));
    header.extend(octets(destination));
    if source.is_ipv4() {
        let sum = checksum(&[&header]);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    header.extend(payload);
    header
}

/// RFC 9293, section 3.1; RFC 8200, section 8.1.
fn pseudo(source: IpAddr, destination: IpAddr, protocol: u8, length: usize) -> Vec<u8> {
    let length = u32::try_from(length).expect("a short payload");
    [octets(source), octets(destination), length.to_be_bytes().to_vec(), vec![0, 0, 0, protocol]]
        .concat()
}

/// Each part has an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks_exact(2));
    let mut sum: u32 = words.map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("a folded sum")
}

/// What an IP packet is, if it is part of the test.
pub fn parse(packet: &[u8]) -> Option<Seen> {
    let (protocol, source, destination, payload) = ip(packet)?;
    let port =
        |bytes: &[u8], at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    match protocol {
        MARKER => Some(Seen::Marker(u32::from_be_bytes(payload.get(..4)?.try_into().ok()?))),
        TCP if payload.get(13)? & RST != 0 => Some(Seen::Rejected(port(payload, 2)?)),
        TCP | UDP => {
            if protocol == TCP && payload.get(13) != Some(&SYN) {
                return None;
            }
            let (source_port, port) = (port(payload, 0)?, port(payload, 2)?);
            Some(Seen::First(First {
                is_udp: protocol == UDP,
                source,
                source_port,
                destination,
                port,
            }))
        }
        // What could not be delivered is quoted.
        ICMP if payload.first() == Some(&3) => rejected(payload.get(8..)?),
        ICMP6 if payload.first() == Some(&1) => rejected(payload.get(8..)?),
        _ => None,
    }
}

fn rejected(quoted: &[u8]) -> Option<Seen> {
    let (_, _, _, payload) = ip(quoted)?;
    Some(Seen::Rejected(u16::from_be_bytes(payload.get(..2)?.try_into().ok()?)))
}

/// Protocol, source, destination and payload.
fn ip(packet: &[u8]) -> Option<(u8, IpAddr, IpAddr, &[u8])> {
    let v4 = |at: usize| Some(IpAddr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
    let v6 = |at: usize| Some(IpAddr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?));
    match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet[0] & 0x0f) * 4;
            Some((*packet.get(9)?, v4(12)?, v4(16)?, packet.get(header..)?))
        }
        6 => Some((*packet.get(6)?, v6(8)?, v6(24)?, packet.get(40..)?)),
        _ => None,
    }
}
