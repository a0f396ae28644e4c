//! The guard: what keeps a source that the policy does not allow out of the containers on every
//! way that does not lead through `DOCKER-BLOCK`.
//!
//! It judges the first packet of each flow by what it was before anything was translated, which
//! conntrack remembers. So it does not matter who translated it, in which order, or whether
//! docker-proxy took it in. What it has to know of Docker is read from Docker's own rules when the
//! difference to the kernel is made (`completion`); the rest depends on the policy alone.

use std::sync::Arc;

use super::allow_rules::{destinations, network, of_family, origin, range};
use super::sets::{SetGroups, comment};
use super::{GUARD, base_rule, dedup, nat_chain, own_table, swarm};
use crate::docker::{DOCKER, NAMED_BRIDGES};
use crate::model::{
    AddressSpec, BaseChain, Chain, ChainPath, DesiredRule, Direction, Endpoint, Family, Interface,
    Match, Name, NftMatch, NftStatement, Origin, Ownership, Ports, Rule, Verdict,
};
use crate::policy::{Allow, DirectRouting, Policy};

/// What every policy allows: the host itself and the containers.
pub(super) const INSIDE: &str = "inside";
/// Whom the policy allows.
pub(super) const ALLOWED: &str = "allowed";
/// What Docker or somebody else has translated, and must be allowed.
pub(super) const TRANSLATED: &str = "translated";
/// What goes out to a bridge of Docker's.
pub(super) const BRIDGED: &str = "bridged";
pub(super) const FORWARD: &str = "forward";
/// What Docker has translated and nobody allowed before.
const MARKED: &str = "marked";
/// What is for a published port and was not translated, so that docker-proxy would take it in.
pub(super) const PROXIED: &str = "proxied";
pub(super) const INPUT: &str = "input";
/// What is for a port by which the nodes of a Swarm talk to each other.
const SWARM: &str = "swarm";
/// The comment of a rule that drops, up to the path that it closes.
pub(super) const DROPPED: &str = "not allowed: ";

/// The chain of `ip nat` or `ip6 nat` for whoever no rule of `DOCKER-BLOCK` let in: it is
/// translated as Docker would, so that it never meets docker-proxy, and marked for the guard. What
/// Docker does not translate loses the mark again.
pub(super) fn nat_rules(mark: u32) -> Vec<DesiredRule> {
    let rules = [
        // -j CONNMARK --set-xmark MARK/MARK
        Verdict::Connmark { bits: mark, set: true },
        // -j DOCKER
        Verdict::Jump(DOCKER.into()),
        // -j CONNMARK --set-xmark 0x0/MARK
        Verdict::Connmark { bits: mark, set: false },
    ];
    rules.map(|verdict| base_rule(Rule::new(verdict))).into()
}

/// The chain of [`nat_rules`].
pub(super) fn nat(family: Family, mark: u32) -> Chain {
    nat_chain(family, GUARD, None, Ownership::Exclusive, nat_rules(mark))
}

/// The chains of `inet dwnl`, each before those that lead to it.
pub(super) fn chains(policy: &Policy, large: &SetGroups) -> Vec<Chain> {
    let regular = |name, rules| chain(name, None, rules);
    let peers = swarm::entry(policy.guard());
    let mut chains = vec![
        regular(INSIDE, inside()),
        regular(ALLOWED, allowed(policy.allow(), large)),
        regular(TRANSLATED, translated(policy.guard().mark().bits())),
        regular(BRIDGED, bridged(policy.guard().direct_routing())),
        chain(
            MARKED,
            Some(BaseChain::AFTER_NAT_PREROUTING),
            vec![established(), marked(policy.guard().mark().bits())],
        ),
        chain(FORWARD, Some(BaseChain::FORWARD), forward()),
        regular(PROXIED, accept_or_drop("docker-proxy")),
    ];
    chains.extend(peers.as_ref().map(|peers| regular(SWARM, swarm_peers(peers, large))));
    let input = [established()].into_iter().chain(peers.iter().flat_map(swarm_ports));
    chains.push(chain(INPUT, Some(BaseChain::INPUT), input.collect()));
    chains
}

