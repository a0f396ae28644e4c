//! The entries that admit flows within limits. The rules of `allowed` send the flows of such an entry to
//! a chain of its own, which admits them or returns, so that the entry does not admit them.

use std::collections::HashMap;
use std::sync::Arc;

use super::dispatch::PORTS_COUNTED_MAX;
use super::expand::{comment, origin};
use super::sets::set_name;
use super::{own, own_table};
use crate::model::{
    Chain, ConnectionLimit, DesiredRule, FlowLimits, IpVersion, Name, NftMatch, NftRule,
    NftStatement, Protocol, RateLimit, Set, SetKind, SetPath, UpdateKey,
};
use crate::policy::{Allow, Entry, Limit, LimitScope, Policy};

/// What the names of these chains begin with.
const PREFIX: &str = "limited-";
/// The comment of the last rules, which flows above the limits meet.
const EXCESS: &str = "above the limit";

/// The entries of a policy that have limits, with the names of their chains.
pub(super) struct LimitedEntries<'p> {
    entries: Vec<LimitedEntry<'p>>,
    /// The names of the chains by the identity of the entry.
    chains: HashMap<*const Entry, Name>,
}

/// An entry that has limits.
struct LimitedEntry<'p> {
    /// The index in [`Policy::allow`].
    index: usize,
    entry: &'p Allow,
    /// The name of its chain.
    chain: Name,
}

