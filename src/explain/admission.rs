//! Which entry of a policy lets a packet in, or else which one comes nearest.

use std::net::IpAddr;
use std::sync::Arc;

use crate::compile::swarm_entry;
use crate::model::{AddressSpec, Interface, Interval, IpVersion, Name, Origin, Ports, Protocol};
use crate::policy::{Allow, Entry, Group, Limits, Moment, Policy, Schedule, ScheduleState, Source};

/// The first packet of a flow as a policy judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its source.
    pub source: IpAddr,
    /// Its destination, an address of the host.
    pub destination: IpAddr,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The published port.
    pub port: u16,
    /// The interface by which it comes in; `None`: not known, so that no condition on it holds.
    pub in_interface: Option<&'a Name>,
}

/// What a policy says of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// An entry admits it: the first one that does, with the group and the source.
    Admitted(Origin),
    /// An entry of [`Policy::deny`] denies it: the first one that does, with the group and the source.
    Denied(Origin),
    /// No entry admits it.
    NotAdmitted {
        /// The entry that comes nearest, if one is near.
        nearest: Option<NearMiss>,
    },
}

/// An entry that does not admit a packet, but would without some of its conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The entry.
    pub entry: Origin,
    /// The conditions that the packet does not meet; at least one.
    pub unmet: Vec<Unmet>,
}

/// A condition that a packet does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unmet {
    /// Its source is in none of these groups; those without a name are written in the entry.
    Source(Vec<Option<Name>>),
    /// Its source is in this group, which the entry excepts; `None`: it is written in the entry.
    Excepted(Option<Name>),
    /// It comes in by another interface.
    Interface(Interface),
    /// It is for another address of the host.
    Destination(Vec<AddressSpec>),
    /// It is for another port.
    Port(Vec<Ports>),
    /// The entry does not apply at present.
    Schedule(Schedule, ScheduleState),
}

impl Admission {
    /// What the policy says of the packet at present.
    pub fn of(policy: &Policy, packet: &Packet) -> Admission {
        Admission::at(policy, packet, Moment::now())
    }

    /// What the policy says of the packet at a moment.
    pub fn at(policy: &Policy, packet: &Packet, now: Moment) -> Admission {
        for entry in policy.deny() {
            let (unmet, source) = judge(entry, packet, now);
            if unmet.is_empty() {
                return Admission::Denied(origin(entry, source));
            }
        }
        let peers = swarm_entry(policy.guard());
        let mut nearest: Option<NearMiss> = None;
        for entry in policy.allow().iter().chain(&peers) {
            let (unmet, source) = judge(entry, packet, now);
            if unmet.is_empty() {
                let containers = publishers(entry, packet);
                return Admission::Admitted(Origin { containers, ..origin(entry, source) });
            }
            let is_nearer = |known: &NearMiss| distance(&unmet) < distance(&known.unmet);
            if is_near(entry, &unmet) && nearest.as_ref().is_none_or(is_nearer) {
                nearest = Some(NearMiss { entry: origin(entry, None), unmet });
            }
        }
        Admission::NotAdmitted { nearest }
    }

    /// The schedule of the entry that admits or denies the packet, if it has one.
    pub fn schedule<'p>(&self, policy: &'p Policy) -> Option<&'p Schedule> {
        let origin = match self {
            Admission::Admitted(origin) | Admission::Denied(origin) => origin,
            Admission::NotAdmitted { .. } => return None,
        };
        let is_origin = |entry: &&Entry| {
            entry.name() == origin.entry.as_ref() && entry.at() == origin.at.as_ref()
        };
        policy.entries().find(is_origin)?.schedule()
    }

    /// The limits within which the policy admits the packet: those of the first entry that does. None if
    /// another entry admits it without limits, or if it is not admitted.
    pub fn limits(policy: &Policy, packet: &Packet, now: Moment) -> Limits {
        if !Admission::at(policy, packet, now).is_admitted() {
            return Limits::default();
        }
        let admits = |entry: &&Allow| judge(entry, packet, now).0.is_empty();
        let mut limits = policy.allow().iter().filter(admits).map(Allow::limits);
        let first = limits.next().unwrap_or_default();
        if limits.any(Limits::is_none) { Limits::default() } else { first }
    }

    /// Whether an entry admits the packet.
    pub fn is_admitted(&self) -> bool {
        matches!(self, Admission::Admitted(_))
    }
}

