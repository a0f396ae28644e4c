//! Reads the counters of the installed rules: what each entry of a policy admitted, and what the guard
//! dropped.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use super::allowed::{ALLOWED, Allowed, Judge};
use super::dispatch::{ClassChain, CountedFor};
use super::limits::{LimitedEntries, has_joint_limits};
use super::refused::DROPPED;
use super::sets::SetGroups;
use super::{ALLOW, BLOCK, allowed, block_rules, denying_verdict, nat_path, own_table, set_rules};
use crate::docker::DOCKER;
use crate::model::{
    ChainPath, DesiredRule, InstalledRule, IpVersion, Name, NftStatement, Ports, Rule, Snapshot,
};
use crate::policy::{Entry, Policy};

/// What the rules of an entry of a policy counted since they were written: what an entry that allows
/// admitted, or what one that denies refused.
///
/// *With the guard on*, an entry that allows counts the packets that the guard accepted because of it, of
/// flows that were not answered yet. That is the first packet of a flow, and its repetitions as long as the
/// server does not answer. The first packet of a translated flow is counted twice if its source is in a group
/// of 64 or more addresses of one IP version, if the policy denies such a group, or if it has 32 or more
/// rules for ports, because the guard then judges it after the translation and again when it is forwarded. An
/// entry that denies counts every packet once.
///
/// An entry with limits counts each flow that it admitted once, with its first packet.
///
/// *With the guard off*, these are the first packets of flows that matched the entry.
///
/// Replies and later packets of a flow are never counted. A rule that two entries share is counted for
/// the first one. A reload keeps the counters of every rule that it does not change; a rule that is added
/// or written again, after another program has removed it, starts at zero.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryCounters {
    /// The index of the entry in [`Policy::allow`] or [`Policy::deny`].
    pub index: usize,
    /// The name of the entry, if it has one.
    pub name: Option<Arc<str>>,
    /// Packets, of both IP versions.
    pub packets: u64,
    /// Bytes of these packets, IP headers included.
    pub bytes: u64,
    /// Packets of flows above the limits of the entry, which it therefore did not admit; `None` if it has
    /// no limits.
    pub limited: Option<u64>,
    /// The same for each of the entry's [`Entry::ports`], in their order. Empty for an entry that denies
    /// every port, and for one of more than 16 ports, if these are counted together: because it has limits,
    /// or because the policy has many rules, so that maps lead to them.
    pub ports: Vec<PortCounters>,
}

/// What an entry of a policy counted for one of its ports or ranges of ports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortCounters {
    /// The ports, as the entry lists them.
    pub ports: Ports,
    /// Packets, of both IP versions.
    pub packets: u64,
    /// Bytes of these packets, IP headers included.
    pub bytes: u64,
    /// Packets of flows above the limits of the entry; `None` if it has no limits.
    pub limited: Option<u64>,
}

/// What the guard dropped on one path since its rules were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardDrops {
    /// The path, as the rules' comments name it: `published port`, `docker-proxy`,
    /// `container's own address` or `Swarm`.
    pub path: String,
    /// Packets, of both IP versions.
    pub packets: u64,
    /// Bytes of these packets, IP headers included.
    pub bytes: u64,
}

/// What each entry of [`Policy::allow`] admitted, in the order of the entries, by the rules that the
/// snapshot holds. Zero for an entry that is not installed.
pub fn entry_counters(policy: &Policy, snapshot: &Snapshot) -> Vec<EntryCounters> {
    let entries: Vec<&Entry> = policy.allow().iter().map(Deref::deref).collect();
    let counters = entries.iter().map(|entry| EntryCounters::new(entry, entry.ports()));
    let mut counters = count(counters, allowing_rules(policy, &entries), snapshot);
    for (index, chain) in LimitedEntries::of(policy).names() {
        let Some(counters) = counters.get_mut(index) else { continue };
        if has_joint_limits(&policy.allow()[index]) {
            counters.ports.clear();
        }
        counters.start_limited();
        for rule in snapshot.chain(&own(chain)).into_iter().flat_map(|chain| &chain.rules) {
            counters.exclude(rule);
        }
    }
    counters
}

/// What each entry of [`Policy::deny`] refused, in the same way.
pub fn deny_counters(policy: &Policy, snapshot: &Snapshot) -> Vec<EntryCounters> {
    let entries: Vec<&Entry> = policy.deny().iter().map(Deref::deref).collect();
    let counters = entries.iter().map(|entry| match entry.is_for_every_port() {
        true => EntryCounters::new(entry, &[]),
        false => EntryCounters::new(entry, entry.ports()),
    });
    count(counters, denying_rules(policy, &entries), snapshot)
}

