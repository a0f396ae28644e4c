//! The chain with all that the policy allows, and those that its maps lead to: the guard's chain `allowed`,
//! or without the guard the chain `allow` in front of `PREROUTING`.

use std::sync::Arc;

use super::dispatch::{self, ClassChain, Dispatch, Kind, Unit};
use super::expand::{comment, condition, denied_ports, destinations, of_version, origin};
use super::limits::LimitedEntries;
use super::own::{self, goto, rule};
use super::sets::SetGroups;
use super::times::{self, Effect};
use super::{ALLOW, dedup, denies_sets, grants};
use crate::model::{
    AddressSpec, BaseChain, Chain, DesiredRule, Direction, Endpoint, GrantAction, IpVersion,
    NftMatch, NftRule, NftStatement, Origin, PortMap, Ports,
};
use crate::policy::{Entry, Policy};

/// What the policy allows.
pub(crate) const ALLOWED: &str = "allowed";
/// What none of the policy's entries denies, if a map leads to the rules of those.
pub(super) const ADMITTED: &str = "admitted";

/// Which chain it is, and what its rules do with the flows of an entry that allows.
#[derive(Clone, Copy)]
pub(super) enum Judge<'a> {
    /// The guard's chain `allowed`: `accept` or, for an entry with limits, `jump limited-NAME`.
    Guard(&'a LimitedEntries<'a>),
    /// `chain allow { type nat hook prerouting priority dstnat - 1; }`: `ct mark set ct mark | MARK`.
    Mark(u32),
}

impl Judge<'_> {
    fn statement(self, entry: &Entry) -> NftStatement {
        match self {
            Judge::Guard(limited) => limited.statement(entry),
            Judge::Mark(mark) => NftStatement::SetCtMark(mark),
        }
    }

    /// The rules for bans or grants by hand.
    fn by_hand(self, action: GrantAction) -> Vec<DesiredRule> {
        match self {
            Judge::Guard(_) => grants::rules(action),
            Judge::Mark(_) => Vec::new(),
        }
    }

    /// How many rules for ports become maps.
    fn rules_min(self) -> usize {
        match self {
            Judge::Guard(_) => dispatch::RULES_MIN,
            Judge::Mark(_) => dispatch::UNGUARDED_RULES_MIN,
        }
    }

    fn chain(self) -> (&'static str, Option<BaseChain<'static>>) {
        match self {
            Judge::Guard(_) => (ALLOWED, None),
            Judge::Mark(_) => (ALLOW, Some(BaseChain::BEFORE_NAT_PREROUTING)),
        }
    }
}

/// The chain, and with many ports the maps and chains that it leads to.
///
/// The rules for bans by hand and the policy's rules that deny `return`, so that the packet is refused,
/// whichever chain has jumped here. Those for grants by hand and those that allow follow.
pub(super) struct Allowed {
    name: &'static str,
    base: Option<BaseChain<'static>>,
    /// The rules of the chain itself.
    rules: Vec<DesiredRule>,
    /// Those that follow the ones that deny, if a map is in between: the rules of the chain `admitted`.
    admitted: Option<Vec<DesiredRule>>,
    denying: Option<Dispatch>,
    allowing: Option<Dispatch>,
}

impl Allowed {
    /// What the policy allows, of those that are outside.
    pub fn of(policy: &Policy, large: &SetGroups, judge: Judge) -> Allowed {
        let allowing = allowing_units(policy, large, judge);
        let min = judge.rules_min();
        let allowing = Dispatch::of(&allowing, Kind::Allowing, None, min);
        let denying = denying_units(policy, large);
        let to_admitted = rule([], goto(ADMITTED));
        let denying = Dispatch::of(&denying, Kind::Denying, Some(to_admitted.clone()), min);

        let mut admitted = judge.by_hand(GrantAction::Allow);
        match &allowing {
            Some(dispatch) => admitted.extend(dispatch.lookups()),
            None => {
                for entry in policy.allow() {
                    admitted.extend(self::allowing(entry, &judge.statement(entry), large));
                }
            }
        }
        let (name, base) = judge.chain();
        let mut rules = judge.by_hand(GrantAction::Deny);
        let Some(dispatch) = &denying else {
            rules.extend(self::denying(policy, large));
            rules.extend(admitted);
            return Allowed { name, base, rules: dedup(rules), admitted: None, denying, allowing };
        };
        for entry in policy.deny().iter().filter(|entry| entry.is_for_every_port()) {
            rules.extend(denying_one(entry, large));
        }
        rules.extend(dispatch.lookups());
        rules.push(to_admitted);
        let admitted = Some(dedup(admitted));
        Allowed { name, base, rules: dedup(rules), admitted, denying, allowing }
    }

