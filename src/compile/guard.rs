//! The guard: blocks sources that the policy does not allow on every path to a container that
//! bypasses `DOCKER-BLOCK`.
//!
//! It judges the first packet of each flow by its original addresses and ports, which conntrack has.
//! So it does not matter which program translated it, in which order, or whether docker-proxy
//! accepted it. What the guard needs to know of Docker is read from Docker's rules when the ruleset
//! is resolved (`resolve`); the rest depends on the policy alone.

use super::allowed::{self, ALLOWED, Allowed};
use super::dispatch::Kind;
use super::grants;
use super::limits::LimitedEntries;
use super::own::{chain, goto, jump, rule};
use super::refused::{self, refuse};
use super::sets::SetGroups;
use super::{GUARD, base_rule, dedup, nat_chain, own_table, swarm};
use crate::docker::{DOCKER, NAMED_BRIDGES};
use crate::model::{
    BaseChain, Chain, ChainPath, DesiredRule, Direction, Interface, IpVersion, IptablesRule, Name,
    NftMatch, NftStatement, Ownership, RefusalPath, Set, Verdict,
};
use crate::policy::{DirectRouting, Entry, Policy};

/// What every policy allows: the host itself and the containers.
pub(super) const INSIDE: &str = "inside";
/// What Docker or another program has translated; it has to be allowed.
pub(crate) const TRANSLATED: &str = "translated";
/// What goes out to one of Docker's bridges.
pub(crate) const BRIDGED: &str = "bridged";
pub(crate) const FORWARD: &str = "forward";
/// What Docker has translated although no rule of `DOCKER-BLOCK` allowed it.
const MARKED: &str = "marked";
/// What is for a published port and was not translated, so that docker-proxy would accept it.
pub(crate) const PROXIED: &str = "proxied";
pub(crate) const INPUT: &str = "input";
/// What is for a port of the communication between the nodes of a Swarm.
pub(crate) const SWARM: &str = "swarm";
/// What the other nodes of a Swarm are allowed, if the policy denies anything.
pub(crate) const SWARM_PEERS: &str = "swarm-peers";

/// Whether a chain refuses every packet as long as it has no rules, because the packet returns from it to
/// the rules that refuse.
pub(crate) fn refuses_when_empty(path: &ChainPath) -> bool {
    let chain = path.chain.as_ref();
    path.table == own_table()
        && ([ALLOWED, SWARM_PEERS].contains(&chain) || Kind::Allowing.is_chain(chain))
}

/// The rules of the chain of `ip nat` or `ip6 nat` for sources that no rule of `DOCKER-BLOCK`
/// allowed. Docker's rules translate the packet, so that it never reaches docker-proxy, and it is
/// marked for the guard. If Docker does not translate it, the mark is cleared again.
pub(super) fn nat_rules(mark: u32) -> Vec<DesiredRule> {
    let rules = [
        // -j CONNMARK --set-xmark MARK/MARK
        Verdict::Connmark { bits: mark, set: true },
        // -j DOCKER
        Verdict::Jump(DOCKER.into()),
        // -j CONNMARK --set-xmark 0x0/MARK
        Verdict::Connmark { bits: mark, set: false },
    ];
    rules.map(|verdict| base_rule(IptablesRule::new(verdict))).into()
}

/// The chain of [`nat_rules`].
pub(super) fn nat(version: IpVersion, mark: u32) -> Chain {
    nat_chain(version, GUARD, None, Ownership::Exclusive, nat_rules(mark))
}

/// The chains of `inet dwnl`, each before those whose rules jump to it.
pub(super) fn chains(
    policy: &Policy,
    large: &SetGroups,
    limited: &LimitedEntries,
    allowed: &Allowed,
) -> Vec<Chain> {
    let regular = |name, rules| chain(name, None, rules);
    let peers = swarm::entry(policy.guard());
    let mut chains: Vec<Chain> =
        paths(policy).map(|path| refused::chain(path, policy.log().refused())).collect();
    chains.extend(limited.chains());
    chains.push(regular(INSIDE, inside()));
    chains.extend(allowed.chains());
    chains.extend([
        regular(TRANSLATED, translated(policy.guard().mark().bits())),
        regular(BRIDGED, bridged(policy.guard().direct_routing())),
        chain(
            MARKED,
            Some(BaseChain::AFTER_NAT_PREROUTING),
            vec![established(), marked(policy.guard().mark().bits())],
        ),
        chain(FORWARD, Some(BaseChain::FORWARD), forward()),
        regular(PROXIED, accept_or_drop(RefusalPath::DockerProxy)),
    ]);
    chains.extend(peers.iter().flat_map(|peers| swarm_chains(policy, peers, large)));
    let input = [established()].into_iter().chain(peers.iter().flat_map(|it| swarm_ports(it)));
    chains.push(chain(INPUT, Some(BaseChain::INPUT), input.collect()));
    chains
}

