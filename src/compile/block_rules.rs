//! The rules of `DOCKER-BLOCK` for one entry, for each of its ports and destinations.

use std::sync::Arc;

use super::expand::{denied_ports, destinations, network, of_version, origin, range};
use super::sets::SetGroups;
use crate::model::{
    AddressRange, AddressSpec, DesiredRule, IpVersion, IptablesRule, Match, Name, Origin, Ports,
    Verdict,
};
use crate::policy::Entry;

/// Appends the rules of `DOCKER-BLOCK` for the small groups of an entry that allows.
pub(super) fn push_allowing(
    version: IpVersion,
    entry: &Entry,
    docker: &Name,
    large: &SetGroups,
    desired: &mut Vec<DesiredRule>,
) {
    let verdict = Verdict::Jump(Arc::clone(docker));
    let ports = entry.ports().iter().copied().map(Some).collect();
    push_rules(version, entry, ports, &verdict, large, desired);
}

/// Appends the rules for the small groups of an entry that denies. `verdict` leads past the rules that
/// allow.
pub(super) fn push_denying(
    version: IpVersion,
    entry: &Entry,
    verdict: &Verdict,
    large: &SetGroups,
    desired: &mut Vec<DesiredRule>,
) {
    push_rules(version, entry, denied_ports(entry), verdict, large, desired);
}

fn push_rules(
    version: IpVersion,
    entry: &Entry,
    ports: Vec<Option<Ports>>,
    verdict: &Verdict,
    large: &SetGroups,
    desired: &mut Vec<DesiredRule>,
) {
    for ports in ports {
        for destination in destinations(version, entry) {
            EntryRules { version, entry, ports, destination, verdict, large }.push_onto(desired);
        }
    }
}

/// The rules of one entry for one of its ports and one destination.
struct EntryRules<'a> {
    version: IpVersion,
    entry: &'a Entry,
    /// `None`: every port of every protocol.
    ports: Option<Ports>,
    destination: Option<&'a AddressSpec>,
    verdict: &'a Verdict,
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
                desired.push(self.rule(Some(&source.addresses()), &shared, origin));
            }
        }
    }

    /// `-s SOURCE -d DESTINATION -i INTERFACE -p tcp -m tcp --dport PORTS
    /// -m iprange --src-range SOURCE --dst-range DESTINATION -m conntrack --ctstate NEW
    /// -m comment --comment NAME -j DOCKER`; one that denies has no condition on the state
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
            protocol: self.ports.map(|ports| ports.protocol()),
            matches,
            verdict: self.verdict.clone(),
        };
        DesiredRule { rule: rule.into(), origin: Some(Arc::new(origin)) }
    }

    fn matches(&self, source: Option<AddressRange>) -> Arc<[Match]> {
        let destination = range(self.destination);
        let mut matches: Vec<Match> = self.ports.into_iter().map(Match::DestinationPorts).collect();
        if source.is_some() || destination.is_some() {
            matches.push(Match::Range { source, destination });
        }
        if matches!(self.verdict, Verdict::Jump(_)) {
            matches.push(Match::CtStateNew);
        }
        matches.extend(self.entry.comment().map(Match::Comment));
        matches.into()
    }
}
