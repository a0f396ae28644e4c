//! Entries whose ports are those that containers publish.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::ContainerSelector;
use crate::model::{AddressSpec, Binding, Container, Containers, IpVersion, Name, Ports, Protocol};

/// How an entry came by its ports: they are published by containers. Where the containers listen on several
/// addresses of the host, several entries stand for the one in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByContainer {
    /// `None`: labels of a container ask for the entry.
    selector: Option<ContainerSelector>,
    /// The keys `ports` and `to` as written. No ports: all that are published.
    ports: Vec<Ports>,
    to: Vec<AddressSpec>,
    /// The index among the entries that stand for the one in the file.
    part: usize,
    found: Vec<FoundPort>,
    containers: Arc<[Name]>,
}

/// A port and the container that publishes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FoundPort {
    container: Name,
    binding: Binding,
}

/// Ports that are published on the same addresses.
#[derive(Default)]
struct PortGroup {
    ports: Vec<(Protocol, u16)>,
    found: Vec<FoundPort>,
}

/// The ports and destinations of one of the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub ports: Vec<Ports>,
    pub to: Vec<AddressSpec>,
    pub by: ByContainer,
}

/// What an entry does with the ports of its containers, which decides what is the safe side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

impl ByContainer {
    /// An entry with these keys `ports` and `to`, before its containers are looked up.
    pub(super) fn new(
        selector: Option<ContainerSelector>,
        ports: Vec<Ports>,
        to: Vec<AddressSpec>,
    ) -> ByContainer {
        ByContainer { selector, ports, to, part: 0, found: Vec::new(), containers: Arc::default() }
    }

    /// The containers that the entry is for; `None`: labels of a container ask for the entry, so it is not
    /// in the policy file.
    pub fn selector(&self) -> Option<&ContainerSelector> {
        self.selector.as_ref()
    }

    /// The ports to which the entry is restricted; empty: all that the containers publish.
    pub fn listed_ports(&self) -> &[Ports] {
        &self.ports
    }

    /// The destinations to which the entry is restricted; empty: all on which the containers listen.
    pub fn listed_destinations(&self) -> &[AddressSpec] {
        &self.to
    }

    /// Whether this is the first of the entries that stand for the one in the file.
    pub fn is_first(&self) -> bool {
        self.part == 0
    }

    /// The containers that publish the entry's ports, each once, sorted.
    pub fn containers(&self) -> &Arc<[Name]> {
        &self.containers
    }

    /// The containers that publish this port, each once, sorted.
    pub fn publishers(&self, protocol: Protocol, port: u16) -> Arc<[Name]> {
        let is_port =
            |it: &&FoundPort| it.binding.protocol == protocol && it.binding.host_port == port;
        names(self.found.iter().filter(is_port))
    }

    /// The entries in place of this one; at least one, whose ports may be empty.
    pub(super) fn resolve(&self, effect: Effect, containers: &Containers) -> Vec<Part> {
        let matching = |it: &&Container| self.selector.as_ref().is_some_and(|by| by.matches(it));
        let found = found(containers.list.iter().filter(matching), |_| true);
        match effect {
            Effect::Deny if !containers.is_current => {
                let others = containers.list.iter().filter(|it| !matching(it));
                vec![self.doubtful(&found, others)]
            }
            effect => self.parts(effect, found),
        }
    }

    /// The entries for what labels of this container ask for, for its ports that `is_meant` names.
    pub(super) fn of_labels(
        container: &Container,
        is_meant: impl Fn(&Binding) -> bool,
    ) -> Vec<Part> {
        let entry = ByContainer::new(None, Vec::new(), Vec::new());
        entry.parts(Effect::Allow, found([container].into_iter(), is_meant))
    }

    /// The entries for these ports: one for each combination of addresses on which some of them are
    /// published.
    fn parts(&self, effect: Effect, found: Vec<FoundPort>) -> Vec<Part> {
        let listed = |it: &FoundPort| {
            let Binding { protocol, host_port, .. } = it.binding;
            self.ports.is_empty() || self.ports.iter().any(|it| it.has(protocol, host_port))
        };
        let mut ports: BTreeMap<(Protocol, u16), Vec<FoundPort>> = BTreeMap::new();
        for found in found.into_iter().filter(listed) {
            let port = (found.binding.protocol, found.binding.host_port);
            ports.entry(port).or_default().push(found);
        }
        let mut groups: Vec<(Vec<AddressSpec>, PortGroup)> = Vec::new();
        for (port, found) in ports {
            let addresses = found.iter().map(|found| found.binding.address).collect();
            let Some(to) = destinations(effect, &addresses, &self.to) else { continue };
            let index = groups.iter().position(|(known, _)| *known == to).unwrap_or_else(|| {
                groups.push((to, PortGroup::default()));
                groups.len() - 1
            });
            if let Some((_, group)) = groups.get_mut(index) {
                group.ports.push(port);
                group.found.extend(found);
            }
        }
        if groups.is_empty() {
            groups.push((self.to.clone(), PortGroup::default()));
        }
        let part = |(part, (to, PortGroup { ports, found }))| Part {
            ports: ranges(ports),
            to,
            by: ByContainer { part, ..self.with_found(found) },
        };
        groups.into_iter().enumerate().map(part).collect()
    }