/// The sets of `inet dwnl` that do not hold the policy's sources: those that the kernel fills, and those
/// that are filled by hand.
pub(super) fn sets(policy: &Policy) -> impl Iterator<Item = Set> {
    paths(policy).flat_map(refused::sets).chain(grants::sets())
}

/// The paths that the guard of the policy closes, except the one that depends on the match on sockets.
fn paths(policy: &Policy) -> impl Iterator<Item = RefusalPath> {
    let swarm = policy.guard().swarm_peers().map(|_| RefusalPath::Swarm);
    let always =
        [RefusalPath::PublishedPort, RefusalPath::DockerProxy, RefusalPath::ContainerAddress];
    always.into_iter().chain(swarm)
}

/// `ct state established,related counter accept`: a flow is judged until it is answered, so that no
/// established flow is ever interrupted. Packets that are invalid or untracked cannot open an
/// allowed flow: no condition on the original tuple holds for them.
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

/// `counter jump inside`, `counter jump allowed`, `counter jump refused-PATH` and
/// `counter drop comment "not allowed: PATH"`
pub(super) fn accept_or_drop(path: RefusalPath) -> Vec<DesiredRule> {
    let inside = [rule([], jump(INSIDE)), rule([], jump(ALLOWED))];
    inside.into_iter().chain(refuse(path)).collect()
}

/// `ct mark & MARK == MARK counter ct mark set ct mark & ~MARK`, then [`accept_or_drop`]. The mark has
/// served its purpose, so it is cleared.
fn translated(mark: u32) -> Vec<DesiredRule> {
    let mut rules = accept_or_drop(RefusalPath::PublishedPort);
    rules.insert(0, rule([NftMatch::CtMark(mark)], NftStatement::ClearCtMark(mark)));
    rules
}

/// `ct status dnat counter goto translated`, `counter jump inside`, `counter jump allowed` if direct
/// routing is allowed, `counter jump refused-direct` and
/// `counter drop comment "not allowed: container's own address"`: what was not translated goes to a
/// container's own address.
fn bridged(direct_routing: DirectRouting) -> Vec<DesiredRule> {
    let allowed = (direct_routing == DirectRouting::Allowed).then(|| rule([], jump(ALLOWED)));
    let inside = [rule([NftMatch::CtStatusDnat], goto(TRANSLATED)), rule([], jump(INSIDE))];
    inside.into_iter().chain(allowed).chain(refuse(RefusalPath::ContainerAddress)).collect()
}

/// `tcp dport 2377 counter goto swarm`
fn swarm_ports(peers: &Entry) -> impl Iterator<Item = DesiredRule> {
    peers.ports().iter().map(|ports| rule([NftMatch::Ports(*ports)], goto(SWARM)))
}

/// `swarm`: `counter jump inside`, the rules for the other nodes, `counter jump refused-swarm` and
/// `counter drop comment "not allowed: Swarm"`. If the policy denies anything, the rules for the other
/// nodes are in a chain of their own, behind those that deny: `counter jump swarm-peers`.
fn swarm_chains(policy: &Policy, peers: &Entry, large: &SetGroups) -> Vec<Chain> {
    let allowing = allowed::allowing(peers, &NftStatement::Accept, large);
    let denying = allowed::denying(policy, large);
    let (own, admitting) = match denying.is_empty() {
        true => (None, allowing),
        false => {
            let own = dedup([denying, allowing].concat());
            (Some(chain(SWARM_PEERS, None, own)), vec![rule([], jump(SWARM_PEERS))])
        }
    };
    let mut rules = vec![rule([], jump(INSIDE))];
    rules.extend(admitting);
    rules.extend(refuse(RefusalPath::Swarm));
    own.into_iter().chain([chain(SWARM, None, rules)]).collect()
}

/// `ct mark & MARK == MARK ct status dnat counter goto translated`: what Docker has translated
/// although no rule allowed it is judged at once, before other programs can overwrite the mark. The
/// bridge that it goes to does not matter.
fn marked(mark: u32) -> DesiredRule {
    rule([NftMatch::CtMark(mark), NftMatch::CtStatusDnat], goto(TRANSLATED))
}

/// `ct state established,related counter accept`, `oifname "docker0" counter goto bridged` and the same
/// for `docker_gwbridge`, and `oifname "br-*" … counter goto bridged`
fn forward() -> Vec<DesiredRule> {
    [established()].into_iter().chain(named_bridges()).collect()
}

/// The rules of `forward` that every policy has for Docker's bridges.
pub(crate) fn named_bridges() -> [DesiredRule; 3] {
    let [docker0, gwbridge] = NAMED_BRIDGES.map(|name| to_bridge(name.into()));
    let docker_name = rule([NftMatch::DockerBridgeName(Direction::Out)], goto(BRIDGED));
    [docker0, gwbridge, docker_name]
}

/// `oifname "docker0" counter goto bridged`
pub(super) fn to_bridge(name: Name) -> DesiredRule {
    rule([by(Direction::Out, name)], goto(BRIDGED))
}
