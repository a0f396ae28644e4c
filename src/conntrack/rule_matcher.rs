//! Matches flows against installed rules, for which no policy is known.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::compile::{admitting_rules, blocks, denying_rules};
use crate::model::{
    AddressSpec, Endpoint, Family, Interval, IpVersion, IptablesRule, Match, Name, NftMatch,
    NftRule, Protocol, Rule, Ruleset, TimeMatch, Tuple, to_u128,
};
use crate::policy::Moment;

/// What installed rules admit, by published port.
pub(crate) struct RuleMatcher<'a> {
    admitting: BTreeMap<(Protocol, u16), Vec<(Family, &'a Rule)>>,
    denying: Vec<(Family, &'a Rule)>,
    sets: HashMap<&'a Name, &'a Arc<[Interval]>>,
    /// The IP versions whose published ports the rules block at all.
    blocked: Vec<IpVersion>,
    now: Moment,
}

impl<'a> RuleMatcher<'a> {
    /// The rules that admit flows to one of these ports, of a ruleset without maps. Without a ruleset, nothing is blocked.
    pub fn new(
        ruleset: Option<&'a Ruleset>,
        ports: impl Iterator<Item = (Protocol, u16)>,
    ) -> RuleMatcher<'a> {
        let Some(ruleset) = ruleset else {
            return RuleMatcher {
                admitting: BTreeMap::new(),
                denying: Vec::new(),
                sets: HashMap::new(),
                blocked: Vec::new(),
                now: Moment::now(),
            };
        };
        let mut admitting: BTreeMap<_, Vec<(Family, &Rule)>> =
            ports.map(|port| (port, vec![])).collect();
        for (table, rule) in admitting_rules(ruleset) {
            for (port, admitted) in admitting.range_mut(port_range(rule)) {
                if has_port(rule, *port) {
                    admitted.push((table.family, rule));
                }
            }
        }
        // Nothing tells whether a flow came in by an interface.
        let certain = denying_rules(ruleset).filter(|(_, rule)| !has_interface(rule));
        let denying = certain.map(|(table, rule)| (table.family, rule)).collect();
        let sets = ruleset.sets.iter().map(|set| (&set.path.set, &set.elements)).collect();
        let blocked = IpVersion::ALL.into_iter().filter(|version| blocks(ruleset, *version));
        let blocked = blocked.collect();
        RuleMatcher { admitting, denying, sets, blocked, now: Moment::now() }
    }

    /// Whether the rules may admit a flow with this original tuple. Conntrack does not record the
    /// interface on which a flow arrived: a rule that requires one is assumed to match if it admits, and
    /// not to match if it denies.
    pub fn allows(&self, original: &Tuple) -> bool {
        let version = IpVersion::of(original.destination);
        if !self.blocked.contains(&version) {
            return true;
        }
        let matches = |(family, rule): &(Family, &Rule)| match rule {
            Rule::Iptables(rule) => *family == version.into() && iptables_matches(rule, original),
            Rule::Nft(rule) => self.nft_matches(rule, original),
        };
        let admitting = self.admitting.get(&(original.protocol, original.destination_port));
        admitting.into_iter().flatten().any(matches) && !self.denying.iter().any(matches)
    }

    /// Whether the present is in a set of times.
    fn is_in(&self, TimeMatch { set, .. }: &TimeMatch) -> bool {
        let now = Interval::of_seconds(self.now.seconds(), self.now.seconds()).first;
        self.sets.get(set).is_some_and(|set| has_address(set, now))
    }

    fn nft_matches(&self, rule: &NftRule, original: &Tuple) -> bool {
        let version = IpVersion::of(original.source);
        let source = to_u128(original.source);
        rule.matches.iter().all(|condition| match condition {
            NftMatch::NfProto(of) => *of == version,
            NftMatch::Protocol(protocol) => *protocol == original.protocol,
            NftMatch::Ports(ports) | NftMatch::CtOriginalPorts(ports) => {
                ports.has(original.protocol, original.destination_port)
            }
            NftMatch::Destination(addresses)
            | NftMatch::CtOriginalAddress(Endpoint::Destination, addresses) => {
                contains(addresses, original.destination)
            }
            NftMatch::CtOriginalAddress(Endpoint::Source, addresses) => {
                contains(addresses, original.source)
            }
            NftMatch::SourceShard(of, shard) | NftMatch::CtOriginalShard(of, shard) => {
                *of == version && shard.has(source)
            }
            NftMatch::SourceSet(of, set) | NftMatch::CtOriginalSet(of, set) => {
                *of == version && self.sets.get(set).is_some_and(|set| has_address(set, source))
            }
            NftMatch::Time(times) => self.is_in(times) != times.negated,
            NftMatch::Interface(..) | NftMatch::DstTypeLocal => true,
            _ => false,
        })
    }
}

fn iptables_matches(rule: &IptablesRule, original: &Tuple) -> bool {
    let IptablesRule { source, destination, protocol, matches, .. } = rule;
    source.is_none_or(|network| network.contains(original.source))
        && destination.is_none_or(|network| network.contains(original.destination))
        && protocol.is_none_or(|protocol| protocol == original.protocol)
        && matches.iter().all(|condition| match condition {
            Match::DestinationPorts(ports) => {
                ports.has(original.protocol, original.destination_port)
            }
            Match::Range { source, destination } => {
                source.is_none_or(|it| (it.first()..=it.last()).contains(&original.source))
                    && destination
                        .is_none_or(|it| (it.first()..=it.last()).contains(&original.destination))
            }
            Match::DstTypeLocal | Match::CtStateNew | Match::Comment(_) => true,
            Match::Connmark(_) => false,
        })
}

fn has_interface(rule: &Rule) -> bool {
    match rule {
        Rule::Iptables(rule) => rule.in_interface.is_some(),
        Rule::Nft(rule) => rule.matches.iter().any(|it| matches!(it, NftMatch::Interface(..))),
    }
}

/// Ports among which are all those of the rule.
fn port_range(rule: &Rule) -> RangeInclusive<(Protocol, u16)> {
    match rule.ports() {
        Some(ports) => (ports.protocol(), ports.first())..=(ports.protocol(), ports.last()),
        None => (Protocol::Tcp, 0)..=(Protocol::Sctp, u16::MAX),
    }
}

fn has_port(rule: &Rule, (protocol, port): (Protocol, u16)) -> bool {
    match rule {
        Rule::Iptables(rule) => rule.matches.iter().all(|condition| match condition {
            Match::DestinationPorts(ports) => ports.has(protocol, port),
            _ => true,
        }),
        Rule::Nft(rule) => rule.matches.iter().all(|condition| match condition {
            NftMatch::Ports(ports) | NftMatch::CtOriginalPorts(ports) => ports.has(protocol, port),
            _ => true,
        }),
    }
}

fn contains(addresses: &AddressSpec, address: IpAddr) -> bool {
    (addresses.first()..=addresses.last()).contains(&address)
}

/// Whether a sorted list of intervals includes the address.
fn has_address(set: &[Interval], address: u128) -> bool {
    let after = set.partition_point(|interval| interval.first <= address);
    after.checked_sub(1).is_some_and(|at| set[at].last >= address)
}
