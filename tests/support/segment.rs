//! Single TCP segments that a kernel's TCP would not send.

use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{Domain, Protocol, Socket, Type};

use super::Namespace;

/// The flags of a segment.
pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const ACK: u8 = 0x10;

/// Sends one segment with these flags, from an address of the namespace and a source port.
pub fn send_segment(from: &Namespace, source: SocketAddrV4, target: SocketAddrV4, flags: u8) {
    let open = || Socket::new(Domain::IPV4, Type::from(libc::SOCK_RAW), Some(Protocol::TCP));
    let socket = from.inside(open).expect("a raw socket");
    socket.bind(&SocketAddrV4::new(*source.ip(), 0).into()).expect("to bind to the source");
    let sent = socket.send_to(&segment(source, target, flags), &target.into());
    assert_eq!(sent.expect("to send a segment"), 20);
}

/// A header without options or data.
fn segment(source: SocketAddrV4, target: SocketAddrV4, flags: u8) -> [u8; 20] {
    let mut header = [0; 20];
    header[0..2].copy_from_slice(&source.port().to_be_bytes());
    header[2..4].copy_from_slice(&target.port().to_be_bytes());
    header[4..8].copy_from_slice(&1000_u32.to_be_bytes());
    if flags & ACK != 0 {
        header[8..12].copy_from_slice(&2000_u32.to_be_bytes());
    }
    // The header's length in words of 32 bits.
    header[12] = 5 << 4;
    header[13] = flags;
    header[14..16].copy_from_slice(&1024_u16.to_be_bytes());
    let sum = checksum(*source.ip(), *target.ip(), &header);
    header[16..18].copy_from_slice(&sum.to_be_bytes());
    header
}

/// RFC 9293, section 3.1: over a pseudo header and the segment.
fn checksum(source: Ipv4Addr, target: Ipv4Addr, header: &[u8; 20]) -> u16 {
    let pseudo = [&source.octets()[..], &target.octets(), &[0, 6, 0, 20], header].concat();
    let words =
        pseudo.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("a folded sum")
}
