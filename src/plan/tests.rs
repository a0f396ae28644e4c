//! `apply(diff(a, b), b) == a` on a model of the kernel's chains.

mod damage;
mod dynamic;
mod maps;
mod policies;
mod restore;
mod transactions;

use std::sync::Arc;

use super::*;
use crate::model::{
    AddressSpec, ChainPath, DesiredRule, Family, Hook, InstalledChain, InstalledRule, InstalledSet,
    InstalledTable, IptablesRule, Match, Ownership, PortTarget, Ports, Position, Protocol, Rule,
    RuleContent, SetPath, TablePath, Verdict,
};
use crate::policy::{Allow, Group, Guard, Policy};
use crate::{compile, managed_objects};
use proptest::prelude::*;

/// Carries out a plan as the kernel would.
struct Model {
    snapshot: Snapshot,
    next_handle: u64,
}

impl Model {
    fn carry_out(&mut self, plan: &Plan) {
        for change in &plan.changes {
            self.change(change);
        }
        self.snapshot.generation += u32::from(!plan.is_empty());
    }

    fn change(&mut self, change: &Change) {
        let tables = &mut self.snapshot.tables;
        match change {
            Change::AddTable(path) => {
                let table = InstalledTable { created_by_dwnl: true, ..InstalledTable::default() };
                assert!(tables.insert(path.clone(), table).is_none());
            }
            Change::DeleteTable { table: path, contents } => {
                let table = tables.remove(path).expect("the table");
                let rules = table.chains.values().map(|chain| chain.rules.len());
                let elements = table.sets.values().map(|set| set.elements.len());
                let elements = elements.chain(table.maps.values().map(|map| map.len()));
                let reported: usize = contents.iter().map(Change::removed).sum();
                assert_eq!(reported, rules.chain(elements).sum::<usize>());
                let reported = contents.iter().filter(|change| {
                    use Change::{DeleteChain, DeleteMap, DeleteSet};
                    matches!(change, DeleteChain(_) | DeleteSet { .. } | DeleteMap { .. })
                });
                let objects = table.chains.len() + table.sets.len() + table.maps.len();
                assert_eq!(reported.count(), objects);
            }
            Change::AddChain(path, base) => {
                let base = base.map(|base| (base.chain_type.into(), base.hook, base.priority));
                let chain =
                    InstalledChain { base, created_by_dwnl: true, ..InstalledChain::default() };
                let table = tables.get_mut(&path.table).expect("the table");
                assert!(table.chains.insert(path.chain.clone(), chain).is_none());
            }
            Change::DeleteChain(path) => {
                let table = tables.get_mut(&path.table).expect("the table");
                assert!(table.chains.remove(&path.chain).expect("the chain").rules.is_empty());
                let target = Some(&path.chain);
                let mut rules = table.chains.values().flat_map(|chain| &chain.rules);
                assert!(rules.all(|rule| rule.content.target() != target), "it is referred to");
                let mut elements = table.maps.values().flat_map(|map| map.iter());
                assert!(elements.all(|it| it.chain.as_ref() != target), "a map refers to it");
                let mut sets = table.sets.values();
                assert!(sets.all(|set| set.kind.is_some()), "a map may refer to it");
            }
            Change::AddSet(set, kind) => {
                let sets = &mut tables.get_mut(&set.table).expect("the table").sets;
                let new = InstalledSet { kind: Some(*kind), elements: Arc::default() };
                assert!(sets.insert(set.set.clone(), new).is_none());
            }
            Change::AddElements { set, elements, .. } => {
                let installed = &mut self.set(set).elements;
                assert!(elements.iter().all(|element| !installed.contains(element)));
                let mut all = [&**installed, &**elements].concat();
                all.sort();
                *installed = all.into();
            }
            Change::DeleteElements { set, elements, .. } => {
                let installed = &mut self.set(set).elements;
                assert!(elements.iter().all(|element| installed.contains(element)));
                let left = installed.iter().filter(|element| !elements.contains(element));
                *installed = left.copied().collect();
            }
            Change::ReplaceSet { set, elements, before, unchanged, .. } => {
                let mut rules = tables[&set.table].chains.values().flat_map(|chain| &chain.rules);
                assert!(rules.all(|rule| !looks_up(rule, &set.set)), "it is looked up");
                let installed = &mut self.set(set).elements;
                assert_eq!(before, installed);
                let stay = elements.iter().filter(|element| installed.contains(element)).count();
                assert_eq!(stay, *unchanged);
                *installed = Arc::clone(elements);
            }
            Change::RestoreRule { chain, rule, packets, .. } => {
                self.add(chain, Position::Append, rule);
                let restored = self.rules(chain).last_mut().expect("the rule");
                restored.packets = *packets;
            }
            Change::DeleteSet { set, elements } => {
                let table = tables.get_mut(&set.table).expect("the table");
                let installed = table.sets.remove(&set.set).expect("the set");
                assert_eq!(installed.elements.len(), *elements);
                let mut rules = table.chains.values().flat_map(|chain| &chain.rules);
                assert!(rules.all(|rule| !looks_up(rule, &set.set)), "it is looked up");
            }
            Change::AddMap(map) => {
                let table = tables.get_mut(&map.table).expect("the table");
                assert!(!table.sets.contains_key(&map.set));
                assert!(table.maps.insert(map.set.clone(), Arc::default()).is_none());
            }
            Change::AddTargets { map, elements } => {
                let table = tables.get_mut(&map.table).expect("the table");
                let chains = &table.chains;
                let exists = |it: &PortTarget| {
                    it.chain.as_ref().is_some_and(|chain| chains.contains_key(chain))
                };
                assert!(elements.iter().all(exists), "elements go to chains that exist");
                let installed = table.maps.get_mut(&map.set).expect("the map");
                let mut all = [&**installed, &**elements].concat();
                all.sort();
                assert!(all.is_sorted_by(|a, b| a.last < b.first), "elements overlap");
                *installed = all.into();
            }
            Change::DeleteTargets { map, elements } => {
                let table = tables.get_mut(&map.table).expect("the table");
                let installed = table.maps.get_mut(&map.set).expect("the map");
                assert!(elements.iter().all(|element| installed.contains(element)));
                let left = installed.iter().filter(|element| !elements.contains(element));
                *installed = left.cloned().collect();
            }
            Change::DeleteMap { map, elements } => {
                let table = tables.get_mut(&map.table).expect("the table");
                assert_eq!(table.maps.remove(&map.set).expect("the map"), *elements);
                let mut rules = table.chains.values().flat_map(|chain| &chain.rules);
                assert!(rules.all(|rule| !looks_up(rule, &map.set)), "it is looked up");
            }
            Change::FlushChain { chain, contents } => {
                let rules = self.rules(chain);
                assert!(contents.iter().all(|gone| rules.iter().any(|r| r.content == *gone)));
                rules.clear();
            }
            Change::DeleteRule { chain, handle, .. } => {
                let rules = self.rules(chain);
                let position = rules.iter().position(|rule| rule.handle == *handle);
                rules.remove(position.expect("the rule"));
            }
            Change::AddRule { chain, place, rule, .. } => self.add(chain, *place, rule),
        }
    }