    /// The ports that may be those of the containers while Docker does not answer: all but those that were
    /// last known to be published by others.
    fn doubtful<'c>(
        &self,
        known: &[FoundPort],
        others: impl Iterator<Item = &'c Container>,
    ) -> Part {
        let port = |it: &FoundPort| (it.binding.protocol, it.binding.host_port);
        let own: BTreeSet<_> = known.iter().map(port).collect();
        let others: BTreeSet<_> = found(others, |_| true).iter().map(port).collect();
        let all: Vec<Ports> =
            if self.ports.is_empty() { Ports::every().collect() } else { self.ports.clone() };
        let possible = all
            .iter()
            .flat_map(|ports| (ports.first()..=ports.last()).map(|port| (ports.protocol(), port)));
        let possible: BTreeSet<_> =
            possible.filter(|port| own.contains(port) || !others.contains(port)).collect();
        Part {
            ports: ranges(possible),
            to: self.to.clone(),
            by: ByContainer { part: 0, ..self.with_found(known.to_vec()) },
        }
    }

    fn with_found(&self, found: Vec<FoundPort>) -> ByContainer {
        ByContainer { containers: names(found.iter()), found, ..self.clone() }
    }
}

/// The containers, each once, sorted.
fn names<'f>(found: impl Iterator<Item = &'f FoundPort>) -> Arc<[Name]> {
    let names: BTreeSet<&Name> = found.map(|found| &found.container).collect();
    names.into_iter().cloned().collect()
}

fn found<'c>(
    containers: impl Iterator<Item = &'c Container>,
    is_meant: impl Fn(&Binding) -> bool,
) -> Vec<FoundPort> {
    let mut found: Vec<FoundPort> = containers
        .flat_map(|it| it.ports.iter().map(|binding| (it.name.clone(), *binding)))
        .filter(|(_, binding)| is_meant(binding))
        .map(|(container, binding)| FoundPort { container, binding })
        .collect();
    found.sort_unstable();
    found
}

/// The destinations of an entry for a port that is published on these addresses, among those to which the
/// entry is restricted; empty: any. `None`: no other host can reach the port there.
fn destinations(
    effect: Effect,
    addresses: &BTreeSet<IpAddr>,
    restricted: &[AddressSpec],
) -> Option<Vec<AddressSpec>> {
    let [v4, v6] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let is_any = [addresses.contains(&v4), addresses.contains(&v6)];
    // docker-proxy may accept more than the addresses say.
    if is_any == [true, true] || (effect == Effect::Deny && is_any != [false, false]) {
        return Some(restricted.to_vec());
    }
    let mut to = Vec::new();
    for (version, any) in [(IpVersion::V4, v4), (IpVersion::V6, v6)] {
        let of_version = |it: &&AddressSpec| it.version() == version;
        if addresses.contains(&any) && restricted.is_empty() {
            to.extend(IpNetwork::new(any, 0).ok().map(AddressSpec::masked));
        } else if addresses.contains(&any) {
            to.extend(restricted.iter().filter(of_version));
        } else {
            let hosts = addresses.iter().filter(|it| !it.is_loopback());
            let hosts = hosts.filter(|it| IpVersion::of(**it) == version);
            let hosts = hosts.map(|it| AddressSpec::masked((*it).into()));
            to.extend(hosts.filter(|it| restricted.is_empty() || covers(restricted, it)));
        }
    }
    (!to.is_empty()).then_some(to)
}

fn covers(restricted: &[AddressSpec], host: &AddressSpec) -> bool {
    let mut same = restricted.iter().filter(|it| it.version() == host.version());
    same.any(|it| (it.first()..=it.last()).contains(&host.first()))
}

