//! The rules of the guard's chain `allowed`.

use std::sync::Arc;

use super::dedup;
use super::expand::{comment, condition, destinations, of_version, origin};
use super::sets::SetGroups;
use crate::model::{
    AddressSpec, DesiredRule, Direction, Endpoint, IpVersion, NftMatch, NftRule, NftStatement,
    Origin, Ports,
};
use crate::policy::{Allow, Entry};

/// One rule for each source that has one in `DOCKER-BLOCK`, and one for each set of a large group.
pub(super) fn rules(entries: &[Allow], large: &SetGroups) -> Vec<DesiredRule> {
    let mut rules = Vec::new();
    for entry in entries {
        for version in IpVersion::ALL {
            for ports in entry.ports() {
                for destination in destinations(version, entry) {
                    Allowed { version, entry, ports: *ports, destination }
                        .push_onto(large, &mut rules);
                }
            }
        }
    }
    dedup(rules)
}

/// The rules of one entry for one of its ports and one destination.
struct Allowed<'a> {
    version: IpVersion,
    entry: &'a Entry,
    ports: Ports,
    destination: Option<&'a AddressSpec>,
}

impl Allowed<'_> {
    fn push_onto(&self, large: &SetGroups, rules: &mut Vec<DesiredRule>) {
        let Allowed { version, entry, .. } = *self;
        let Some(groups) = entry.sources() else {
            return rules.push(self.rule(None, Arc::new(origin(entry, None, None))));
        };
        for group in groups {
            if let Some(lookups) = large.lookups(version, group) {
                let origin = Arc::new(origin(entry, Some(group), None));
                for lookup in lookups {
                    let shard = lookup.shard.map(|shard| NftMatch::CtOriginalShard(version, shard));
                    let set = NftMatch::CtOriginalSet(version, Arc::clone(&lookup.set));
                    let source = shard.into_iter().chain([set]);
                    rules.push(self.rule(source, Arc::clone(&origin)));
                }
                continue;
            }
            for source in of_version(version, group) {
                let origin = Arc::new(origin(entry, Some(group), Some(source)));
                rules.push(self.rule(original(Endpoint::Source, source.addresses()), origin));
            }
        }
    }

    /// `iifname INTERFACE meta l4proto tcp ct original proto-dst PORTS meta nfproto VERSION
    /// ct original ip daddr DESTINATION ct original ip saddr SOURCE counter accept comment NAME`
    fn rule(&self, source: impl IntoIterator<Item = NftMatch>, origin: Arc<Origin>) -> DesiredRule {
        let interface = self.entry.in_interface().cloned();
        let interface = interface.map(|interface| NftMatch::Interface(Direction::In, interface));
        let service = [NftMatch::CtOriginalPorts(self.ports), NftMatch::NfProto(self.version)];
        let destination = self.destination.and_then(|it| original(Endpoint::Destination, it));
        let conditions = interface.into_iter().chain(service).chain(destination).chain(source);
        let rule = NftRule::new(conditions, NftStatement::Accept);
        let rule = NftRule { comment: comment(self.entry), ..rule };
        DesiredRule { rule: rule.into(), origin: Some(origin) }
    }
}

/// `ct original ip saddr 192.0.2.0/24`; a network of length 0 needs no condition.
fn original(end: Endpoint, addresses: &AddressSpec) -> Option<NftMatch> {
    condition(Some(addresses)).map(|addresses| NftMatch::CtOriginalAddress(end, addresses))
}