/// Adds what the installed rules counted.
fn count(
    counters: impl Iterator<Item = EntryCounters>,
    rules: Vec<(Arc<ChainPath>, Entries)>,
    snapshot: &Snapshot,
) -> Vec<EntryCounters> {
    let number = |(index, counters)| EntryCounters { index, ..counters };
    let mut counters: Vec<EntryCounters> = counters.enumerate().map(number).collect();
    for (path, entries) in rules {
        for counted in entries.values().filter(|counted| counted.ports.is_none()) {
            counters.get_mut(counted.entry).into_iter().for_each(|it| it.ports.clear());
        }
        for installed in snapshot.chain(&path).into_iter().flat_map(|chain| &chain.rules) {
            let counted = installed.content.known().and_then(|rule| entries.get(rule));
            let Some(CountedFor { entry, ports }) = counted else { continue };
            if let Some(counter) = counters.get_mut(*entry) {
                counter.count(*ports, installed);
            }
        }
    }
    counters
}

impl EntryCounters {
    /// The counters of an entry for these ports, at zero.
    fn new(entry: &Entry, ports: &[Ports]) -> EntryCounters {
        let ports =
            ports.iter().map(|it| PortCounters { ports: *it, packets: 0, bytes: 0, limited: None });
        EntryCounters {
            index: 0,
            name: entry.name().cloned(),
            packets: 0,
            bytes: 0,
            limited: None,
            ports: ports.collect(),
        }
    }

    /// The entry has limits, above which there was nothing yet.
    fn start_limited(&mut self) {
        self.limited = Some(0);
        self.ports.iter_mut().for_each(|it| it.limited = Some(0));
    }

    /// Leaves out what a rule of the entry's limits counted for these ports: flows that were admitted
    /// before, and those above the limits.
    fn exclude(&mut self, rule: &InstalledRule) {
        let Some(known) = rule.content.known() else { return };
        let is_excess = match known.as_nft().map(|nft| &nft.statement) {
            Some(NftStatement::Return) => true,
            Some(NftStatement::Accept) => false,
            // The packets that such a rule tries to admit were counted before the jump.
            _ => return,
        };
        let limited = if is_excess { rule.packets } else { 0 };
        self.packets = self.packets.saturating_sub(rule.packets);
        self.bytes = self.bytes.saturating_sub(rule.bytes);
        self.limited = self.limited.map(|packets| packets + limited);
        if let Some(counter) = self.ports.iter_mut().find(|it| Some(it.ports) == known.ports()) {
            counter.packets = counter.packets.saturating_sub(rule.packets);
            counter.bytes = counter.bytes.saturating_sub(rule.bytes);
            counter.limited = counter.limited.map(|packets| packets + limited);
        }
    }

    /// Adds what a rule of the entry for these ports counted.
    fn count(&mut self, ports: Option<Ports>, rule: &InstalledRule) {
        self.packets += rule.packets;
        self.bytes += rule.bytes;
        if let Some(counter) = self.ports.iter_mut().find(|it| Some(it.ports) == ports) {
            counter.packets += rule.packets;
            counter.bytes += rule.bytes;
        }
    }
}

/// What the guard dropped, path by path, by the rules that the snapshot holds.
pub fn guard_drops(snapshot: &Snapshot) -> Vec<GuardDrops> {
    let own = snapshot.tables.get(&own_table());
    let chains = own.into_iter().flat_map(|table| table.chains.values());
    let mut all: Vec<GuardDrops> = Vec::new();
    for rule in chains.flat_map(|chain| &chain.rules) {
        let Some(path) = rule.content.known().and_then(dropped_path) else { continue };
        let InstalledRule { packets, bytes, .. } = *rule;
        match all.iter_mut().find(|drops| drops.path == path) {
            Some(drops) => {
                drops.packets += packets;
                drops.bytes += bytes;
            }
            None => all.push(GuardDrops { path: path.to_owned(), packets, bytes }),
        }
    }
    all
}

/// The path of a rule `counter drop comment "not allowed: PATH"`.
fn dropped_path(rule: &Rule) -> Option<&str> {
    let rule = rule.as_nft().filter(|rule| rule.statement == NftStatement::Drop)?;
    let comment = rule.comment.as_deref()?;
    Some(comment.strip_prefix(DROPPED).unwrap_or(comment))
}