    /// The chain `allow` of a policy without the guard, if `DOCKER-BLOCK` cannot list what the policy allows
    /// and denies, or lists too much.
    pub fn marked(policy: &Policy, large: &SetGroups) -> Option<Allowed> {
        let allowed = Allowed::of(policy, large, Judge::Mark(policy.guard().mark().bits()));
        (denies_sets(policy, large) || allowed.has_map()).then_some(allowed)
    }

    /// Whether ports are in maps.
    pub fn has_map(&self) -> bool {
        self.dispatches().next().is_some()
    }

    /// The maps.
    pub fn maps(&self) -> Vec<PortMap> {
        self.dispatches().flat_map(|dispatch| dispatch.maps.iter().cloned()).collect()
    }

    /// The chains, each before those whose rules jump to it.
    pub fn chains(&self) -> Vec<Chain> {
        let of = |dispatch: &Option<Dispatch>| -> Vec<Chain> {
            let chains = dispatch.iter().flat_map(|dispatch| &dispatch.chains);
            chains.map(ClassChain::chain).collect()
        };
        let admitted = self.admitted.iter().map(|rules| own::chain(ADMITTED, None, rules.clone()));
        let allowed = own::chain(self.name, self.base, self.rules.clone());
        let chains = of(&self.allowing).into_iter().chain(admitted);
        chains.chain(of(&self.denying)).chain([allowed]).collect()
    }

    /// The chains that have the rules of the entries that allow; none if the chain has them itself.
    pub fn allowing_chains(&self) -> Option<&[ClassChain]> {
        self.allowing.as_ref().map(|dispatch| &*dispatch.chains)
    }

    /// The same for the entries that deny.
    pub fn denying_chains(&self) -> Option<&[ClassChain]> {
        self.denying.as_ref().map(|dispatch| &*dispatch.chains)
    }

    fn dispatches(&self) -> impl Iterator<Item = &Dispatch> {
        self.allowing.iter().chain(&self.denying)
    }
}

fn allowing_units(policy: &Policy, large: &SetGroups, judge: Judge) -> Vec<Unit> {
    let entries = policy.allow().iter().enumerate();
    let units = entries.map(|(index, entry)| {
        let rules = flow_rules(entry, &[None], &judge.statement(entry), large);
        dispatch::units(index, entry, dedup(rules))
    });
    units.flatten().collect()
}

/// The units of the entries that deny some ports.
fn denying_units(policy: &Policy, large: &SetGroups) -> Vec<Unit> {
    let entries = policy.deny().iter().enumerate();
    let units = entries.filter(|(_, entry)| !entry.is_for_every_port()).map(|(index, entry)| {
        let rules = flow_rules(entry, &[None], &NftStatement::Return, large);
        dispatch::units(index, entry, dedup(rules))
    });
    units.flatten().collect()
}

/// The rules that deny.
pub(super) fn denying(policy: &Policy, large: &SetGroups) -> Vec<DesiredRule> {
    policy.deny().iter().flat_map(|entry| denying_one(entry, large)).collect()
}

/// The rules of one entry that denies.
pub(super) fn denying_one(entry: &Entry, large: &SetGroups) -> Vec<DesiredRule> {
    flow_rules(entry, &denied_ports(entry), &NftStatement::Return, large)
}

/// The rules of one entry that allows: one for each source that has one in `DOCKER-BLOCK`, and one for
/// each set of a large group. Those that mark are for flows to this host alone.
pub(super) fn allowing(
    entry: &Entry,
    statement: &NftStatement,
    large: &SetGroups,
) -> Vec<DesiredRule> {
    let ports: Vec<Option<Ports>> = entry.ports().iter().copied().map(Some).collect();
    dedup(flow_rules(entry, &ports, statement, large))
}