/// The conditions of an entry that the packet does not meet, and the source that matches.
fn judge<'e>(
    entry: &'e Entry,
    packet: &Packet,
    now: Moment,
) -> (Vec<Unmet>, Option<(&'e Group, &'e Source)>) {
    let mut unmet = Vec::new();
    let source = entry.from().and_then(|groups| matching(groups, packet.source));
    if let Some(groups) = entry.from().filter(|_| source.is_none()) {
        unmet.push(Unmet::Source(groups.iter().map(|group| group.name().cloned()).collect()));
    }
    if let Some((group, _)) = matching(entry.except(), packet.source) {
        unmet.push(Unmet::Excepted(group.name().cloned()));
    }
    let comes_by =
        |interface: &&Interface| packet.in_interface.is_some_and(|name| interface.matches(name));
    let other = entry.in_interface().filter(|interface| !comes_by(interface));
    unmet.extend(other.cloned().map(Unmet::Interface));
    if !entry.to().is_empty() && !entry.to().iter().any(|to| has(to, packet.destination)) {
        unmet.push(Unmet::Destination(entry.to().to_vec()));
    }
    if !entry.ports().iter().any(|ports| ports.has(packet.protocol, packet.port)) {
        unmet.push(Unmet::Port(entry.ports().to_vec()));
    }
    let closed = entry.schedule().filter(|schedule| !schedule.is_open(now));
    unmet.extend(closed.map(|schedule| Unmet::Schedule(schedule.clone(), schedule.state(now))));
    (unmet, source)
}

fn matching(groups: &[Group], address: IpAddr) -> Option<(&Group, &Source)> {
    groups.iter().find_map(|group| {
        let source = group.sources().iter().find(|source| has(&source.addresses(), address));
        source.map(|source| (group, source))
    })
}

fn has(addresses: &AddressSpec, address: IpAddr) -> bool {
    let Interval { first, last } = Interval::of(addresses);
    let number = Interval::of(&AddressSpec::masked(address.into())).first;
    addresses.version() == IpVersion::of(address) && (first..=last).contains(&number)
}

fn origin(entry: &Entry, source: Option<(&Group, &Source)>) -> Origin {
    Origin {
        entry: entry.name().cloned(),
        at: entry.at().cloned(),
        group: source.and_then(|(group, _)| group.name().cloned()),
        host: source.and_then(|(_, source)| source.host().map(|host| host.name().clone())),
        containers: entry.by_container().map(|it| it.containers().clone()).unwrap_or_default(),
        source: source.and_then(|(_, source)| source.at()),
    }
}

/// The containers that publish the packet's port, if the entry is for containers.
fn publishers(entry: &Entry, packet: &Packet) -> Arc<[Name]> {
    let by = entry.by_container();
    by.map(|it| it.publishers(packet.protocol, packet.port)).unwrap_or_default()
}

/// An entry is near if it is for the port, or if it names the source for other ports.
fn is_near(entry: &Entry, unmet: &[Unmet]) -> bool {
    let is_port = |it: &Unmet| matches!(it, Unmet::Port(_));
    match unmet {
        [only] if is_port(only) => entry.from().is_some(),
        unmet => !unmet.iter().any(is_port),
    }
}