    fn add(&mut self, chain: &ChainPath, place: Position, rule: &Rule) {
        let table = &self.snapshot.tables[&chain.table];
        if let Some(target) = rule.target() {
            assert!(table.chains.contains_key(target), "the rule jumps to a chain that exists");
        }
        let handle = self.next_handle;
        self.next_handle += 1;
        let rules = self.rules(chain);
        let position = match place {
            Position::Append => rules.len(),
            Position::Before(handle) => {
                rules.iter().position(|rule| rule.handle == handle).expect("the rule before")
            }
        };
        rules.insert(position, installed(handle, RuleContent::Known(rule.clone())));
    }

    fn set(&mut self, set: &SetPath) -> &mut InstalledSet {
        let table = self.snapshot.tables.get_mut(&set.table).expect("the table");
        table.sets.get_mut(&set.set).expect("the set")
    }

    fn rules(&mut self, chain: &ChainPath) -> &mut Vec<InstalledRule> {
        let table = self.snapshot.tables.get_mut(&chain.table).expect("the table");
        &mut table.chains.get_mut(&chain.chain).expect("the chain").rules
    }
}

fn looks_up(rule: &InstalledRule, set: &str) -> bool {
    rule.content.known().is_some_and(|rule| rule.sets().any(|name| name.as_ref() == set))
}

