//! Whether the RETURN rule in `PREROUTING`, which returns all packets for this host, can be installed alongside the
//! translations of other programs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{BLOCK, GUARD};
use crate::docker::{DOCKER, INGRESS};
use crate::model::{
    Chain, DesiredRule, ForeignTranslations, InstalledTable, Match, Name, Ownership, Protocol,
    ReturnRule, Rule, Ruleset, Snapshot, TablePath, Verdict,
};

/// Chains whose translations are Docker's, and dwnl's own chains.
const NOT_FOREIGN: [&str; 4] = [DOCKER, INGRESS, BLOCK, GUARD];

/// The translations of other programs in the tables of these chains.
pub(super) fn foreign_translations(
    desired: &Ruleset,
    snapshot: &Snapshot,
) -> Vec<ForeignTranslations> {
    let heads = desired.chains.iter().filter(|chain| chain.ownership == Ownership::Leading);
    let found = heads.filter_map(|head| {
        let path = &head.path.table;
        let via = via(head, snapshot.tables.get(path)?);
        let return_rule = return_rule(rules(desired, path, BLOCK));
        (!via.is_empty()).then(|| ForeignTranslations { table: path.clone(), via, return_rule })
    });
    found.collect()
}

/// The same for the installed rules, under whichever policy they were installed.
pub fn installed_translations(frame: &Ruleset, snapshot: &Snapshot) -> Vec<ForeignTranslations> {
    let mut found = foreign_translations(frame, snapshot);
    for translations in &mut found {
        let block = snapshot.tables.get(&translations.table).and_then(|it| it.chains.get(BLOCK));
        let block = block.into_iter().flat_map(|chain| &chain.rules);
        translations.return_rule = return_rule(block.filter_map(|rule| rule.content.known()));
    }
    found
}

/// Removes the RETURN rule from the head of a chain, if it is left out there.
pub(super) fn leave_out_return_rule(head: &mut Chain, translations: &[ForeignTranslations]) {
    let mut here = translations.iter().filter(|it| it.table == head.path.table);
    if here.any(ForeignTranslations::is_left_out) {
        let is_second = |desired: &mut DesiredRule| has_verdict(&desired.rule, &Verdict::Return);
        let retired = Arc::make_mut(&mut head.rules).extract_if(.., is_second);
        head.retired.extend(retired.map(|desired| desired.rule));
    }
}

fn rules<'a>(
    ruleset: &'a Ruleset,
    table: &TablePath,
    chain: &str,
) -> impl Iterator<Item = &'a Rule> {
    let is_it = |it: &&Chain| it.path.table == *table && it.path.chain.as_ref() == chain;
    let chain = ruleset.chains.iter().find(is_it);
    chain.into_iter().flat_map(|chain| chain.rules.iter()).map(|desired| &desired.rule)
}

/// What becomes of the RETURN rule, given these rules of `DOCKER-BLOCK`.
fn return_rule<'a>(block: impl Iterator<Item = &'a Rule>) -> ReturnRule {
    let mut admitted = BTreeSet::new();
    for rule in block {
        if has_verdict(rule, &Verdict::Goto(GUARD.into())) {
            return ReturnRule::Guarded;
        }
        // Packets of a denied source, which the RETURN rule has to stop.
        if has_verdict(rule, &Verdict::Return) {
            return ReturnRule::Kept;
        }
        admitted.extend(admits_everyone(rule));
    }
    if admitted.len() == Protocol::ALL.len() { ReturnRule::Open } else { ReturnRule::Kept }
}

fn has_verdict(rule: &Rule, verdict: &Verdict) -> bool {
    rule.as_iptables().is_some_and(|rule| rule.verdict == *verdict)
}

/// The number of the protocol for which a rule admits every source to every port:
/// `-p tcp -m tcp --dport 1:65535 -m conntrack --ctstate NEW -j DOCKER`.
fn admits_everyone(rule: &Rule) -> Option<u8> {
    let rule = rule.as_iptables()?;
    let has_conditions =
        rule.source.is_some() || rule.destination.is_some() || rule.in_interface.is_some();
    let is_no_condition = |it: &Match| match it {
        Match::DestinationPorts(ports) => ports.first() <= 1 && ports.last() == u16::MAX,
        Match::CtStateNew | Match::Comment(_) => true,
        _ => false,
    };
    let is_open = !has_conditions
        && rule.verdict == Verdict::Jump(DOCKER.into())
        && rule.matches.iter().all(is_no_condition);
    rule.protocol.filter(|_| is_open).map(Protocol::number)
}

/// What leads from a chain to translations of other programs.
fn via(head: &Chain, table: &InstalledTable) -> Vec<Name> {
    let Some(installed) = table.chains.get(&head.path.chain) else { return Vec::new() };
    let mut via: Vec<Name> = Vec::new();
    for rule in &installed.rules {
        let found = rule.content.translation().or_else(|| {
            rule.content.target().filter(|target| Walk::new(table).finds_translation(target))
        });
        if let Some(found) = found.filter(|found| !via.contains(found)) {
            via.push(Arc::clone(found));
        }
    }
    via
}

/// A walk along jumps and gotos, each chain once.
struct Walk<'a> {
    table: &'a InstalledTable,
    seen: BTreeSet<&'a Name>,
}

