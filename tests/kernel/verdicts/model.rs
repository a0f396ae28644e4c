//! A second, deliberately simple implementation of a policy's meaning.

use std::ops::RangeInclusive;

use super::super::support::Random;

/// Numbers of source addresses and of the host's addresses. An address ends with its number.
pub const SOURCES: usize = 64;
pub const DESTINATIONS: usize = 5;
pub const PORTS: RangeInclusive<u16> = 5000..=5003;

/// The first packet of a flow.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    pub is_ip6: bool,
    pub source: usize,
    pub destination: usize,
    pub interface: usize,
    pub is_udp: bool,
    pub port: u16,
}

/// An address of the clients.
pub fn source(is_ip6: bool, number: usize) -> String {
    if is_ip6 { format!("fd09::{number:x}") } else { format!("10.9.0.{number}") }
}

/// An address of the host.
pub fn destination(is_ip6: bool, number: usize) -> String {
    if is_ip6 { format!("fd08::{number:x}") } else { format!("10.8.0.{number}") }
}

impl Packet {
    pub fn random(random: &mut Random) -> Packet {
        Packet {
            is_ip6: random.is_one_in(2),
            source: random.below(SOURCES),
            destination: random.below(DESTINATIONS),
            interface: random.below(2),
            is_udp: random.is_one_in(2),
            port: random_port(random) as u16,
        }
    }
}

/// Entries of the policy file.
#[derive(Debug)]
pub struct Policy(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    from: Vec<Addresses>,
    to: Vec<Addresses>,
    ports: RangeInclusive<usize>,
    is_udp: bool,
    interface: &'static str,
}

impl Policy {
    pub fn random(random: &mut Random) -> Policy {
        let number = 1 + random.below(5);
        let entries = std::iter::repeat_with(|| Entry::random(random));
        Policy(entries.filter(Entry::can_match).take(number).collect())
    }

    pub fn lets_in(&self, packet: &Packet) -> bool {
        self.0.iter().any(|entry| entry.lets_in(packet))
    }

    /// The text of the policy, with `padding` unrelated addresses of each family in each group.
    pub fn text(&self, padding: usize) -> String {
        let mut unrelated = Vec::new();
        for number in 0..padding {
            unrelated.push(format!(
                "10.{}.{}.{}",
                64 + number / 65_536,
                number / 256,
                number % 256
            ));
            unrelated.push(format!("fd64::{number:x}"));
        }
        self.0.iter().map(|entry| entry.text(&unrelated)).collect()
    }
}

impl Entry {
    fn random(random: &mut Random) -> Entry {
        let from = (0..1 + random.below(40)).map(|_| Addresses::random(random, SOURCES, source));
        let from = from.collect();
        let number = random.of(&[0, 0, 2, 4]);
        let to = (0..number).map(|_| Addresses::random(random, DESTINATIONS, destination));
        let to = to.collect();
        let (a, b) = (random_port(random), random_port(random));
        let interface = random.of(&["", "", "", "eth0", "eth1", "eth+", "!eth0", "!docker0"]);
        Entry { from, to, ports: a.min(b)..=a.max(b), is_udp: random.is_one_in(2), interface }
    }

    /// Whether any packet can match the entry. A policy with an entry that cannot match is invalid.
    fn can_match(&self) -> bool {
        let is_destination = |ip6| self.to.is_empty() || self.to.iter().any(|to| to.is_ip6 == ip6);
        self.from.iter().any(|from| is_destination(from.is_ip6))
    }

    fn lets_in(&self, packet: &Packet) -> bool {
        let has = |addresses: &[Addresses], number| {
            addresses.iter().any(|a| a.is_ip6 == packet.is_ip6 && a.numbers.contains(&number))
        };
        let is_interface = match self.interface {
            "eth0" => packet.interface == 0,
            "eth1" | "!eth0" => packet.interface == 1,
            _ => true,
        };
        is_interface
            && self.is_udp == packet.is_udp
            && self.ports.contains(&usize::from(packet.port))
            && has(&self.from, packet.source)
            && (self.to.is_empty() || has(&self.to, packet.destination))
    }

    fn text(&self, unrelated: &[String]) -> String {
        let list = |addresses: &[Addresses]| addresses.iter().map(|a| a.text.clone()).collect();
        let (from, to): (Vec<String>, Vec<String>) = (list(&self.from), list(&self.to));
        let (first, last) = (self.ports.start(), self.ports.end());
        let protocol = if self.is_udp { "udp" } else { "tcp" };
        let from = [from.as_slice(), unrelated].concat();
        let mut text =
            format!("[[allow]]\nports = [\"{first}-{last}/{protocol}\"]\nfrom = {from:?}\n");
        if !to.is_empty() {
            text += &format!("to = {to:?}\n");
        }
        if !self.interface.is_empty() {
            text += &format!("in-interface = \"{}\"\n", self.interface);
        }
        text
    }
}

/// A host, a prefix or a range.
#[derive(Debug)]
struct Addresses {
    is_ip6: bool,
    numbers: RangeInclusive<usize>,
    text: String,
}

impl Addresses {
    fn random(random: &mut Random, end: usize, name: fn(bool, usize) -> String) -> Addresses {
        let is_ip6 = random.is_one_in(2);
        let first = random.below(end);
        let (numbers, text) = match random.below(4) {
            0 => {
                let bits = 1 + random.below(3);
                let first = first >> bits << bits;
                let length = if is_ip6 { 128 } else { 32 } - bits;
                (first..=first + (1 << bits) - 1, format!("{}/{length}", name(is_ip6, first)))
            }
            1 => {
                let last = first + random.below(6);
                (first..=last, format!("{}-{}", name(is_ip6, first), name(is_ip6, last)))
            }
            _ => (first..=first, name(is_ip6, first)),
        };
        Addresses { is_ip6, numbers, text }
    }
}

fn random_port(random: &mut Random) -> usize {
    usize::from(*PORTS.start()) + random.below(PORTS.count())
}