fn installed(handle: u64, content: RuleContent) -> InstalledRule {
    InstalledRule { handle, content, packets: 0, bytes: 0 }
}

/// The rule that lets anyone reach a port.
fn allow(port: u16) -> Rule {
    let ports = Ports::new(Protocol::Tcp, port, port).expect("a port");
    let rule = IptablesRule {
        protocol: Some(Protocol::Tcp),
        matches: [Match::DestinationPorts(ports)].into(),
        ..IptablesRule::new(Verdict::Jump("DOCKER".into()))
    };
    rule.into()
}

fn foreign(text: &str) -> RuleContent {
    RuleContent::Foreign { expressions: text.into(), target: None, translation: None }
}

fn unguarded() -> Policy {
    Policy::builder().guard(Guard::off()).build().expect("a policy")
}

/// The frame of every policy, with rules for these ports in `DOCKER-BLOCK`.
fn desired(ports: &[u16]) -> Ruleset {
    let mut ruleset = compile(&unguarded());
    for chain in ruleset.chains.iter_mut().filter(|chain| chain.ownership == Ownership::Exclusive) {
        let rules = ports.iter().map(|port| DesiredRule { rule: allow(*port), origin: None });
        chain.rules = Arc::new(rules.collect());
    }
    ruleset
}

fn path(family: Family, chain: &str) -> ChainPath {
    ChainPath { table: TablePath { family, table: "nat".into() }, chain: chain.into() }
}

/// A kernel with these rules in `PREROUTING` and `DOCKER-BLOCK`: a port for a rule of dwnl's, 1 and 2
/// for the jumps, 0 for a foreign rule.
fn model(prerouting: &[u16], block: &[u16]) -> Model {
    let mut model = Model { snapshot: Snapshot::default(), next_handle: 1 };
    let mut empty = compile(&unguarded());
    let frame: Vec<Arc<Vec<DesiredRule>>> =
        empty.chains.iter_mut().map(|chain| std::mem::take(&mut chain.rules)).collect();
    model.carry_out(&Plan::diff(&empty, &model.snapshot).expect("a plan"));
    for (chain, codes) in [("PREROUTING", prerouting), ("DOCKER-BLOCK", block)] {
        for code in codes {
            let content = match code {
                0 => foreign("[foreign]"),
                1 | 2 => RuleContent::Known(frame[2][usize::from(*code) - 1].rule.clone()),
                port => RuleContent::Known(allow(*port)),
            };
            let handle = model.next_handle;
            model.next_handle += 1;
            model.rules(&path(Family::Ip, chain)).push(installed(handle, content));
        }
    }
    model
}

fn contents(model: &mut Model, chain: &str) -> Vec<RuleContent> {
    model.rules(&path(Family::Ip, chain)).iter().map(|rule| rule.content.clone()).collect()
}

proptest! {
    #[test]
    fn the_plan_leads_to_the_desired_ruleset(
        prerouting in prop::collection::vec(0u16..5, 0..8),
        block in prop::collection::vec(prop_oneof![Just(0u16), 10u16..20], 0..12),
        ports in prop::sample::subsequence((10u16..20).collect::<Vec<_>>(), 0..10).prop_shuffle(),
    ) {
        let desired = desired(&ports);
        let mut model = model(&prerouting, &block);
        let others: Vec<RuleContent> = contents(&mut model, "PREROUTING")
            .into_iter()
            .zip(&prerouting)
            .filter_map(|(content, code)| (!matches!(code, 1 | 2)).then_some(content))
            .collect();
        let before = model.snapshot.clone();
        let plan = Plan::diff(&desired, &model.snapshot).expect("a plan");
        model.carry_out(&plan);

        let expected: Vec<RuleContent> =
            ports.iter().map(|port| RuleContent::Known(allow(*port))).collect();
        prop_assert_eq!(contents(&mut model, "DOCKER-BLOCK"), expected);
        let frame = desired.chains[2].rules.iter().map(|w| RuleContent::Known(w.rule.clone()));
        let expected: Vec<RuleContent> = frame.chain(others).collect();
        prop_assert_eq!(contents(&mut model, "PREROUTING"), expected);

        let kept = kept_handles(&before, &model.snapshot);
        prop_assert!(plan.unchanged <= kept, "{} of {kept}", plan.unchanged);
        let again = Plan::diff(&desired, &model.snapshot).expect("a plan");
        prop_assert!(again.is_empty(), "{again:?}");
    }

    #[test]
    fn a_teardown_leaves_foreign_rules(
        prerouting in prop::collection::vec(0u16..5, 0..8),
        ports in prop::sample::subsequence((10u16..20).collect::<Vec<_>>(), 0..10),
    ) {
        let mut model = model(&prerouting, &[]);
        model.carry_out(&Plan::diff(&desired(&ports), &model.snapshot).expect("a plan"));
        let owned = managed_objects();
        let plan = Plan::teardown(&owned, &model.snapshot).expect("a plan");
        model.carry_out(&plan);
        let others = prerouting.iter().filter(|code| !matches!(code, 1 | 2)).count();
        prop_assert_eq!(model.snapshot.tables.is_empty(), others == 0);
        if others > 0 {
            prop_assert_eq!(contents(&mut model, "PREROUTING").len(), others);
            prop_assert!(model.snapshot.chain(&path(Family::Ip, "DOCKER-BLOCK")).is_none());
        }
        let again = Plan::teardown(&owned, &model.snapshot).expect("a plan");
        prop_assert!(again.is_empty(), "{again:?}");
    }
}

