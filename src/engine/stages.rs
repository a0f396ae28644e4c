//! Divides a repair into stages. The first one puts the guard back, and does not wait for what the kernel
//! takes long for.

use std::collections::HashSet;

use super::commit::next_generation;
use crate::compile::{admits, refuses_when_empty};
use crate::model::{Chain, ChainPath, Ruleset, SetPath, Snapshot, TablePath};
use crate::plan::{Change, Plan};

/// How many elements of the policy's sets the first stage adds: the kernel takes about 0.4 µs for each.
const ELEMENTS_MAX: usize = 4096;
/// How many rules of a chain of the policy the first stage adds: the kernel takes about 10 µs for each.
const RULES_MAX: usize = 256;

/// A part of a repair. The stages are committed in this order, each as one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The guard, and the tables and chains of the nat part without their rules: with an empty base chain
    /// of type nat, the kernel goes on translating the flows that it has translated before.
    Guard,
    /// Large sets and many rules of the guard. Until then it refuses the sources that only these allow.
    Sources,
    /// The rules in the nat tables. Before the kernel accepts a match of iptables, it waits until the
    /// rules are freed that were just deleted, which takes an RCU grace period.
    Nat,
}

/// Takes the changes of a plan and divides them into one plan for each stage, each of them based on the
/// generation that the one before produces. Stages without changes are left out. Without a guard there is
/// one stage.
pub(super) fn divide(plan: &mut Plan, desired: &Ruleset, snapshot: &Snapshot) -> Vec<Plan> {
    let changes = std::mem::take(&mut plan.changes);
    let stages = match &desired.guard {
        Some(_) => by_stage(changes, desired, snapshot),
        None => vec![changes],
    };
    let mut generation = plan.generation;
    let stages = stages.into_iter().filter(|changes| !changes.is_empty()).map(|changes| {
        let stage = Plan { generation, changes, ..Plan::default() };
        generation = next_generation(generation);
        stage
    });
    stages.collect()
}

fn by_stage(changes: Vec<Change>, desired: &Ruleset, snapshot: &Snapshot) -> Vec<Vec<Change>> {
    let own = &desired.owned_tables;
    let held_back = match own.iter().any(|table| is_in_force(table, snapshot)) {
        // What is in force is replaced in one transaction, so that nobody is refused meanwhile.
        true => HeldBack::default(),
        false => HeldBack::of(&changes, desired),
    };
    let mut stages = vec![Vec::new(); 3];
    for change in changes {
        let stage = match &change {
            Change::AddTable(_) | Change::AddChain(..) => Stage::Guard,
            _ if held_back.contains(&change) => Stage::Sources,
            _ if own.contains(change.table()) => Stage::Guard,
            _ => Stage::Nat,
        };
        stages[stage as usize].push(change);
    }
    stages
}

fn is_in_force(table: &TablePath, snapshot: &Snapshot) -> bool {
    snapshot.tables.get(table).is_some_and(|installed| !installed.dormant)
}

/// What the first stage leaves out. Without it the guard refuses more, and never less: the sets are looked
/// up only by rules that admit, and the chains are those that refuse whatever no rule of theirs admits.
#[derive(Default)]
struct HeldBack<'a> {
    sets: HashSet<SetPath>,
    chains: HashSet<&'a ChainPath>,
}

impl<'a> HeldBack<'a> {
    fn of(changes: &[Change], desired: &'a Ruleset) -> HeldBack<'a> {
        let mut held_back = HeldBack { sets: large_sets(changes), chains: HashSet::new() };
        for chain in &desired.chains {
            let denied = sets_that_deny(chain);
            let is_long = chain.rules.len() > RULES_MAX;
            if !refuses_when_empty(&chain.path) {
                held_back.sets.retain(|set| !denied.contains(set));
            } else if is_long || denied.iter().any(|set| held_back.sets.contains(set)) {
                held_back.chains.insert(&chain.path);
            }
        }
        held_back
    }

    fn contains(&self, change: &Change) -> bool {
        match change {
            Change::AddElements { set, .. } => self.sets.contains(&**set),
            Change::AddRule { chain, .. } => self.chains.contains(&**chain),
            _ => false,
        }
    }
}

/// The sets of sources that are filled last: the smallest ones fit into the first stage.
fn large_sets(changes: &[Change]) -> HashSet<SetPath> {
    let mut sets: Vec<(usize, &SetPath)> = Vec::new();
    for change in changes {
        if let Change::AddElements { set, kind, elements, .. } = change
            && kind.version().is_some()
        {
            sets.push((elements.len(), set));
        }
    }
    sets.sort_unstable();
    let mut total = 0;
    let is_large = |(number, _): &&(usize, &SetPath)| {
        total += number;
        total > ELEMENTS_MAX
    };
    sets.iter().filter(is_large).map(|(_, set)| (*set).clone()).collect()
}

/// The sets that rules of the chain look up which do anything else than admit.
fn sets_that_deny(chain: &Chain) -> HashSet<SetPath> {
    let rules = chain.rules.iter().filter_map(|desired| desired.rule.as_nft());
    let denying = rules.filter(|rule| !admits(&rule.statement));
    let table = &chain.path.table;
    let path = |set| SetPath { table: table.clone(), set };
    denying.flat_map(|rule| rule.sets().cloned()).map(path).collect()
}
