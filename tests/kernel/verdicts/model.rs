//! A second, deliberately simple implementation of a policy's meaning.
//!
//! A key of entries is added in four places: a field of [`Entry`], a random value for it in
//! [`Entry::random`], its meaning in [`Entry::matches`], and its text in [`Entry::text`]. The tests of this
//! folder compare the meaning with what the kernel does with real packets, and with what the library
//! says of them.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::Path;

use super::super::support::Random;

/// Numbers of source addresses and of the host's addresses.
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

/// An address of the clients. The second half of them is behind a boundary, at which large lists are
/// divided: 10.10.0.0 or fd09::1:0:0.
pub fn source(is_ip6: bool, number: usize) -> String {
    if is_ip6 {
        let low = 0xffff_ffe0 + number as u128;
        Ipv6Addr::from(0xfd09 << 112 | low).to_string()
    } else {
        Ipv4Addr::from(0x0a09_ffe0 + number as u32).to_string()
    }
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
pub struct Policy {
    deny: Vec<Entry>,
    allow: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// Empty: anyone.
    from: Vec<Addresses>,
    except: Vec<Addresses>,
    to: Vec<Addresses>,
    /// `None`: every port.
    ports: Option<(RangeInclusive<usize>, Protocol)>,
    interface: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Tcp,
    Udp,
}

impl Policy {
    pub fn random(random: &mut Random) -> Policy {
        let number = 1 + random.below(5);
        let entries = std::iter::repeat_with(|| Entry::random(random, 40));
        let allow = entries.filter(Entry::can_match).take(number).collect();
        // Short lists: most packets are allowed or refused by the entries behind them.
        let number = random.of(&[0, 1, 2, 3]);
        let entries = std::iter::repeat_with(|| {
            let entry = Entry::random(random, 8);
            if random.is_one_in(4) { Entry { ports: None, ..entry } } else { entry }
        });
        let deny = entries.filter(Entry::can_match).take(number).collect();
        Policy { deny, allow }
    }

    pub fn lets_in(&self, packet: &Packet) -> bool {
        let matches = |entry: &Entry| entry.matches(packet);
        self.allow.iter().any(matches) && !self.deny.iter().any(matches)
    }

    /// Whether the library says that the policy of this text admits the packet.
    pub fn is_admitted(text: &str, packet: &Packet) -> bool {
        let policy = dwnl::Policy::parse(text, "p", Path::new("")).expect("a policy");
        let address = |text: String| text.parse().expect("an address");
        let packet = dwnl::explain::Packet {
            source: address(source(packet.is_ip6, packet.source)),
            destination: address(destination(packet.is_ip6, packet.destination)),
            protocol: match packet.is_udp {
                true => dwnl::model::Protocol::Udp,
                false => dwnl::model::Protocol::Tcp,
            },
            port: packet.port,
            in_interface: Some(&format!("eth{}", packet.interface).into()),
        };
        dwnl::explain::Admission::of(&policy, &packet).is_admitted()
    }

    /// The text of the policy, with `padding` unrelated addresses of each family in each list of sources,
    /// and half as many prefixes, on both sides of the boundary between the clients.
    pub fn text(&self, padding: usize) -> String {
        self.text_padding_every(1, padding)
    }

    /// The same with them in every so many lists alone, beginning with the first.
    pub fn text_padding_every(&self, nth: usize, padding: usize) -> String {
        let mut unrelated = Vec::new();
        for number in 0..padding {
            unrelated.push(format!(
                "10.{}.{}.{}",
                64 + number / 65_536,
                number / 256 % 256,
                number % 256
            ));
            unrelated.push(format!("fd64::{number:x}"));
        }
        for number in 0..padding / 2 {
            let (high, low) = (number / 128, number / 2 % 64 * 4);
            let below = number % 2 == 0;
            let net = if below { format!("10.9.{high}") } else { format!("10.10.{}", high + 1) };
            unrelated.push(format!("{net}.{low}/31"));
            let net = if below { "fd09::" } else { "fd09::1:1:" };
            unrelated.push(format!("{net}{:x}/127", number / 2 * 4));
        }
        let deny = self.deny.iter().map(|entry| ("deny", entry));
        let entries = deny.chain(self.allow.iter().map(|entry| ("allow", entry)));
        let text = |(number, (key, entry)): (usize, (&str, &Entry))| {
            let unrelated = if number % nth == 0 { &unrelated[..] } else { &[] };
            format!("[[{key}]]\n{}", entry.text(unrelated))
        };
        entries.enumerate().map(text).collect()
    }
}

impl Entry {
    fn random(random: &mut Random, sources: usize) -> Entry {
        let mut list = |number, end, name| -> Vec<Addresses> {
            (0..number).map(|_| Addresses::random(random, end, name)).collect()
        };
        let from = list(sources, SOURCES, source);
        let except = list(4, SOURCES, source);
        let to = list(4, DESTINATIONS, destination);
        let mut shortened = |mut list: Vec<Addresses>, lengths: &[usize]| {
            list.truncate(random.of(lengths));
            list
        };
        let lengths: Vec<usize> = (1..=sources).collect();
        let from = shortened(from, &lengths);
        let except = shortened(except, &[0, 0, 0, 1, 2, 4]);
        let to = shortened(to, &[0, 0, 2, 4]);
        let (a, b) = (random_port(random), random_port(random));
        let protocol = if random.is_one_in(2) { Protocol::Udp } else { Protocol::Tcp };
        let interface = random.of(&["", "", "", "eth0", "eth1", "eth+", "!eth0", "!docker0"]);
        Entry { from, except, to, ports: Some((a.min(b)..=a.max(b), protocol)), interface }
    }

    /// Whether any packet can match the entry. A policy with an entry that cannot match is invalid.
    fn can_match(&self) -> bool {
        let is_destination = |ip6| self.to.is_empty() || self.to.iter().any(|to| to.is_ip6 == ip6);
        self.from.iter().any(|from| is_destination(from.is_ip6))
    }

    fn matches(&self, packet: &Packet) -> bool {
        let has = |addresses: &[Addresses], number| {
            addresses.iter().any(|a| a.is_ip6 == packet.is_ip6 && a.numbers.contains(&number))
        };
        let is_interface = match self.interface {
            "eth0" => packet.interface == 0,
            "eth1" | "!eth0" => packet.interface == 1,
            _ => true,
        };
        let protocol = if packet.is_udp { Protocol::Udp } else { Protocol::Tcp };
        let is_port = self
            .ports
            .as_ref()
            .is_none_or(|(ports, of)| *of == protocol && ports.contains(&usize::from(packet.port)));
        is_interface
            && is_port
            && (self.from.is_empty() || has(&self.from, packet.source))
            && !has(&self.except, packet.source)
            && (self.to.is_empty() || has(&self.to, packet.destination))
    }

    fn text(&self, unrelated: &[String]) -> String {
        let list = |addresses: &[Addresses]| -> Vec<String> {
            addresses.iter().map(|a| a.text.clone()).collect()
        };
        let mut text = String::new();
        if let Some((ports, protocol)) = &self.ports {
            let protocol = if *protocol == Protocol::Udp { "udp" } else { "tcp" };
            text += &format!("ports = [\"{}-{}/{protocol}\"]\n", ports.start(), ports.end());
        }
        if !self.from.is_empty() {
            text += &format!("from = {:?}\n", [&list(&self.from), unrelated].concat());
        }
        if !self.except.is_empty() {
            text += &format!("except = {:?}\n", list(&self.except));
        }
        if !self.to.is_empty() {
            text += &format!("to = {:?}\n", list(&self.to));
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