/// Sorted ports as ranges of consecutive ones.
fn ranges(ports: impl IntoIterator<Item = (Protocol, u16)>) -> Vec<Ports> {
    let mut ranges: Vec<Ports> = Vec::new();
    for (protocol, port) in ports {
        let last = ranges.last().copied();
        let extended =
            last.filter(|it| it.protocol() == protocol && it.last().checked_add(1) == Some(port));
        let first = extended.map_or(port, |it| it.first());
        if extended.is_some() {
            ranges.pop();
        }
        ranges.extend(Ports::new(protocol, first, port).ok());
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, ports: &[(&str, u16, Protocol)]) -> Container {
        let binding = |(address, port, protocol): &(&str, u16, Protocol)| Binding {
            protocol: *protocol,
            host_port: *port,
            container_port: 80,
            address: address.parse().expect("an address"),
        };
        Container {
            name: name.into(),
            labels: BTreeMap::new(),
            ports: ports.iter().map(binding).collect(),
        }
    }

    /// `443/tcp,8080-8081/tcp to 192.0.2.1` of each entry.
    fn resolved(
        effect: Effect,
        ports: &[&str],
        to: &[&str],
        containers: &Containers,
    ) -> Vec<String> {
        let ports = ports.iter().map(|text| text.parse().expect("ports")).collect();
        let to = to.iter().map(|text| text.parse().expect("addresses")).collect();
        let selector = ContainerSelector::default().with_name("web").expect("a selector");
        let entry = ByContainer::new(Some(selector), ports, to);
        let text = |texts: Vec<String>| texts.join(",");
        let part = |part: Part| {
            let ports = text(part.ports.iter().map(ToString::to_string).collect());
            let to = text(part.to.iter().map(ToString::to_string).collect());
            format!("{ports} to {to}")
        };
        entry.resolve(effect, containers).into_iter().map(part).collect()
    }

    const TCP: Protocol = Protocol::Tcp;

    #[test]
    fn ports_are_grouped_by_the_addresses_they_are_published_on() {
        let both = |port| [("0.0.0.0", port, TCP), ("::", port, TCP)];
        let mut ports = [both(80), both(81), both(443)].concat();
        ports.extend([
            ("0.0.0.0", 5000, TCP),
            ("::", 5001, TCP),
            ("192.0.2.1", 5002, TCP),
            ("127.0.0.1", 5003, TCP),
            ("::1", 5003, TCP),
            ("127.0.0.1", 5004, TCP),
            ("2001:db8::1", 5004, TCP),
            ("0.0.0.0", 53, Protocol::Udp),
            ("::", 53, Protocol::Udp),
        ]);
        let list = vec![container("web", &ports), container("other", &both(7))];
        let current = Containers { list, is_current: true };
        let allowed = resolved(Effect::Allow, &[], &[], &current);
        let expected = [
            "80-81/tcp,443/tcp,53/udp to ",
            "5000/tcp to 0.0.0.0/0",
            "5001/tcp to ::/0",
            "5002/tcp to 192.0.2.1",
            "5004/tcp to 2001:db8::1",
        ];
        assert_eq!(allowed, expected);
        let denied = resolved(Effect::Deny, &[], &[], &current);
        let expected = [
            "80-81/tcp,443/tcp,5000-5001/tcp,53/udp to ",
            "5002/tcp to 192.0.2.1",
            "5004/tcp to 2001:db8::1",
        ];
        assert_eq!(denied, expected);
        let restricted = resolved(Effect::Allow, &["81-5001"], &["192.0.2.0/24"], &current);
        assert_eq!(restricted, ["81/tcp,443/tcp,5000/tcp to 192.0.2.0/24"]);
        let restricted = resolved(Effect::Allow, &[], &["192.0.2.0-192.0.2.9"], &current);
        let expected = ["80-81/tcp,443/tcp,5000/tcp,53/udp to 192.0.2.0-192.0.2.9"];
        assert_eq!(restricted[..1], expected);
        assert_eq!(restricted[1..], ["5002/tcp to 192.0.2.1"]);
    }

    #[test]
    fn without_containers_nothing_is_allowed() {
        let gone =
            Containers { list: vec![container("other", &[("::", 7, TCP)])], is_current: true };
        for containers in [&gone, &gone.clone().outdated(), &Containers::default()] {
            assert_eq!(resolved(Effect::Allow, &[], &[], containers), [" to "]);
        }
        assert_eq!(resolved(Effect::Deny, &[], &[], &gone), [" to "]);
    }

    #[test]
    fn what_is_doubtful_is_denied() {
        let every = "1-65535/tcp,1-65535/udp,1-65535/sctp to ";
        assert_eq!(resolved(Effect::Deny, &[], &[], &Containers::default()), [every]);
        let ports = ["80-82/tcp"];
        assert_eq!(resolved(Effect::Deny, &ports, &[], &Containers::default()), ["80-82/tcp to "]);
        let list = vec![
            container("web", &[("0.0.0.0", 443, TCP)]),
            container("other", &[("0.0.0.0", 80, TCP), ("192.0.2.1", 443, TCP)]),
        ];
        let last = Containers { list, is_current: false };
        let denied = resolved(Effect::Deny, &[], &["192.0.2.0/24"], &last);
        let expected = "1-79/tcp,81-65535/tcp,1-65535/udp,1-65535/sctp to 192.0.2.0/24";
        assert_eq!(denied, [expected]);
    }
}