fn flow_rules(
    entry: &Entry,
    ports: &[Option<Ports>],
    statement: &NftStatement,
    large: &SetGroups,
) -> Vec<DesiredRule> {
    let mut rules = Vec::new();
    for version in IpVersion::ALL {
        for ports in ports {
            for destination in destinations(version, entry) {
                FlowRules { version, entry, ports: *ports, destination, statement }
                    .push_onto(large, &mut rules);
            }
        }
    }
    rules
}

/// The rules of one entry for one of its ports and one destination.
struct FlowRules<'a> {
    version: IpVersion,
    entry: &'a Entry,
    /// `None`: every port of every protocol.
    ports: Option<Ports>,
    destination: Option<&'a AddressSpec>,
    statement: &'a NftStatement,
}

impl FlowRules<'_> {
    fn push_onto(&self, large: &SetGroups, rules: &mut Vec<DesiredRule>) {
        let FlowRules { version, entry, .. } = *self;
        let Some(groups) = entry.sources() else {
            return rules.push(self.rule(None, None, Arc::new(origin(entry, None, None))));
        };
        for group in groups {
            if let Some(lookups) = large.lookups(version, group) {
                let origin = Arc::new(origin(entry, Some(group), None));
                for lookup in lookups {
                    let shard = lookup.shard.map(|shard| NftMatch::CtOriginalShard(version, shard));
                    let set = NftMatch::CtOriginalSet(version, Arc::clone(&lookup.set));
                    rules.push(self.rule(shard, Some(set), Arc::clone(&origin)));
                }
                continue;
            }
            for source in of_version(version, group) {
                let origin = Arc::new(origin(entry, Some(group), Some(source)));
                let source = original(Endpoint::Source, &source.addresses());
                rules.push(self.rule(None, source, origin));
            }
        }
    }

    /// `iifname INTERFACE meta l4proto tcp ct original proto-dst PORTS meta nfproto VERSION
    /// ct original ip daddr DESTINATION meta time @TIMES ct original ip saddr SOURCE counter STATEMENT
    /// comment NAME`. A rule that marks ends with the condition `fib daddr type local`. That for a shard begins
    /// with `meta nfproto VERSION ct original ip saddr & 0.0.0.7 == 0.0.0.3`: of many rules that differ in the
    /// shard alone, most end at once.
    fn rule(
        &self,
        shard: Option<NftMatch>,
        source: Option<NftMatch>,
        origin: Arc<Origin>,
    ) -> DesiredRule {
        let interface = self.entry.in_interface().cloned();
        let interface = interface.map(|interface| NftMatch::Interface(Direction::In, interface));
        let ports = self.ports.map(NftMatch::CtOriginalPorts);
        let version = NftMatch::NfProto(self.version);
        let (first, second) = match &shard {
            Some(_) => (Some(version), None),
            None => (None, Some(version)),
        };
        let service = ports.into_iter().chain(second);
        let destination = self.destination.and_then(|it| original(Endpoint::Destination, it));
        let effect = match self.statement {
            NftStatement::Return => Effect::Denies,
            _ => Effect::Allows,
        };
        let times = times::condition(self.entry, effect);
        let marks = matches!(self.statement, NftStatement::SetCtMark(_));
        let local = marks.then_some(NftMatch::DstTypeLocal);
        let conditions = first.into_iter().chain(shard).chain(interface);
        let conditions = conditions.chain(service).chain(destination).chain(times);
        let conditions = conditions.chain(source);
        let rule = NftRule::new(conditions.chain(local), self.statement.clone());
        let rule = NftRule { comment: comment(self.entry), ..rule };
        DesiredRule { rule: rule.into(), origin: Some(origin) }
    }
}

/// `ct original ip saddr 192.0.2.0/24`; a network of length 0 needs no condition.
fn original(end: Endpoint, addresses: &AddressSpec) -> Option<NftMatch> {
    condition(Some(addresses)).map(|addresses| NftMatch::CtOriginalAddress(end, addresses))
}
