//! `Policy` → `Ruleset`: the only place that knows Docker's chains and the scheme that blocks
//! published ports.
//!
//! Docker publishes a port by a jump from `PREROUTING` to its chain `DOCKER`. Two rules above that
//! jump keep every packet for this host from reaching it, and the first of them sends the packet
//! through `DOCKER-BLOCK`, whose rules jump to `DOCKER` for allowed sources only.
//!
//! A small group of sources becomes a rule for each of them. A large one becomes a set in a table
//! of our own, because iptables cannot read a rule that looks up a set: a chain that comes just
//! before `PREROUTING` marks the connection, and one rule in `DOCKER-BLOCK` goes by the mark.
//!
//! With the guard on `DOCKER-BLOCK` ends by having everybody else translated too, and the guard's
//! chains in our own table judge all flows, by rules and sets alike.

mod allow_rules;
mod counters;
mod coverage;
mod guard;
mod known;
mod limitation;
mod resolve;
mod second_jump;
mod sets;
mod shard;
mod sockets;
mod swarm;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use crate::docker::{DOCKER, NAT};
use crate::model::{
    BaseChain, Chain, ChainPath, DesiredRule, Family, Match, Name, Ownership, Rule, Ruleset,
    TablePath, Verdict,
};
use crate::policy::Policy;
use sets::SetGroups;

pub use counters::{EntryCounters, GuardDrops, entry_counters, guard_drops};
pub use coverage::{blocked_swarm_ports, uncovered_ports, unprotected_ports};
pub(crate) use known::unknown_ports;
pub(crate) use limitation::limitations;
pub use limitation::{Limitation, UnknownSockets, guards_new_ports};
pub(crate) use resolve::{forgets_ports, resolve};
pub(crate) use second_jump::foreign_translations;
pub use second_jump::installed_translations;
pub(crate) use sockets::{
    holds_guard, holds_socket_match, judged_service, judges_all_others, publish_listeners,
};
pub(crate) use swarm::entry as swarm_entry;

/// Our chain of allowed sources, and where it leads the others if the guard is on.
const BLOCK: &str = "DOCKER-BLOCK";
const GUARD: &str = "DOCKER-BLOCK-GUARD";
/// Our own table, and its chain of rules that look up sets.
const DWNL: &str = "dwnl";
const ALLOW: &str = "allow";

/// Compiles a policy to the chains and rules that enforce it, in both families. The empty policy
/// compiles to the [`managed_objects`] alone, which blocks every published port.
pub fn compile(policy: &Policy) -> Ruleset {
    let large = SetGroups::of(policy);
    let mut chains = Vec::new();
    let mut unused = Vec::new();
    if policy.guard().is_enabled() {
        chains.extend(guard::chains(policy, &large));
    } else {
        let mark = policy.guard().mark().bits();
        let rules = policy.allow().iter().flat_map(|entry| large.rules(entry, mark));
        chains.extend(native_chain(rules.collect()));
        unused.extend(Family::NAT.map(|family| nat_path(family, GUARD)));
    }
    chains.extend(Family::NAT.into_iter().flat_map(|family| nat_chains(family, policy, &large)));
    let guard = policy.guard().is_enabled().then(|| sockets::scope(policy.guard()));
    Ruleset { chains, sets: large.into_sets(), owned_tables: vec![own_table()], unused, guard }
}

/// What dwnl owns whatever the policy says: its chains in tables of others, and its own tables as
/// a whole.
pub fn managed_objects() -> Ruleset {
    let mut managed = compile(&Policy::default());
    managed.chains.retain(|chain| !managed.owned_tables.contains(&chain.path.table));
    managed
}

