//! Netlink messages that are encoded without the library.

use nix::libc;

/// `struct nlmsghdr`, `struct nfgenmsg` and attributes.
pub fn encode(kind: u16, flags: i32, header: [u8; 4], attributes: &[u8]) -> Vec<u8> {
    let mut bytes = ((16 + header.len() + attributes.len()) as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(((libc::NLM_F_REQUEST | flags) as u16).to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(header);
    bytes.extend(attributes);
    bytes
}

/// An attribute with its padding. The kernel does not require the flag for nested attributes.
pub fn attribute(number: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = ((4 + payload.len()) as u16).to_ne_bytes().to_vec();
    bytes.extend(number.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
