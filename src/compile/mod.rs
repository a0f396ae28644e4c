//! `Policy` → `Ruleset`: the scheme that blocks the ports that Docker publishes.
//!
//! Docker publishes a port by a jump from `PREROUTING` to its chain `DOCKER`. Two rules above that
//! jump stop every packet for this host: the first sends it through `DOCKER-BLOCK`, whose rules jump
//! to `DOCKER` for allowed sources only, and the second returns it.
//!
//! A small group becomes one rule for each source. A large one becomes a set in dwnl's own table,
//! because iptables cannot read a rule that looks up a set: a chain just before `PREROUTING` marks
//! the connection, and one rule in `DOCKER-BLOCK` matches the mark.
//!
//! With many ports, maps in dwnl's own table lead to the rules for each port (`dispatch`), and `DOCKER-BLOCK`
//! lists no sources.
//!
//! With the guard, the last rule of `DOCKER-BLOCK` has all other sources translated too, and the
//! guard's chains in dwnl's own table judge all flows.

mod allowed;
mod block_rules;
mod blocks;
mod counters;
mod coverage;
mod dispatch;
mod entry_index;
mod expand;
mod flat;
mod grants;
mod guard;
mod installed;
mod known;
mod learned;
mod limitation;
mod limits;
mod own;
mod published;
mod refused;
mod resolve;
mod retained;
mod return_rule;
mod set_rules;
mod sets;
mod shard;
mod sockets;
mod swarm;
#[cfg(test)]
mod tests;
mod times;

use std::collections::HashSet;
use std::sync::Arc;

use crate::docker::{DOCKER, NAT};
use crate::model::{
    BaseChain, Chain, ChainPath, DesiredRule, Family, IpVersion, IptablesRule, Match, Name,
    Ownership, Rule, Ruleset, TablePath, Verdict,
};
use crate::policy::{Allow, Moment, Policy};
pub(crate) use allowed::ALLOWED;
use allowed::{Allowed, Judge};
use limits::LimitedEntries;
use sets::SetGroups;
pub use sets::group_of_set;
pub(crate) use times::renew_times;
pub use times::schedule_of_set;

pub use counters::{
    EntryCounters, GuardDrops, PortCounters, deny_counters, entry_counters, guard_drops,
};
pub use coverage::{
    PortCoverage, blocked_swarm_ports, port_coverage, uncovered_ports, unprotected_ports,
};
pub(crate) use expand::nft_comment;
pub(crate) use flat::{flat_ruleset, flat_snapshot};
pub(crate) use grants::{grant_sets, path as grant_set_path};
pub(crate) use guard::{
    BRIDGED, FORWARD, INPUT, PROXIED, SWARM, SWARM_PEERS, TRANSLATED,
    named_bridges as guarded_bridges, refuses_when_empty,
};
pub(crate) use installed::{Installed, admitting_rules, blocks, denying_rules, installed};
pub(crate) use known::unknown_ports;
pub(crate) use learned::is_learned;
pub(crate) use limitation::limitations;
pub use limitation::{Limitation, UnknownSockets, guards_new_ports};
pub(crate) use limits::admits;
pub(crate) use published::is_published_set;
pub(crate) use refused::refusal_sets;
pub use resolve::{ResolveError, resolve};
pub(crate) use retained::forgets_ports;
pub use return_rule::installed_translations;
pub(crate) use sockets::{
    CONTAINER_SOCKET, LOCAL_SOCKET, holds_guard, holds_socket_match, judges_all_others,
    publish_listeners,
};
pub(crate) use swarm::entry as swarm_entry;

/// The chain of allowed sources, and the chain for all others if the guard is on.
pub(crate) const BLOCK: &str = "DOCKER-BLOCK";
pub(crate) const GUARD: &str = "DOCKER-BLOCK-GUARD";
/// dwnl's own table, and its chain of rules that look up sets.
pub(crate) const DWNL: &str = "dwnl";
pub(crate) const ALLOW: &str = "allow";

/// Compiles a policy to the chains and rules that enforce it, for both IP versions. The empty policy
/// compiles to the [`managed_objects`] alone, which blocks every published port.
///
/// Schedules are compiled for some years from the present one on, as the system's clock has it.
pub fn compile(policy: &Policy) -> Ruleset {
    compile_at(policy, Moment::now())
}

