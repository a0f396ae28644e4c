//! Values of iptables' options as sets of numbers.

use std::net::IpAddr;

use super::intervals::Intervals;
use crate::model::{IpVersion, Protocol};

/// An address as a number.
pub fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// All addresses of a version.
pub fn every_address(version: IpVersion) -> Intervals {
    Intervals::range(0, u128::MAX >> (128 - u32::from(version.address_bits())))
}

/// Addresses, networks (also with a netmask) and ranges, separated by commas; `None` if they are not
/// understood, such as the names of hosts.
pub fn addresses(text: &str, version: IpVersion) -> Option<Intervals> {
    let parts: Option<Vec<_>> = text.split(',').map(|part| range(part, version)).collect();
    Some(Intervals::collect(parts?))
}

fn range(text: &str, version: IpVersion) -> Option<(u128, u128)> {
    if let Some((first, last)) = text.split_once('-') {
        return Some((address(first, version)?, address(last, version)?));
    }
    let bits = u32::from(version.address_bits());
    let (host, length) = match text.split_once('/') {
        Some((host, mask)) => (host, prefix_length(mask, version)?),
        None => (text, bits),
    };
    let host = address(host, version)?;
    let size = if length == 0 { u128::MAX >> (128 - bits) } else { (1 << (bits - length)) - 1 };
    Some((host & !size, (host & !size) | size))
}

fn address(text: &str, version: IpVersion) -> Option<u128> {
    let address: IpAddr = text.parse().ok()?;
    (IpVersion::of(address) == version).then(|| number(address))
}

/// `24` or `255.255.255.0`.
fn prefix_length(text: &str, version: IpVersion) -> Option<u32> {
    let bits = u32::from(version.address_bits());
    if let Ok(length) = text.parse::<u32>() {
        return (length <= bits).then_some(length);
    }
    let mask = address(text, version)? << (128 - bits);
    let length = mask.leading_ones();
    (mask.count_ones() == length).then_some(length)
}

/// Ports and ranges of ports (`8000:8100`, `8000:`), separated by commas; `None` if they are not
/// understood, such as the names of services.
pub fn ports(text: &str) -> Option<Intervals> {
    let parts: Option<Vec<_>> = text.split(',').map(port_range).collect();
    Some(Intervals::collect(parts?))
}

fn port_range(text: &str) -> Option<(u128, u128)> {
    let port = |text: &str, default| match text {
        "" => Some(default),
        _ => text.parse::<u16>().ok(),
    };
    let (first, last) = match text.split_once([':', '-']) {
        Some((first, last)) => (port(first, 0)?, port(last, u16::MAX)?),
        None => (text.parse().ok()?, text.parse().ok()?),
    };
    Some((first.into(), last.into()))
}

/// The protocols of `-p` among those that Docker publishes, by their index in [`Protocol::ALL`];
/// `None` if the name is not known.
pub fn protocols(text: &str) -> Option<Intervals> {
    let text = text.to_ascii_lowercase();
    let indices = 0..Protocol::ALL.len() as u128;
    let every = || Intervals::range(0, Protocol::ALL.len() as u128 - 1);
    let of_number = |number: u8| {
        let is = |index: &u128| Protocol::ALL[*index as usize].number() == number;
        indices.clone().find(is).map_or_else(Intervals::none, Intervals::single)
    };
    // Other protocols of /etc/protocols that occur in rules.
    const OTHERS: [&str; 14] = [
        "icmp",
        "ipv6-icmp",
        "icmpv6",
        "icmp6",
        "igmp",
        "esp",
        "ah",
        "gre",
        "ipv6",
        "udplite",
        "dccp",
        "vrrp",
        "ospf",
        "mh",
    ];
    match text.parse::<u8>() {
        Ok(0) => return Some(every()),
        Ok(number) => return Some(of_number(number)),
        Err(_) => {}
    }
    match Protocol::ALL.iter().find(|protocol| protocol.name() == text) {
        Some(protocol) => Some(of_number(protocol.number())),
        None if text == "all" => Some(every()),
        None => OTHERS.contains(&text.as_str()).then(Intervals::none),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(text: &str) -> Option<Vec<(u128, u128)>> {
        addresses(text, IpVersion::V4).map(|set| set.iter().collect())
    }

    #[test]
    fn addresses_are_read_as_iptables_reads_them() {
        assert_eq!(v4("10.0.0.1/8"), Some(vec![(10 << 24, (11 << 24) - 1)]));
        assert_eq!(v4("10.0.0.0/255.0.0.0"), v4("10.0.0.0/8"));
        assert_eq!(v4("0.0.0.0/0"), Some(vec![(0, u32::MAX.into())]));
        assert_eq!(v4("0.0.0.3,0.0.0.1-0.0.0.2"), Some(vec![(1, 3)]));
        for text in ["example.net", "10.0.0.0/255.0.255.0", "10.0.0.0/33", "::1", ""] {
            assert_eq!(v4(text), None, "{text}");
        }
        let all = addresses("::/0", IpVersion::V6);
        assert_eq!(all, Some(Intervals::range(0, u128::MAX)));
    }

    #[test]
    fn ports_and_protocols_are_read_as_iptables_reads_them() {
        let read = |text| ports(text).map(|set| set.iter().collect::<Vec<_>>());
        assert_eq!(read("80,443:445,65000:"), Some(vec![(80, 80), (443, 445), (65000, 65535)]));
        assert_eq!(read("http"), None);
        assert_eq!(protocols("TCP"), protocols("6"));
        assert_eq!(protocols("icmp"), Some(Intervals::none()));
        assert_eq!(protocols("nonsense"), None);
    }
}