/// The rules of a chain, each with the entry that it is counted for.
type Entries = HashMap<Rule, CountedFor>;

/// The chains that decide for each entry, with the rules that allow: with the guard `allowed` and those that
/// its maps lead to, which see the flows on every path; else `DOCKER-BLOCK`, and `allow` for large groups or,
/// if [`Allowed::marked`] has a reason, `allow` for all sources.
fn allowing_rules(policy: &Policy, entries: &[&Entry]) -> Vec<(Arc<ChainPath>, Entries)> {
    let groups = SetGroups::of(policy);
    if policy.guard().is_enabled() {
        let limited = LimitedEntries::of(policy);
        let allowed = Allowed::of(policy, &groups, Judge::Guard(&limited));
        if let Some(chains) = allowed.allowing_chains() {
            return chains.iter().map(of_class).collect();
        }
        let rules = |entry: &Entry| allowed::allowing(entry, &limited.statement(entry), &groups);
        return vec![(own(ALLOWED), index(entries, rules))];
    }
    let mark = policy.guard().mark().bits();
    if let Some(marked) = Allowed::marked(policy, &groups) {
        if let Some(chains) = marked.allowing_chains() {
            return chains.iter().map(of_class).collect();
        }
        let marks = NftStatement::SetCtMark(mark);
        return vec![(own(ALLOW), index(entries, |it| allowed::allowing(it, &marks, &groups)))];
    }
    let docker: Name = DOCKER.into();
    let block = |version| {
        let rules = |entry: &Entry| {
            let mut rules = Vec::new();
            block_rules::push_allowing(version, entry, &docker, &groups, &mut rules);
            rules
        };
        (nat_path(version, BLOCK), index(entries, rules))
    };
    let allow = index(entries, |entry| set_rules::rules(entry, &groups, mark));
    IpVersion::ALL.map(block).into_iter().chain([(own(ALLOW), allow)]).collect()
}

/// The chains that decide for each entry, with the rules that deny.
fn denying_rules(policy: &Policy, entries: &[&Entry]) -> Vec<(Arc<ChainPath>, Entries)> {
    let groups = SetGroups::of(policy);
    let in_sets = index(entries, |entry| allowed::denying_one(entry, &groups));
    if policy.guard().is_enabled() {
        let limited = LimitedEntries::of(policy);
        let allowed = Allowed::of(policy, &groups, Judge::Guard(&limited));
        return with_maps(&allowed, ALLOWED, in_sets);
    }
    if let Some(marked) = Allowed::marked(policy, &groups) {
        return with_maps(&marked, ALLOW, in_sets);
    }
    let verdict = denying_verdict(policy);
    let block = |version| {
        let rules = |entry: &Entry| {
            let mut rules = Vec::new();
            block_rules::push_denying(version, entry, &verdict, &groups, &mut rules);
            rules
        };
        (nat_path(version, BLOCK), index(entries, rules))
    };
    IpVersion::ALL.map(block).into()
}

/// The rules that deny in the chains that maps lead to, and in the chain in front of them, which in any case
/// has those for every port.
fn with_maps(allowed: &Allowed, head: &str, rules: Entries) -> Vec<(Arc<ChainPath>, Entries)> {
    let chains = allowed.denying_chains().unwrap_or_default();
    chains.iter().map(of_class).chain([(own(head), rules)]).collect()
}

fn of_class(chain: &ClassChain) -> (Arc<ChainPath>, Entries) {
    let (name, rules) = chain.counted();
    let entries = rules.map(|(rule, counted)| (rule.clone(), counted)).collect();
    (own(name), entries)
}

fn own(chain: &str) -> Arc<ChainPath> {
    Arc::new(ChainPath { table: own_table(), chain: chain.into() })
}