impl<'p> LimitedEntries<'p> {
    /// The entries of the policy.
    pub fn of(policy: &'p Policy) -> LimitedEntries<'p> {
        let mut limited = LimitedEntries { entries: Vec::new(), chains: HashMap::new() };
        for (index, entry) in policy.allow().iter().enumerate() {
            if !entry.limits().is_none() {
                let chain = chain_name(entry, index);
                limited.chains.insert(std::ptr::from_ref(entry), Arc::clone(&chain));
                limited.entries.push(LimitedEntry { index, entry, chain });
            }
        }
        limited
    }

    /// What happens to a flow that meets the conditions of an entry: `accept`, or `jump limited-NAME`.
    pub fn statement(&self, entry: &Entry) -> NftStatement {
        match self.chains.get(&std::ptr::from_ref(entry)) {
            Some(chain) => NftStatement::Jump(Arc::clone(chain)),
            None => NftStatement::Accept,
        }
    }

    /// The chains.
    pub fn chains(&self) -> impl Iterator<Item = Chain> {
        self.entries.iter().map(|it| own::chain(&it.chain, None, rules(it.entry, &it.chain)))
    }

    /// The names of the chains, each with the index of its entry in [`Policy::allow`].
    pub fn names(&self) -> impl Iterator<Item = (usize, &Name)> {
        self.entries.iter().map(|it| (it.index, &it.chain))
    }

    /// The sets, which the kernel fills. Their names contain the limit, so that a set is kept as long as
    /// the limit of its entry stays: the kernel gives each new element the limit of the rule.
    pub fn sets(&self) -> impl Iterator<Item = Set> {
        self.entries.iter().flat_map(|it| sets(it.entry, &it.chain))
    }
}

/// Whether a statement in `allowed` admits flows, within the limits of an entry if it has any.
pub(crate) fn admits(statement: &NftStatement) -> bool {
    match statement {
        NftStatement::Accept => true,
        NftStatement::Jump(chain) => is_limited(chain),
        _ => false,
    }
}

/// Whether a chain is that of an entry's limits.
pub(super) fn is_limited(chain: &str) -> bool {
    chain.starts_with(PREFIX)
}

fn chain_name(entry: &Entry, index: usize) -> Name {
    match entry.name() {
        Some(name) => format!("{PREFIX}{}", set_name(name)),
        // No name begins with a dot.
        None => format!("{PREFIX}.{}", index + 1),
    }
    .into()
}

/// Whether the flows above the limits of an entry are counted for all of its ports together, because there
/// are many.
pub(super) fn has_joint_limits(entry: &Entry) -> bool {
    entry.ports().len() > PORTS_COUNTED_MAX
}

/// The rules of an entry's chain, in which the conditions of the entry hold: for each of its ports one for
/// flows that were admitted before, then those that admit, then for each port one that counts the rest. If
/// there are many ports, these rules are for all of them.
fn rules(entry: &Allow, name: &str) -> Vec<DesiredRule> {
    let origin = Arc::new(origin(entry, None, None));
    let rule = |matches: Vec<NftMatch>, statement, comment| {
        let rule = NftRule { comment, ..NftRule::new(matches, statement) };
        DesiredRule { rule: rule.into(), origin: Some(Arc::clone(&origin)) }
    };
    let ports: Vec<Vec<NftMatch>> = match has_joint_limits(entry) {
        true => vec![Vec::new()],
        false => entry.ports().iter().map(|it| vec![NftMatch::CtOriginalPorts(*it)]).collect(),
    };
    // meta l4proto tcp ct original proto-dst PORTS ct label 13 counter accept comment NAME
    let known = ports.iter().map(|ports| {
        let matches = ports.iter().cloned().chain([NftMatch::CtLabelAdmitted]).collect();
        rule(matches, NftStatement::Accept, comment(entry))
    });
    // meta nfproto VERSION counter LIMITS ct label set 13 accept comment NAME
    let admitting = admissions(entry, name).into_iter().map(|(conditions, limits)| {
        rule(conditions, NftStatement::AcceptWithin(limits), comment(entry))
    });
    // meta l4proto tcp ct original proto-dst PORTS counter return comment "above the limit"
    let excess =
        ports.iter().map(|ports| rule(ports.clone(), NftStatement::Return, Some(EXCESS.into())));
    known.chain(admitting).chain(excess).collect()
}

/// The limits, each with the conditions under which they are looked at: on the IP version where they are
/// for sources, and on the protocol where they are for ports.
fn admissions(entry: &Allow, chain: &str) -> Vec<(Vec<NftMatch>, FlowLimits)> {
    let limits = entry.limits();
    let mut admissions = Vec::new();
    for version in IpVersion::ALL {
        for protocol in protocols(entry) {
            let connections = limits.connections.map(|count| ConnectionLimit {
                set: set_of(chain, &format!("{count}-open"), Some(version)),
                version,
                count,
            });
            let rate = limits.limit.map(|limit| rate_limit(limit, chain, version));
            let conditions = [NftMatch::NfProto(version)].into_iter();
            let conditions = conditions.chain(protocol.map(NftMatch::Protocol)).collect();
            admissions.push((conditions, FlowLimits { connections, rate }));
        }
    }
    admissions
}

/// The protocols of the entry if the limit is for each port; else one rule is for all.
fn protocols(entry: &Allow) -> Vec<Option<Protocol>> {
    let is_per_port = entry.limits().limit.is_some_and(|limit| limit.per == LimitScope::Port);
    if !is_per_port {
        return vec![None];
    }
    let has = |protocol: &Protocol| entry.ports().iter().any(|it| it.protocol() == *protocol);
    Protocol::ALL.into_iter().filter(has).map(Some).collect()
}

fn rate_limit(Limit { rate, per }: Limit, chain: &str, version: IpVersion) -> RateLimit {
    let (key, version) = match per {
        LimitScope::Source => (UpdateKey::SourceNetwork(version), Some(version)),
        LimitScope::Port => (UpdateKey::OriginalPort, None),
        LimitScope::Entry => (UpdateKey::Direction, None),
    };
    let what = format!("{}-{}-{}", rate.count(), rate.unit(), rate.burst());
    RateLimit { rate, set: set_of(chain, &what, version), key }
}

/// `limited-web-20-second-20-ip`
fn set_of(chain: &str, what: &str, version: Option<IpVersion>) -> Name {
    match version {
        Some(IpVersion::V4) => format!("{chain}-{what}-ip"),
        Some(IpVersion::V6) => format!("{chain}-{what}-ip6"),
        None => format!("{chain}-{what}"),
    }
    .into()
}

/// The sets that the rules of an entry's chain update.
fn sets(entry: &Allow, chain: &str) -> Vec<Set> {
    let origin: Name = match entry.name() {
        Some(name) => format!("the limits of entry `{name}`").into(),
        None => "the limits of an entry without a name".into(),
    };
    let mut kinds: Vec<(Name, SetKind)> = Vec::new();
    for (_, FlowLimits { connections, rate }) in admissions(entry, chain) {
        let connections = connections.map(|ConnectionLimit { set, version, .. }| {
            (set, SetKind::ConnectedSources { version })
        });
        let rate = rate.map(|RateLimit { set, key, .. }| match key {
            UpdateKey::SourceNetwork(version) => (set, SetKind::LimitedSources { version }),
            UpdateKey::OriginalPort => (set, SetKind::LimitedPorts),
            _ => (set, SetKind::LimitedFlows),
        });
        for set in connections.into_iter().chain(rate) {
            if !kinds.contains(&set) {
                kinds.push(set);
            }
        }
    }
    let set = |(set, kind)| Set {
        path: Arc::new(SetPath { table: own_table(), set }),
        kind,
        elements: Arc::default(),
        origin: Arc::clone(&origin),
    };
    kinds.into_iter().map(set).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::compile::compile;

    fn ruleset(text: &str) -> (Vec<String>, Vec<String>) {
        let policy = Policy::parse(text, "p", Path::new("")).expect("a policy");
        let ruleset = compile(&policy);
        let limited =
            |chain: &&Chain| is_limited(&chain.path.chain) || &*chain.path.chain == "allowed";
        let rules = ruleset.chains.iter().filter(limited).flat_map(|chain| {
            let name = &chain.path.chain;
            chain.rules.iter().map(move |desired| format!("{name}: {}", desired.rule))
        });
        let sets = ruleset.sets.iter().filter(|set| is_limited(&set.path.set));
        let rules = rules.filter(|rule| !rule.contains("by hand"));
        (rules.collect(), sets.map(|set| format!("{}: {}", set.path.set, set.kind)).collect())
    }

    #[test]
    fn an_entry_with_limits_has_a_chain_and_sets() {
        let (rules, sets) = ruleset(
            "[[allow]]\nname = 'a b'\nports = ['53/udp']\nfrom = ['192.0.2.1']\n\
             limit = '20/second per source'\nconnections = 9\n",
        );
        let name = "limited-_a_b.4a4c1b6f";
        let (chain, _) = rules[0].split_once(": ").expect("a chain");
        assert_eq!(chain.split('.').next(), name.split('.').next());
        let rules: Vec<String> =
            rules.iter().map(|rule| rule.replace(chain, "limited-N")).collect();
        assert_eq!(
            rules,
            [
                "limited-N: meta l4proto udp ct original proto-dst 53 ct label 13 counter accept \
                 comment \"a b\"",
                "limited-N: meta nfproto ipv4 counter add @limited-N-9-open-ip { ct original ip saddr \
                 ct count 9 } update @limited-N-20-second-20-ip { ct original ip saddr timeout 1s \
                 limit rate 20/second burst 20 packets } ct label set 13 accept comment \"a b\"",
                "limited-N: meta nfproto ipv6 counter add @limited-N-9-open-ip6 { ct original ip6 \
                 saddr & ffff:ffff:ffff:ffff:: ct count 9 } update @limited-N-20-second-20-ip6 { ct \
                 original ip6 saddr & ffff:ffff:ffff:ffff:: timeout 1s limit rate 20/second burst 20 \
                 packets } ct label set 13 accept comment \"a b\"",
                "limited-N: meta l4proto udp ct original proto-dst 53 counter return comment \
                 \"above the limit\"",
                "allowed: meta l4proto udp ct original proto-dst 53 meta nfproto ipv4 ct original ip \
                 saddr 192.0.2.1 counter jump limited-N comment \"a b\"",
            ]
        );
        let sets: Vec<String> = sets.iter().map(|set| set.replace(chain, "limited-N")).collect();
        assert_eq!(
            sets,
            [
                "limited-N-9-open-ip: type ipv4_addr; size 196608; flags dynamic",
                "limited-N-20-second-20-ip: type ipv4_addr; size 196608; flags dynamic,timeout",
                "limited-N-9-open-ip6: type ipv6_addr; size 196608; flags dynamic",
                "limited-N-20-second-20-ip6: type ipv6_addr; size 196608; flags dynamic,timeout",
            ]
        );
    }

    #[test]
    fn a_limit_of_ports_or_of_the_entry_has_one_set() {
        let entry = "[[allow]]\nports = ['53/udp', '53']\n";
        let (rules, sets) = ruleset(&format!("{entry}limit = '7/hour per port'\n"));
        assert_eq!(
            sets,
            ["limited-.1-7-hour-7: type inet_proto . inet_service; size 196608; flags \
              dynamic,timeout"]
        );
        let updates = rules.iter().filter(|rule| rule.contains("update @")).count();
        assert_eq!(updates, 4, "for each protocol and IP version: {rules:?}");
        let (rules, sets) = ruleset(&format!("{entry}limit = '7/hour burst 1'\n"));
        assert_eq!(sets, ["limited-.1-7-hour-1: type ct_dir; size 2; flags dynamic,timeout"]);
        assert_eq!(rules.iter().filter(|rule| rule.contains("update @")).count(), 2, "{rules:?}");
    }

    #[test]
    fn docker_block_admits_nobody_past_the_limits() {
        let text = "[[allow]]\nports = ['53']\nconnections = 1\n[[allow]]\nports = ['54']\n";
        let policy = Policy::parse(text, "p", Path::new("")).expect("a policy");
        let block =
            compile(&policy).chains.into_iter().find(|it| &*it.path.chain == "DOCKER-BLOCK");
        let rules: Vec<String> =
            block.expect("the chain").rules.iter().map(|it| it.rule.to_string()).collect();
        assert_eq!(rules.len(), 2, "{rules:?}");
        assert!(rules[0].contains("--dport 54"), "{rules:?}");
    }
}
