//! Addresses and networks as iptables prints them.

use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv6Addr};

use ipnetwork::IpNetwork;

/// A network as iptables prints it: always with its prefix length.
pub(super) struct NetworkText<'a>(pub &'a IpNetwork);

impl NetworkText<'_> {
    /// Writes it without a formatter's detour.
    pub fn write_to(&self, out: &mut impl Write) -> fmt::Result {
        AddressText(self.0.ip()).write_to(out)?;
        out.write_char('/')?;
        out.write_str(Decimals::of_numbers([self.0.prefix()]).as_str())
    }
}

impl fmt::Display for NetworkText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// An address as glibc's `inet_ntop`, and with it iptables, prints it: unlike Rust it writes an
/// IPv6 address whose first 96 bits are zero with dotted decimals.
pub(super) struct AddressText(pub IpAddr);

impl AddressText {
    /// Writes it without a formatter's detour.
    pub fn write_to(&self, out: &mut impl Write) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => out.write_str(Decimals::of_numbers(address.octets()).as_str()),
            IpAddr::V6(address) if is_ipv4_compatible(address) => {
                let [.., a, b, c, d] = address.octets();
                write!(out, "::{a}.{b}.{c}.{d}")
            }
            address => write!(out, "{address}"),
        }
    }
}

impl fmt::Display for AddressText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// Up to four numbers with dots between them, such as an IPv4 address, in a fraction of the time that Rust's
/// `Display` takes: there may be a million.
struct Decimals {
    bytes: [u8; "255.255.255.255".len()],
    length: usize,
}

impl Decimals {
    fn of_numbers<const N: usize>(numbers: [u8; N]) -> Decimals {
        let mut text = Decimals { bytes: [0; 15], length: 0 };
        for (index, number) in numbers.into_iter().enumerate() {
            if index > 0 {
                text.push(b'.');
            }
            if number >= 100 {
                text.push(b'0' + number / 100);
            }
            if number >= 10 {
                text.push(b'0' + number / 10 % 10);
            }
            text.push(b'0' + number % 10);
        }
        text
    }

    fn push(&mut self, byte: u8) {
        if let Some(next) = self.bytes.get_mut(self.length) {
            *next = byte;
            self.length += 1;
        }
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|it| str::from_utf8(it).ok()).unwrap_or_default()
    }
}

fn is_ipv4_compatible(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    segments[..6].iter().all(|segment| *segment == 0) && segments[6] != 0
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn text(network: &str) -> String {
        NetworkText(&network.parse().expect("a network")).to_string()
    }

    #[test]
    fn every_number_prints_as_rust_prints_it() {
        for number in 0..=u8::MAX {
            let address = Ipv4Addr::new(number, 255 - number, 0, number);
            assert_eq!(AddressText(address.into()).to_string(), address.to_string());
        }
    }

    #[test]
    fn networks_print_as_iptables_prints_them() {
        assert_eq!(text("192.0.2.1/32"), "192.0.2.1/32");
        assert_eq!(text("::102:304/128"), "::1.2.3.4/128");
        assert_eq!(text("::1/128"), "::1/128");
        assert_eq!(text("::ffff:1.2.3.4/128"), "::ffff:1.2.3.4/128");
        assert_eq!(text("2001:db8:0:1::/64"), "2001:db8:0:1::/64");
    }
}