fn index(entries: &[&Entry], rules: impl Fn(&Entry) -> Vec<DesiredRule>) -> Entries {
    let mut found = Entries::new();
    for (index, entry) in entries.iter().enumerate() {
        for desired in rules(entry) {
            let ports = desired.rule.ports();
            found.entry(desired.rule).or_insert(CountedFor { entry: index, ports });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::compile::compile;
    use crate::model::{InstalledTable, NftRule, RuleContent, TablePath};

    fn policy(guard: bool) -> Policy {
        let many: Vec<String> = (0..70).map(|n| format!("10.0.0.{n}")).collect();
        let text = format!(
            r#"
            [sources]
            many = {many:?}
            [[allow]]
            ports = ["443"]
            from = ["192.0.2.1", "2001:db8::1"]
            [[allow]]
            name = "web"
            ports = ["80", "443/udp"]
            from = ["many", "192.0.2.2"]
            [[allow]]
            ports = ["443"]
            from = ["192.0.2.1", "192.0.2.9"]
            [[allow]]
            name = "unused"
            ports = ["8080"]
            [guard]
            enabled = {guard}
            "#
        );
        Policy::parse(&text, "policy.toml", Path::new("")).expect("a policy")
    }

    /// The policy as it is installed: the rules of each chain counted 1, 2, 3 and so on packets.
    fn installed(policy: &Policy) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for chain in compile(policy).chains {
            let rule = |(desired, packets): (&DesiredRule, u64)| {
                let content = RuleContent::Known(desired.rule.clone());
                InstalledRule { handle: packets, content, packets, bytes: 60 * packets }
            };
            let table = snapshot.tables.entry(chain.path.table.clone()).or_default();
            let installed = table.chains.entry(chain.path.chain.clone()).or_default();
            installed.rules = chain.rules.iter().zip(1..).map(rule).collect();
        }
        snapshot
    }

    fn packets(policy: &Policy, snapshot: &Snapshot) -> Vec<u64> {
        let counters = entry_counters(policy, snapshot);
        assert!(counters.iter().all(|counter| counter.bytes == 60 * counter.packets));
        for counter in &counters {
            let sum: u64 = counter.ports.iter().map(|ports| ports.packets).sum();
            assert_eq!(sum, counter.packets, "each rule has one of the entry's ports");
        }
        counters.iter().map(|counter| counter.packets).collect()
    }

    #[test]
    fn each_rule_is_counted_for_the_first_entry_that_it_belongs_to() {
        let policy = policy(true);
        // `allowed`: behind the 20 rules for grants and bans by hand, one for each source and port, IPv4
        // before IPv6.
        let expected = [21 + 22, 23 + 24 + 25 + 26, 27, 28 + 29];
        assert_eq!(packets(&policy, &installed(&policy)), expected);
        let web = &entry_counters(&policy, &installed(&policy))[1].ports;
        let web = web.iter().map(|it| (it.ports.to_string(), it.packets)).collect::<Vec<_>>();
        assert_eq!(web, [("80/tcp".to_owned(), 23 + 24), ("443/udp".to_owned(), 25 + 26)]);
        let names: Vec<Option<Arc<str>>> =
            entry_counters(&policy, &Snapshot::default()).into_iter().map(|it| it.name).collect();
        assert_eq!(names, [None, Some("web".into()), None, Some("unused".into())]);
    }

    #[test]
    fn without_the_guard_rules_and_set_lookups_are_counted() {
        let policy = policy(false);
        // DOCKER-BLOCK of IPv4, of IPv6, and the two lookups in `allow`.
        let expected = [1 + 1, 2 + 3 + (1 + 2), 4, 5 + 2];
        assert_eq!(packets(&policy, &installed(&policy)), expected);
    }

    #[test]
    fn entries_that_are_not_installed_have_counted_nothing() {
        assert_eq!(packets(&policy(true), &installed(&policy(false))), [0; 4]);
        assert_eq!(packets(&policy(true), &Snapshot::default()), [0; 4]);
    }

    #[test]
    fn drops_are_counted_by_path() {
        let rule = |comment: &str, statement, packets| {
            let rule = NftRule { comment: Some(comment.into()), ..NftRule::new([], statement) };
            let content = RuleContent::Known(rule.into());
            InstalledRule { handle: 1, content, packets, bytes: 60 * packets }
        };
        let mut snapshot = Snapshot::default();
        for name in ["dwnl", "foreign"] {
            let table = TablePath { table: name.into(), ..own_table() };
            let mut installed = InstalledTable::default();
            for (chain, packets) in [("a", 2), ("b", 1)] {
                let dropped = rule("not allowed: docker-proxy", NftStatement::Drop, packets);
                let accepted = rule("web", NftStatement::Accept, 9);
                installed.chains.entry(chain.into()).or_default().rules = vec![dropped, accepted];
            }
            snapshot.tables.insert(table, installed);
        }
        let path = "docker-proxy".to_owned();
        assert_eq!(guard_drops(&snapshot), [GuardDrops { path, packets: 3, bytes: 180 }]);
    }
}