fn nat_chains(family: Family, policy: &Policy, large: &SetGroups) -> Vec<Chain> {
    let guard =
        policy.guard().is_enabled().then(|| guard::nat(family, policy.guard().mark().bits()));
    let docker = nat_chain(family, DOCKER, None, Ownership::Referenced, Vec::new());
    let ours = [
        nat_chain(family, BLOCK, None, Ownership::Exclusive, block_rules(family, policy, large)),
        nat_chain(
            family,
            "PREROUTING",
            Some(BaseChain::NAT_PREROUTING),
            Ownership::Leading,
            vec![
                base_rule(to_local(Verdict::Jump(BLOCK.into()))),
                base_rule(to_local(Verdict::Return)),
            ],
        ),
    ];
    [docker].into_iter().chain(guard).chain(ours).collect()
}

/// `chain allow { type nat hook prerouting priority dstnat - 1; }`, if any group is large.
fn native_chain(rules: Vec<DesiredRule>) -> Option<Chain> {
    let rules = dedup(rules);
    let path = Arc::new(ChainPath { table: own_table(), chain: ALLOW.into() });
    let base = Some(BaseChain::BEFORE_NAT_PREROUTING);
    (!rules.is_empty()).then(|| chain(path, base, Ownership::Exclusive, rules))
}

fn nat_chain(
    family: Family,
    name: &str,
    base: Option<BaseChain<'static>>,
    extent: Ownership,
    rules: Vec<DesiredRule>,
) -> Chain {
    chain(nat_path(family, name), base, extent, rules)
}

fn chain(
    path: Arc<ChainPath>,
    base: Option<BaseChain<'static>>,
    extent: Ownership,
    rules: Vec<DesiredRule>,
) -> Chain {
    Chain { path, base, ownership: extent, rules: Arc::new(rules), retired: Vec::new() }
}

fn nat_path(family: Family, name: &str) -> Arc<ChainPath> {
    let table = TablePath { family, table: NAT.into() };
    Arc::new(ChainPath { table, chain: name.into() })
}

fn own_table() -> TablePath {
    TablePath { family: Family::Inet, table: DWNL.into() }
}

fn base_rule(rule: Rule) -> DesiredRule {
    DesiredRule { rule, origin: None }
}

/// `-m addrtype --dst-type LOCAL VERDICT`
fn to_local(verdict: Verdict) -> Rule {
    Rule { matches: [Match::DstTypeLocal].into(), ..Rule::new(verdict) }
}

/// The rules of `DOCKER-BLOCK`: entry by entry, port by port, source by source, and last the one
/// that leads the others to the guard, or without it the one that stands for all sets of the
/// family.
fn block_rules(family: Family, policy: &Policy, large: &SetGroups) -> Vec<DesiredRule> {
    let docker: Name = DOCKER.into();
    let mut desired = Vec::new();
    for entry in policy.allow() {
        allow_rules::push_rules(family, entry, &docker, large, &mut desired);
    }
    if policy.guard().is_enabled() {
        desired.push(base_rule(Rule::new(Verdict::Goto(GUARD.into()))));
    } else if large.has(family) {
        desired.push(base_rule(mark_rule(policy.guard().mark().bits(), docker)));
    }
    dedup(desired)
}

/// `-m connmark --mark MARK/MARK -m conntrack --ctstate NEW -j DOCKER`
///
/// A related flow inherits the mark of the one that it is related to, but not what that one is
/// allowed.
fn mark_rule(mark: u32, docker: Name) -> Rule {
    let matches = [Match::Connmark(mark), Match::CtStateNew].into();
    Rule { matches, ..Rule::new(Verdict::Jump(docker)) }
}

/// The rules without those that an earlier one of the same words makes superfluous.
fn dedup(mut desired: Vec<DesiredRule>) -> Vec<DesiredRule> {
    let mut seen = HashSet::with_capacity(desired.len());
    let is_first: Vec<bool> = desired.iter().map(|desired| seen.insert(&desired.rule)).collect();
    let mut is_first = is_first.into_iter();
    desired.retain(|_| is_first.next().unwrap_or(true));
    desired
}