/// [`compile()`], as it is at another time.
pub fn compile_at(policy: &Policy, now: Moment) -> Ruleset {
    let large = SetGroups::of(policy);
    let (mut chains, mut sets, mut unused) = (Vec::new(), Vec::new(), Vec::new());
    let (maps, lists_sources);
    if policy.guard().is_enabled() {
        let limited = LimitedEntries::of(policy);
        let allowed = Allowed::of(policy, &large, Judge::Guard(&limited));
        sets.extend(guard::sets(policy));
        sets.extend(limited.sets());
        chains.extend(guard::chains(policy, &large, &limited, &allowed));
        maps = allowed.maps();
        lists_sources = !allowed.has_map();
    } else {
        let marked = Allowed::marked(policy, &large);
        match &marked {
            Some(marked) => chains.extend(marked.chains()),
            None => chains.extend(allow_chain(policy, &large)),
        }
        maps = marked.iter().flat_map(Allowed::maps).collect();
        lists_sources = marked.is_none();
        unused.extend(IpVersion::ALL.map(|version| nat_path(version, GUARD)));
    }
    chains.extend(
        IpVersion::ALL
            .into_iter()
            .flat_map(|version| nat_chains(version, policy, &large, lists_sources)),
    );
    sets.extend(times::sets(policy, now));
    // Before them the sets that do not depend on the sources.
    sets.extend(large.into_sets());
    let guard = policy.guard().is_enabled().then(|| sockets::scope(policy));
    Ruleset {
        chains,
        sets,
        maps,
        owned_tables: vec![own_table()],
        unused,
        guard,
        foreign_translations: Vec::new(),
    }
}

/// The objects that belong to dwnl under any policy: its chains in foreign tables, and its own
/// tables.
pub fn managed_objects() -> Ruleset {
    let mut managed = compile(&Policy::default());
    managed.chains.retain(|chain| !managed.owned_tables.contains(&chain.path.table));
    managed.sets.clear();
    managed
}

/// The tables of the [`managed_objects`].
pub(crate) fn managed_tables() -> [TablePath; 3] {
    let [v4, v6] = IpVersion::ALL.map(|version| nat_path(version, BLOCK).table.clone());
    [v4, v6, own_table()]
}

fn nat_chains(
    version: IpVersion,
    policy: &Policy,
    large: &SetGroups,
    lists_sources: bool,
) -> Vec<Chain> {
    let guard =
        policy.guard().is_enabled().then(|| guard::nat(version, policy.guard().mark().bits()));
    let docker = nat_chain(version, DOCKER, None, Ownership::Referenced, Vec::new());
    let own = [
        nat_chain(
            version,
            BLOCK,
            None,
            Ownership::Exclusive,
            block_rules(version, policy, large, lists_sources),
        ),
        nat_chain(
            version,
            "PREROUTING",
            Some(BaseChain::NAT_PREROUTING),
            Ownership::Leading,
            vec![
                // -m addrtype --dst-type LOCAL -j DOCKER-BLOCK
                base_rule(to_local(Verdict::Jump(BLOCK.into()))),
                // -m addrtype --dst-type LOCAL -j RETURN
                base_rule(to_local(Verdict::Return)),
            ],
        ),
    ];
    [docker].into_iter().chain(guard).chain(own).collect()
}

/// Whether sources that the policy denies are in sets, or are denied at times, so that no rule of iptables
/// can tell them from others. Then `DOCKER-BLOCK` allows nobody by itself.
fn denies_sets(policy: &Policy, large: &SetGroups) -> bool {
    let mut groups = policy.deny().iter().flat_map(|it| it.sources().into_iter().flatten());
    policy.deny().iter().any(|entry| entry.schedule().is_some())
        || groups.any(|group| IpVersion::ALL.into_iter().any(|it| large.contains(it, group)))
}

/// `chain allow { type nat hook prerouting priority dstnat - 1; }` with the rules that look up the sets of large
/// groups, if there are any.
fn allow_chain(policy: &Policy, large: &SetGroups) -> Option<Chain> {
    let mark = policy.guard().mark().bits();
    let entries = policy.allow().iter();
    let rules = dedup(entries.flat_map(|it| set_rules::rules(it, large, mark)).collect());
    let base = Some(BaseChain::BEFORE_NAT_PREROUTING);
    (!rules.is_empty()).then(|| own::chain(ALLOW, base, rules))
}