pub(super) fn chain(
    name: &str,
    base: Option<BaseChain<'static>>,
    rules: Vec<DesiredRule>,
) -> Chain {
    let path = Arc::new(ChainPath { table: own_table(), chain: name.into() });
    super::chain(path, base, Ownership::Exclusive, rules)
}

/// `CONDITIONS counter STATEMENT`
pub(super) fn rule(
    conditions: impl IntoIterator<Item = NftMatch>,
    statement: NftStatement,
) -> DesiredRule {
    let matches = conditions.into_iter().map(Match::Native).collect();
    base_rule(Rule { matches, ..Rule::new(Verdict::Native(statement)) })
}

fn jump(chain: &str) -> NftStatement {
    NftStatement::Jump(chain.into())
}

pub(super) fn goto(chain: &str) -> NftStatement {
    NftStatement::Goto(chain.into())
}

/// `ct state established,related counter accept`: a flow is judged until it is answered, so that
/// nothing established is ever cut. What conntrack finds invalid or does not track can open nothing
/// that is let in: no condition on the original tuple holds for it.
fn established() -> DesiredRule {
    rule([NftMatch::CtStateEstablished], NftStatement::Accept)
}

/// `iifname "lo" counter accept`, and the bridges that Docker may create at any time.
fn inside() -> Vec<DesiredRule> {
    let loopback = rule([by(Direction::In, "lo".into())], NftStatement::Accept);
    let bridges = NAMED_BRIDGES.map(|name| from_bridge(name.into()));
    [loopback].into_iter().chain(bridges).collect()
}

/// `iifname "BRIDGE" meta iifkind "bridge" counter accept`
pub(super) fn from_bridge(name: Name) -> DesiredRule {
    rule([by(Direction::In, name), NftMatch::InBridge], NftStatement::Accept)
}

/// `iifname "docker0"`
pub(super) fn by(direction: Direction, name: Name) -> NftMatch {
    NftMatch::Interface(direction, Interface::named(name))
}

/// `jump inside`, `jump allowed`, and `counter drop comment "…"`
pub(super) fn accept_or_drop(dropped: &str) -> Vec<DesiredRule> {
    vec![rule([], jump(INSIDE)), rule([], jump(ALLOWED)), drop(dropped)]
}

/// `counter drop comment "not allowed: PATH"`
fn drop(path: &str) -> DesiredRule {
    let matches = [Match::Comment(format!("{DROPPED}{path}").into())].into();
    base_rule(Rule { matches, ..Rule::new(Verdict::Native(NftStatement::Drop)) })
}

/// The mark has served its purpose: no flow keeps it.
fn translated(mark: u32) -> Vec<DesiredRule> {
    let mut rules = accept_or_drop("published port");
    rules.insert(0, rule([NftMatch::CtMark(mark)], NftStatement::ClearCtMark(mark)));
    rules
}

/// What was not translated goes to a container's own address.
fn bridged(direct_routing: DirectRouting) -> Vec<DesiredRule> {
    let allowed = (direct_routing == DirectRouting::Allowed).then(|| rule([], jump(ALLOWED)));
    let inside = [rule([NftMatch::CtStatusDnat], goto(TRANSLATED)), rule([], jump(INSIDE))];
    inside.into_iter().chain(allowed).chain([drop("container's own address")]).collect()
}

/// `tcp dport 2377 counter goto swarm`
fn swarm_ports(peers: &Allow) -> impl Iterator<Item = DesiredRule> {
    peers.ports().iter().map(|ports| rule([NftMatch::Ports(*ports)], goto(SWARM)))
}

/// `jump inside`, the other nodes, and `counter drop comment "not allowed: Swarm"`
fn swarm_peers(peers: &Allow, large: &SetGroups) -> Vec<DesiredRule> {
    let mut rules = vec![rule([], jump(INSIDE))];
    rules.extend(allowed(std::slice::from_ref(peers), large));
    rules.push(drop("Swarm"));
    rules
}

