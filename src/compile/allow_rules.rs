//! The rules of `DOCKER-BLOCK` for one `[[allow]]` entry, for each of its ports and destinations.

use std::sync::Arc;

use super::expand::{destinations, network, of_version, origin, range};
use super::sets::SetGroups;
use crate::model::{
    AddressRange, AddressSpec, DesiredRule, IpVersion, IptablesRule, Match, Name, Origin, Ports,
    Verdict,
};
use crate::policy::Entry;

/// Appends the rules of `DOCKER-BLOCK` for an entry's small groups.
pub(super) fn push_rules(
    version: IpVersion,
    entry: &Entry,
    docker: &Name,
    large: &SetGroups,
    desired: &mut Vec<DesiredRule>,
) {
    for ports in entry.ports() {
        for destination in destinations(version, entry) {
            EntryRules { version, entry, ports: *ports, destination, docker, large }
                .push_onto(desired);
        }
    }
}

/// The rules of one entry for one of its ports and one destination.
struct EntryRules<'a> {
    version: IpVersion,
    entry: &'a Entry,
    ports: Ports,
    destination: Option<&'a AddressSpec>,
    docker: &'a Name,
    large: &'a SetGroups,
}

impl EntryRules<'_> {
    fn push_onto(&self, desired: &mut Vec<DesiredRule>) {
        let shared = self.matches(None);
        let Some(groups) = self.entry.sources() else {
            desired.push(self.rule(None, &shared, origin(self.entry, None, None)));
            return;
        };
        for group in groups.iter().filter(|group| !self.large.contains(self.version, group)) {
            for source in of_version(self.version, group) {
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
        let rule = IptablesRule {
            source: network(source),
            destination: network(self.destination),
            in_interface: self.entry.in_interface().cloned(),
            protocol: Some(self.ports.protocol()),
            matches,
            verdict: Verdict::Jump(Arc::clone(self.docker)),
        };
        DesiredRule { rule: rule.into(), origin: Some(Arc::new(origin)) }
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