/// A policy with one group of these hosts and ranges (of length 3), at and around the size at
/// which a group becomes a set.
fn policy_of(hosts: &[u32], ranges: &[u32], is_guarded: bool) -> Policy {
    let source = |first: u32, last: u32| {
        let [first, last] = [first, last].map(|n| std::net::Ipv4Addr::from(0x0a00_0000 + n).into());
        AddressSpec::range(first, last).expect("a range")
    };
    let hosts = hosts.iter().map(|host| source(*host, *host));
    let ranges = ranges.iter().map(|range| source(1000 + range * 8, 1002 + range * 8));
    let group = Group::named("cdn", hosts.chain(ranges)).expect("a group");
    let ports = Ports::single(Protocol::Tcp, 443).expect("a port");
    let entry = Allow::builder([ports]).from([group]).build().expect("an entry");
    let guard = Guard::builder().enabled(is_guarded).build().expect("a guard");
    Policy::builder().allow(entry).guard(guard).build().expect("a policy")
}

/// Hosts and ranges for [`policy_of`], and whether it has the guard.
fn parts_of_policy() -> impl Strategy<Value = (Vec<u32>, Vec<u32>, bool)> {
    let hosts = prop::sample::subsequence((0u32..90).collect::<Vec<_>>(), 40..90);
    let ranges = prop::sample::subsequence((0u32..20).collect::<Vec<_>>(), 0..20);
    (hosts, ranges, any::<bool>())
}

/// What a kernel holds, without handles.
fn state(model: &Model) -> Vec<String> {
    let table = |(path, table): (&TablePath, &InstalledTable)| {
        let chains = table.chains.iter().flat_map(|(name, chain)| {
            chain.rules.iter().map(move |rule| format!("{name} {}", rule.content))
        });
        let bases = table
            .chains
            .iter()
            .map(|(name, chain)| format!("{name} {:?} drops {}", chain.base, chain.drops));
        let sets = table
            .sets
            .iter()
            .map(|(name, set)| format!("{name} {:?} {:?}", set.kind, set.elements));
        let flags = [format!("dormant {} others {}", table.dormant, table.has_foreign_objects)];
        let lines = chains.chain(bases).chain(sets).chain(flags);
        lines.map(|line| format!("{path} {line}")).collect::<Vec<_>>()
    };
    model.snapshot.tables.iter().flat_map(table).collect()
}

proptest! {
    #[test]
    fn any_sequence_of_reloads_ends_like_a_fresh_apply(
        policies in prop::collection::vec(parts_of_policy(), 1..5),
    ) {
        let mut model = Model { snapshot: Snapshot::default(), next_handle: 1 };
        let mut last = Ruleset::default();
        for (hosts, ranges, is_guarded) in &policies {
            last = compile(&policy_of(hosts, ranges, *is_guarded));
            let plan = Plan::diff(&last, &model.snapshot).expect("a plan");
            model.carry_out(&plan);
        }
        let mut fresh = Model { snapshot: Snapshot::default(), next_handle: 1 };
        fresh.carry_out(&Plan::diff(&last, &fresh.snapshot).expect("a plan"));
        prop_assert_eq!(state(&model), state(&fresh));
        prop_assert!(Plan::diff(&last, &model.snapshot).expect("a plan").is_empty());

        let plan = Plan::teardown(&managed_objects(), &model.snapshot).expect("a plan");
        model.carry_out(&plan);
        prop_assert!(model.snapshot.tables.is_empty(), "{:?}", state(&model));
    }
}