/// `ct mark & MARK == MARK ct status dnat counter goto translated`: whom nobody allowed and Docker has
/// translated is judged at once, to whichever bridge it goes, before other programs can overwrite the
/// mark.
fn marked(mark: u32) -> DesiredRule {
    rule([NftMatch::CtMark(mark), NftMatch::CtStatusDnat], goto(TRANSLATED))
}

fn forward() -> Vec<DesiredRule> {
    let [docker0, gwbridge] = NAMED_BRIDGES.map(|name| to_bridge(name.into()));
    let docker_name = rule([NftMatch::DockerBridgeName(Direction::Out)], goto(BRIDGED));
    vec![established(), docker0, gwbridge, docker_name]
}

/// `oifname "docker0" counter goto bridged`
pub(super) fn to_bridge(name: Name) -> DesiredRule {
    rule([by(Direction::Out, name)], goto(BRIDGED))
}

/// One rule for each source that has one in `DOCKER-BLOCK`, and for each set of a large group.
pub(super) fn allowed(entries: &[Allow], large: &SetGroups) -> Vec<DesiredRule> {
    let mut rules = Vec::new();
    for entry in entries {
        for family in Family::NAT {
            for ports in entry.ports() {
                for destination in destinations(family, entry) {
                    Allowed { family, entry, ports: *ports, destination }
                        .push_onto(large, &mut rules);
                }
            }
        }
    }
    dedup(rules)
}

/// The rules of one entry for one of its ports and one called address.
struct Allowed<'a> {
    family: Family,
    entry: &'a Allow,
    ports: Ports,
    destination: Option<&'a AddressSpec>,
}

impl Allowed<'_> {
    fn push_onto(&self, large: &SetGroups, rules: &mut Vec<DesiredRule>) {
        let Allowed { family, entry, .. } = *self;
        let Some(groups) = entry.from() else {
            return rules.push(self.rule(None, Arc::new(origin(entry, None, None))));
        };
        for group in groups {
            if let Some(lookups) = large.lookups(family, group) {
                let origin = Arc::new(origin(entry, Some(group), None));
                for lookup in lookups {
                    let part = lookup.part.map(|part| NftMatch::CtOriginalShard(family, part));
                    let set = NftMatch::CtOriginalSet(family, Arc::clone(&lookup.set));
                    let source = part.into_iter().chain([set]);
                    rules.push(self.rule(source, Arc::clone(&origin)));
                }
                continue;
            }
            for source in of_family(family, group) {
                let origin = Arc::new(origin(entry, Some(group), Some(source)));
                rules.push(self.rule(original(Endpoint::Source, source.addresses()), origin));
            }
        }
    }

    /// `iifname INTERFACE meta l4proto tcp ct original proto-dst PORTS meta nfproto FAMILY
    /// ct original ip daddr DESTINATION ct original ip saddr SOURCE counter accept comment NAME`
    fn rule(&self, source: impl IntoIterator<Item = NftMatch>, origin: Arc<Origin>) -> DesiredRule {
        let interface = self.entry.in_interface().cloned();
        let interface = interface.map(|interface| NftMatch::Interface(Direction::In, interface));
        let called = [NftMatch::CtOriginalPorts(self.ports), NftMatch::Family(self.family)];
        let destination = self.destination.and_then(|it| original(Endpoint::Destination, it));
        let conditions = interface.into_iter().chain(called).chain(destination).chain(source);
        let name = self.entry.name().map(|name| Match::Comment(comment(name)));
        let matches = conditions.map(Match::Native).chain(name).collect();
        let rule = Rule { matches, ..Rule::new(Verdict::Native(NftStatement::Accept)) };
        DesiredRule { rule, origin: Some(origin) }
    }
}

/// `ct original ip saddr 192.0.2.0/24`; a network of length 0 needs no condition.
fn original(end: Endpoint, addresses: &AddressSpec) -> Option<NftMatch> {
    let is_condition = network(Some(addresses)).is_some() || range(Some(addresses)).is_some();
    is_condition.then_some(NftMatch::CtOriginalAddress(end, *addresses))
}