impl<'a> Walk<'a> {
    fn new(table: &'a InstalledTable) -> Walk<'a> {
        Walk { table, seen: BTreeSet::new() }
    }

    /// Whether any rule translates in this chain, if it is foreign, or in one that it leads to.
    fn finds_translation(mut self, start: &'a Name) -> bool {
        let mut pending = vec![start];
        while let Some(name) = pending.pop() {
            if NOT_FOREIGN.contains(&name.as_ref()) || !self.seen.insert(name) {
                continue;
            }
            let rules = self.table.chains.get(name).into_iter().flat_map(|chain| &chain.rules);
            for rule in rules {
                if rule.content.translation().is_some() {
                    return true;
                }
                pending.extend(rule.content.target());
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::{compile, managed_objects};
    use super::*;
    use crate::model::{
        Family, InstalledChain, InstalledRule, Interface, IptablesRule, Ports, RuleContent,
    };
    use crate::policy::{Allow, AllowBuilder, Deny, Guard, Policy};

    fn rule(target: Option<&str>, translation: Option<&str>) -> InstalledRule {
        let content = RuleContent::Foreign {
            expressions: "[…]".to_owned(),
            target: target.map(Into::into),
            translation: translation.map(Into::into),
        };
        InstalledRule { handle: 1, content, packets: 0, bytes: 0 }
    }

    fn jump(target: &str) -> InstalledRule {
        rule(Some(target), None)
    }

    /// A snapshot whose `ip nat` has these chains.
    fn snapshot(chains: Vec<(&str, Vec<InstalledRule>)>) -> Snapshot {
        let chains = chains.into_iter().map(|(name, rules)| {
            (Name::from(name), InstalledChain { rules, ..InstalledChain::default() })
        });
        let table = InstalledTable { chains: chains.collect(), ..InstalledTable::default() };
        let path = TablePath { family: Family::Ip, table: "nat".into() };
        Snapshot { tables: [(path, table)].into(), ..Snapshot::default() }
    }

    fn found(policy: &Policy, snapshot: &Snapshot) -> Vec<ForeignTranslations> {
        foreign_translations(&compile(policy), snapshot)
    }

    fn via(snapshot: &Snapshot) -> Vec<String> {
        let found = found(&Policy::default(), snapshot);
        found.iter().flat_map(|it| &it.via).map(ToString::to_string).collect()
    }

    #[test]
    fn translations_are_found_along_jumps() {
        let translating = || vec![rule(None, Some("DNAT"))];
        assert!(via(&Snapshot::default()).is_empty());
        for chain in NOT_FOREIGN {
            let there = snapshot(vec![("PREROUTING", vec![jump(chain)]), (chain, translating())]);
            assert!(via(&there).is_empty(), "{chain}");
        }
        let kube = snapshot(vec![
            ("PREROUTING", vec![jump("KUBE-SERVICES"), jump("DOCKER"), jump("OTHER")]),
            ("KUBE-SERVICES", vec![jump("KUBE-MARK"), jump("KUBE-NODEPORTS")]),
            ("KUBE-MARK", vec![rule(None, None)]),
            // The kernel rejects such a loop.
            ("KUBE-NODEPORTS", vec![jump("KUBE-SERVICES"), jump("KUBE-SEP")]),
            ("KUBE-SEP", translating()),
            ("DOCKER", translating()),
            ("OTHER", vec![jump("DOCKER"), jump("MISSING")]),
        ]);
        assert_eq!(via(&kube), ["KUBE-SERVICES"]);
        let redirects = [rule(None, Some("REDIRECT")), rule(None, Some("REDIRECT"))];
        let redirects = snapshot(vec![("PREROUTING", redirects.into())]);
        assert_eq!(via(&redirects), ["REDIRECT"]);
    }

    #[test]
    fn the_return_rule_is_kept_where_nothing_else_blocks() {
        let redirect = snapshot(vec![("PREROUTING", vec![rule(None, Some("REDIRECT"))])]);
        let return_rule = |policy: &Policy| found(policy, &redirect)[0].return_rule;
        let all = |protocol| Ports::new(protocol, 1, u16::MAX).expect("ports");
        let open = || Allow::builder(Protocol::ALL.map(all));
        let off = |entry: Option<AllowBuilder>| {
            let entry = entry.map(|entry| entry.build().expect("an entry"));
            let policy = Policy::builder().allow_all(entry).guard(Guard::off());
            policy.build().expect("a policy")
        };
        assert_eq!(return_rule(&Policy::default()), ReturnRule::Guarded);
        assert_eq!(return_rule(&off(Some(open()))), ReturnRule::Open);
        assert_eq!(return_rule(&off(None)), ReturnRule::Kept);
        let conditional = open().in_interface(Interface::named("eth0".into()));
        assert_eq!(return_rule(&off(Some(conditional))), ReturnRule::Kept);
        let denied = Deny::builder().ports(["443/tcp".parse().expect("a port")]).build();
        let denying = Policy::builder().allow(open().build().expect("an entry"));
        let denying = denying.deny(denied.expect("an entry")).guard(Guard::off()).build();
        assert_eq!(return_rule(&denying.expect("a policy")), ReturnRule::Kept);
        let two = Allow::builder([Protocol::Tcp, Protocol::Udp].map(all));
        assert_eq!(return_rule(&off(Some(two))), ReturnRule::Kept);
    }

    #[test]
    fn what_is_installed_says_whether_the_guard_is_on() {
        let guarded = RuleContent::Known(IptablesRule::new(Verdict::Goto(GUARD.into())).into());
        let guarded = InstalledRule { content: guarded, ..jump("") };
        let snapshot = |block| {
            snapshot(vec![("PREROUTING", vec![rule(None, Some("REDIRECT"))]), (BLOCK, block)])
        };
        let return_rule =
            |block| installed_translations(&managed_objects(), &snapshot(block))[0].return_rule;
        assert_eq!(return_rule(vec![guarded]), ReturnRule::Guarded);
        assert_eq!(return_rule(Vec::new()), ReturnRule::Kept);
    }
}