#[test]
fn a_change_of_one_source_is_one_element() {
    let hosts: Vec<u32> = (0..90).collect();
    let mut model = Model { snapshot: Snapshot::default(), next_handle: 1 };
    let ruleset = compile(&policy_of(&hosts, &[], true));
    model.carry_out(&Plan::diff(&ruleset, &model.snapshot).expect("a plan"));
    let plan = Plan::diff(&compile(&policy_of(&hosts[1..], &[], true)), &model.snapshot);
    let plan = plan.expect("a plan");
    assert_eq!((plan.changes.len(), plan.added(), plan.removed()), (1, 0, 1));
}

fn kept_handles(before: &Snapshot, after: &Snapshot) -> usize {
    let handles = |snapshot: &Snapshot| -> std::collections::HashSet<(TablePath, u64)> {
        let of_table = |(path, table): (&TablePath, &InstalledTable)| {
            let rules = table.chains.values().flat_map(|chain| &chain.rules);
            rules.map(|rule| (path.clone(), rule.handle)).collect::<Vec<_>>()
        };
        snapshot.tables.iter().flat_map(of_table).collect()
    };
    handles(before).intersection(&handles(after)).count()
}

#[test]
fn an_unchanged_rule_keeps_its_handle() {
    let mut model = model(&[1, 2, 0], &[10, 11, 12, 13]);
    let handles = |model: &mut Model| -> Vec<u64> {
        model.rules(&path(Family::Ip, "DOCKER-BLOCK")).iter().map(|rule| rule.handle).collect()
    };
    let before = handles(&mut model);
    let plan = Plan::diff(&desired(&[10, 14, 12, 13]), &model.snapshot).expect("a plan");
    model.carry_out(&plan);
    let after = handles(&mut model);
    assert_eq!([after[0], after[2], after[3]], [before[0], before[2], before[3]]);
}

#[test]
fn a_chain_without_a_rule_to_keep_is_flushed() {
    let model = model(&[1, 2], &[10, 11, 12]);
    let plan = Plan::diff(&desired(&[20]), &model.snapshot).expect("a plan");
    let flushes = |change: &&Change| matches!(change, Change::FlushChain { .. });
    assert_eq!(plan.changes.iter().filter(flushes).count(), 1);
    assert_eq!(plan.removed(), 3);
}

#[test]
fn foreign_objects_are_reported_as_errors() {
    let base = Some(("filter".into(), Hook::Input, 0));
    let mut taken = model(&[], &[]);
    let table = taken.snapshot.tables.get_mut(&path(Family::Ip, "").table).expect("the table");
    table.chains.get_mut("DOCKER-BLOCK").expect("the chain").base = base;
    let error = Plan::diff(&desired(&[]), &taken.snapshot).expect_err("an error");
    assert_eq!(
        error.to_string(),
        "chain ip nat DOCKER-BLOCK exists as a base chain (type filter hook input priority filter), and \
         rules cannot jump to base chains; rename or delete it"
    );

    let mut owned = model(&[], &[]);
    let table = owned.snapshot.tables.get_mut(&path(Family::Ip, "").table).expect("the table");
    table.owner = Some(77);
    let error = Plan::diff(&desired(&[]), &owned.snapshot).expect_err("an error");
    assert!(matches!(error, PlanError::TableOwned { port: 77, .. }), "{error}");
}

#[test]
fn a_foreign_jump_to_a_chain_prevents_its_removal() {
    let mut model = model(&[1, 2], &[]);
    let content = RuleContent::Foreign {
        expressions: "[…]".into(),
        target: Some("DOCKER-BLOCK".into()),
        translation: None,
    };
    model.rules(&path(Family::Ip, "PREROUTING")).push(installed(99, content));
    let error = Plan::teardown(&managed_objects(), &model.snapshot).expect_err("an error");
    assert!(matches!(error, PlanError::ChainInUse { position: 3, .. }), "{error}");
}