fn nat_chain(
    version: IpVersion,
    name: &str,
    base: Option<BaseChain<'static>>,
    ownership: Ownership,
    rules: Vec<DesiredRule>,
) -> Chain {
    chain(nat_path(version, name), base, ownership, rules)
}

fn chain(
    path: Arc<ChainPath>,
    base: Option<BaseChain<'static>>,
    ownership: Ownership,
    rules: Vec<DesiredRule>,
) -> Chain {
    Chain { path, base, ownership, rules: Arc::new(rules), retired: Vec::new() }
}

fn nat_path(version: IpVersion, name: &str) -> Arc<ChainPath> {
    let table = TablePath { family: version.into(), table: NAT.into() };
    Arc::new(ChainPath { table, chain: name.into() })
}

fn own_table() -> TablePath {
    TablePath { family: Family::Inet, table: DWNL.into() }
}

/// A rule that depends on no entry of the policy.
fn base_rule(rule: impl Into<Rule>) -> DesiredRule {
    DesiredRule { rule: rule.into(), origin: None }
}

/// `-m addrtype --dst-type LOCAL VERDICT`
fn to_local(verdict: Verdict) -> IptablesRule {
    IptablesRule { matches: [Match::DstTypeLocal].into(), ..IptablesRule::new(verdict) }
}

/// The rules of `DOCKER-BLOCK`: by entry, port and source, first those that deny. The last one sends all
/// other sources to the guard, or without it those to `DOCKER` that the chain `allow` has marked. With many
/// rules dwnl's own table alone has them (`lists_sources` is false).
fn block_rules(
    version: IpVersion,
    policy: &Policy,
    large: &SetGroups,
    lists_sources: bool,
) -> Vec<DesiredRule> {
    let docker: Name = DOCKER.into();
    let mut desired = Vec::new();
    let denies_sets = denies_sets(policy, large);
    if !denies_sets && lists_sources {
        let verdict = denying_verdict(policy);
        for entry in policy.deny() {
            block_rules::push_denying(version, entry, &verdict, large, &mut desired);
        }
        // The guard alone looks at the time, and admits within limits.
        let is_plain = |entry: &&Allow| entry.schedule().is_none() && entry.limits().is_none();
        for entry in policy.allow().iter().filter(is_plain) {
            block_rules::push_allowing(version, entry, &docker, large, &mut desired);
        }
    }
    if policy.guard().is_enabled() {
        // -g DOCKER-BLOCK-GUARD
        desired.push(base_rule(IptablesRule::new(Verdict::Goto(GUARD.into()))));
    } else if !lists_sources || large.has(version) {
        desired.push(base_rule(mark_rule(policy.guard().mark().bits(), docker)));
    }
    dedup(desired)
}

/// What a rule of `DOCKER-BLOCK` does with a packet of a source that is denied: the same as the last rule
/// does with those that no rule matches.
fn denying_verdict(policy: &Policy) -> Verdict {
    match policy.guard().is_enabled() {
        true => Verdict::Goto(GUARD.into()),
        false => Verdict::Return,
    }
}

/// `-m connmark --mark MARK/MARK -m conntrack --ctstate NEW -j DOCKER`
///
/// A related flow inherits the mark of the one that it is related to, but not what that one is
/// allowed.
fn mark_rule(mark: u32, docker: Name) -> IptablesRule {
    let matches = [Match::Connmark(mark), Match::CtStateNew].into();
    IptablesRule { matches, ..IptablesRule::new(Verdict::Jump(docker)) }
}

/// The rules without duplicates; the first of equal rules remains.
fn dedup(mut desired: Vec<DesiredRule>) -> Vec<DesiredRule> {
    let mut seen = HashSet::with_capacity(desired.len());
    let is_first: Vec<bool> = desired.iter().map(|desired| seen.insert(&desired.rule)).collect();
    let mut is_first = is_first.into_iter();
    desired.retain(|_| is_first.next().unwrap_or(true));
    desired
}
