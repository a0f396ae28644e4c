//! Values that random rules and packets share, so that the rules often match.

use std::net::IpAddr;

use super::super::support::Random;
use super::frame::First;

/// The interfaces by which packets come in.
pub const INTERFACES: [&str; 2] = ["eth0", "eth1"];
pub const PORTS: [u16; 5] = [80, 5000, 5001, 5002, 5003];

/// Addresses of one version of IP.
pub struct Addresses {
    /// Where packets come from, by interface.
    pub sources: [&'static [&'static str]; 2],
    /// Where they are sent to.
    pub destinations: &'static [&'static str],
    /// What rules translate to.
    pub targets: &'static [&'static str],
    pub networks: &'static [&'static str],
    pub ranges: &'static [(&'static str, &'static str)],
}

pub const V4: Addresses = Addresses {
    sources: [
        &["192.0.2.2", "10.9.0.1", "10.9.0.2", "10.9.0.9"],
        &["198.51.100.2", "10.10.0.1", "10.10.0.2", "10.9.0.3"],
    ],
    destinations: &[
        "192.0.2.1",
        "192.0.2.1",
        "192.0.2.3",
        "198.51.100.1",
        "172.17.0.1",
        "172.17.0.2",
        "198.51.100.2",
        "10.9.0.77",
        "203.0.113.9",
    ],
    targets: &["172.17.0.2", "172.17.0.2", "192.0.2.3", "198.51.100.2", "203.0.113.9"],
    networks: &[
        "10.9.0.0/16",
        "10.9.0.0/30",
        "10.0.0.0/8",
        "192.0.2.0/24",
        "192.0.2.1",
        "172.17.0.0/16",
        "172.17.0.2",
        "10.9.0.1",
        "198.51.100.0/25",
        "0.0.0.0/1",
    ],
    ranges: &[("10.9.0.1", "10.9.0.2"), ("192.0.2.1", "192.0.2.2"), ("10.0.0.0", "10.9.0.255")],
};

pub const V6: Addresses = Addresses {
    sources: [
        &["2001:db8::2", "fd09::1", "fd09::2", "fd09::9"],
        &["2001:db8:1::2", "fd10::1", "fd10::2", "fd09::3"],
    ],
    destinations: &[
        "2001:db8::1",
        "2001:db8::1",
        "2001:db8:1::1",
        "fd17::1",
        "fd17::2",
        "2001:db8:1::2",
        "fd09::77",
        "2001:db8:9::9",
    ],
    targets: &["fd17::2", "fd17::2", "2001:db8::1", "2001:db8:1::2", "2001:db8:9::9"],
    networks: &[
        "fd09::/16",
        "fd09::/126",
        "fd00::/8",
        "2001:db8::/64",
        "2001:db8::1",
        "fd17::/64",
        "fd17::2",
        "fd09::1",
        "2001:db8::/33",
    ],
    ranges: &[("fd09::1", "fd09::2"), ("2001:db8::1", "2001:db8::2")],
};

impl Addresses {
    pub fn network(&self, random: &mut Random) -> &'static str {
        random.of(self.networks)
    }
}

/// A random first packet, and the interface by which it comes in.
pub fn packet(random: &mut Random, source_port: u16) -> (usize, First) {
    let addresses = random.of(&[&V4, &V6]);
    let interface = random.below(2);
    let source = random.of(addresses.sources[interface]);
    loop {
        let destination = random.of(addresses.destinations);
        // The kernel answers no packet that comes back to where it came from.
        if !addresses.sources[interface].contains(&destination) && destination != source {
            let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
            let (source, destination) = (parse(source), parse(destination));
            let (is_udp, port) = (random.is_one_in(2), random.of(&PORTS));
            return (interface, First { is_udp, source, source_port, destination, port });
        }
    }
}