/// How far an entry is from admitting the packet. Another port is farther than another source.
fn distance(unmet: &[Unmet]) -> usize {
    let weight = |it: &Unmet| if matches!(it, Unmet::Port(_)) { 4 } else { 1 };
    unmet.iter().map(weight).sum()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const POLICY: &str = r#"
[sources]
office = ["198.51.100.7", "2001:db8::/64"]
cdn = ["203.0.113.0/24"]

[[allow]]
name = "web"
ports = ["443", "8000-8100"]
from = ["office", "cdn"]

[[allow]]
name = "metrics"
ports = ["9100"]
from = ["office", "192.0.2.9"]
in-interface = "eth1"
to = ["192.0.2.1"]

[[allow]]
ports = ["53/udp"]
"#;

    fn admission(source: &str, port: u16, protocol: Protocol, interface: &str) -> Admission {
        let policy = Policy::parse(POLICY, "p.toml", Path::new("")).expect("a policy");
        let source: IpAddr = source.parse().expect("an address");
        let host = if source.is_ipv4() { "192.0.2.1" } else { "2001:db8::1" };
        let packet = Packet {
            source,
            destination: host.parse().expect("an address"),
            protocol,
            port,
            in_interface: Some(&interface.into()),
        };
        Admission::of(&policy, &packet)
    }

    fn words(admission: &Admission) -> String {
        match admission {
            Admission::Admitted(origin) => format!("yes: {origin}"),
            Admission::Denied(origin) => format!("denied: {origin}"),
            Admission::NotAdmitted { nearest: None } => "no".to_owned(),
            Admission::NotAdmitted { nearest: Some(NearMiss { entry, unmet }) } => {
                let unmet: Vec<&str> = unmet
                    .iter()
                    .map(|it| match it {
                        Unmet::Source(_) => "source",
                        Unmet::Excepted(_) => "exception",
                        Unmet::Interface(_) => "interface",
                        Unmet::Destination(_) => "destination",
                        Unmet::Port(_) => "port",
                        Unmet::Schedule(..) => "schedule",
                    })
                    .collect();
                format!("no: {entry} but for {}", unmet.join(", "))
            }
        }
    }

    #[test]
    fn the_entry_that_admits_is_found_with_its_source() {
        let cases = [
            (
                ("203.0.113.99", 8050, Protocol::Tcp, "eth0"),
                "yes: entry `web` (p.toml:6:1), group `cdn` (p.toml:4:8)",
            ),
            (
                ("192.0.2.9", 9100, Protocol::Tcp, "eth1"),
                "yes: entry `metrics` (p.toml:11:1), source (p.toml:14:19)",
            ),
            (
                ("2001:db8::7", 443, Protocol::Tcp, "eth0"),
                "yes: entry `web` (p.toml:6:1), group `office` (p.toml:3:27)",
            ),
            (
                ("192.0.2.200", 53, Protocol::Udp, "eth0"),
                "yes: an entry without a name (p.toml:18:1)",
            ),
        ];
        for ((source, port, protocol, interface), expected) in cases {
            assert_eq!(words(&admission(source, port, protocol, interface)), expected);
        }
    }

    #[test]
    fn an_entry_that_denies_comes_first_and_an_exception_is_a_near_miss() {
        let text = format!(
            "{POLICY}except = ['cdn']\n[[deny]]\nname = 'bans'\nports = ['443', '53/udp']\n\
             from = ['192.0.2.66', 'office']\nexcept = ['198.51.100.7']\n"
        );
        let policy = Policy::parse(&text, "p.toml", Path::new("")).expect("a policy");
        let words = |source: &str, port, protocol| {
            let packet = Packet {
                source: source.parse().expect("an address"),
                destination: "192.0.2.1".parse().expect("an address"),
                protocol,
                port,
                in_interface: None,
            };
            words(&Admission::of(&policy, &packet))
        };
        for (source, port, protocol, expected) in [
            (
                "192.0.2.66",
                53,
                Protocol::Udp,
                "denied: entry `bans` (p.toml:21:1), source (p.toml:24:9)",
            ),
            (
                "2001:db8::9",
                443,
                Protocol::Tcp,
                "denied: entry `bans` (p.toml:21:1), group `office` (p.toml:3:27)",
            ),
            (
                "198.51.100.7",
                443,
                Protocol::Tcp,
                "yes: entry `web` (p.toml:6:1), group `office` (p.toml:3:11)",
            ),
            (
                "203.0.113.9",
                53,
                Protocol::Udp,
                "no: an entry without a name (p.toml:18:1) but for exception",
            ),
            ("192.0.2.67", 53, Protocol::Udp, "yes: an entry without a name (p.toml:18:1)"),
        ] {
            assert_eq!(words(source, port, protocol), expected, "{source}");
        }
    }

    #[test]
    fn the_nearest_entry_fails_least() {
        let cases = [
            (("198.51.100.8", 443, Protocol::Tcp, "eth0"), "web` (p.toml:6:1) but for source"),
            (
                ("198.51.100.7", 9100, Protocol::Tcp, "eth0"),
                "metrics` (p.toml:11:1) but for interface",
            ),
            (
                ("203.0.113.1", 9100, Protocol::Tcp, "eth0"),
                "metrics` (p.toml:11:1) but for source, interface",
            ),
            (
                ("2001:db8::7", 9100, Protocol::Tcp, "eth1"),
                "metrics` (p.toml:11:1) but for destination",
            ),
            (("203.0.113.1", 80, Protocol::Tcp, "eth0"), "web` (p.toml:6:1) but for port"),
        ];
        for ((source, port, protocol, interface), expected) in cases {
            let words = words(&admission(source, port, protocol, interface));
            assert_eq!(words, format!("no: entry `{expected}"));
        }
        assert_eq!(words(&admission("192.0.2.77", 80, Protocol::Tcp, "eth0")), "no");
    }
}
