//! The rules of one `[[allow]]` entry, for each of its ports and called addresses.

use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::sets::SetGroups;
use crate::model::{
    AddressRange, AddressSpec, DesiredRule, Family, Match, Name, Origin, Ports, Rule, Verdict,
};
use crate::policy::{Allow, Group, Source};

/// Appends the rules of `DOCKER-BLOCK` for an entry's small groups.
pub(super) fn push_rules(
    family: Family,
    entry: &Allow,
    docker: &Name,
    large: &SetGroups,
    desired: &mut Vec<DesiredRule>,
) {
    for ports in entry.ports() {
        for destination in destinations(family, entry) {
            EntryRules { family, entry, ports: *ports, destination, docker, large }
                .push_onto(desired);
        }
    }
}

/// The addresses to be called, `None` for any; none at all if they are of the other family.
pub(super) fn destinations(family: Family, entry: &Allow) -> Vec<Option<&AddressSpec>> {
    if entry.to().is_empty() {
        return vec![None];
    }
    entry.to().iter().filter(|addresses| addresses.family() == family).map(Some).collect()
}

/// The sources of a group that are of the family.
pub(super) fn of_family(family: Family, group: &Group) -> impl Iterator<Item = &Source> {
    group.sources().iter().filter(move |source| source.addresses().family() == family)
}

/// What gave rise to the rules of an entry.
pub(super) fn origin(entry: &Allow, group: Option<&Group>, source: Option<&Source>) -> Origin {
    Origin {
        entry: entry.name().cloned(),
        at: entry.at().cloned(),
        group: group.and_then(|group| group.name().cloned()),
        source: source.and_then(|source| source.at().cloned()),
    }
}

/// The network that a header condition can match; `/0` needs no condition.
pub(super) fn network(addresses: Option<&AddressSpec>) -> Option<IpNetwork> {
    addresses?.as_network().filter(|network| network.prefix() > 0)
}

/// The range that an extension can match.
pub(super) fn range(addresses: Option<&AddressSpec>) -> Option<AddressRange> {
    addresses?.as_range()
}

/// The rules of one entry for one of its ports and one called address.
struct EntryRules<'a> {
    family: Family,
    entry: &'a Allow,
    ports: Ports,
    destination: Option<&'a AddressSpec>,
    docker: &'a Name,
    large: &'a SetGroups,
}

impl EntryRules<'_> {
    fn push_onto(&self, desired: &mut Vec<DesiredRule>) {
        let shared = self.matches(None);
        let Some(groups) = self.entry.from() else {
            desired.push(self.rule(None, &shared, origin(self.entry, None, None)));
            return;
        };
        for group in groups.iter().filter(|group| !self.large.contains(self.family, group)) {
            for source in of_family(self.family, group) {
                let origin = origin(self.entry, Some(group), Some(source));
                desired.push(self.rule(Some(source.addresses()), &shared, origin));
            }
        }
    }

    /// `-s SOURCE -d DESTINATION -i INTERFACE -p tcp -m tcp --dport PORTS
    /// -m iprange --src-range SOURCE --dst-range DESTINATION -m conntrack --ctstate NEW
    /// -m comment --comment NAME -j DOCKER`
    fn rule(
        &self,
        source: Option<&AddressSpec>,
        shared: &Arc<[Match]>,
        origin: Origin,
    ) -> DesiredRule {
        let matches = match range(source) {
            Some(source) => self.matches(Some(source)),
            None => Arc::clone(shared),
        };
        let rule = Rule {
            source: network(source),
            destination: network(self.destination),
            in_interface: self.entry.in_interface().cloned(),
            protocol: Some(self.ports.protocol()),
            matches,
            verdict: Verdict::Jump(Arc::clone(self.docker)),
        };
        DesiredRule { rule, origin: Some(Arc::new(origin)) }
    }

    fn matches(&self, source: Option<AddressRange>) -> Arc<[Match]> {
        let destination = range(self.destination);
        let mut matches = vec![Match::DestinationPorts(self.ports)];
        if source.is_some() || destination.is_some() {
            matches.push(Match::Range { source, destination });
        }
        matches.push(Match::CtStateNew);
        matches.extend(self.entry.name().cloned().map(Match::Comment));
        matches.into()
    }
}
