//! Divides a repair into stages. The first one puts the guard back, and does not wait for what the kernel
//! takes long for.

use std::collections::HashSet;

use super::commit::next_generation;
use crate::compile::{admits, refuses_when_empty};
use crate::model::{Chain, ChainPath, Name, NftRule, Ruleset, Set, Snapshot, TablePath};
use crate::plan::{Change, Plan};

/// How many elements of the policy's sets the first stage adds: the kernel takes about 0.4 µs for each.
const ELEMENTS_MAX: usize = 4096;
/// How many rules of the policy's chains the first stage adds: the kernel takes about 10 µs for each.
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
    (plan.prepared, plan.deferred) = (0, 0);
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
    let replaces = |change: &Change| {
        let table = change.table();
        own.contains(table) && is_in_force(table, snapshot) && is_replacement(change)
    };
    let held_back = match changes.iter().any(replaces) {
        // What is in force is replaced in one transaction, so that nobody is refused meanwhile.
        true => HeldBack::default(),
        false => HeldBack::of(large_sets(desired), desired),
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

/// Whether something is deleted that a later change creates again.
fn is_replacement(change: &Change) -> bool {
    use Change::{DeleteTable, FlushChain, ReplaceSet};
    matches!(change, DeleteTable { .. } | FlushChain { .. } | ReplaceSet { .. })
}

/// What the first stage leaves out. Without it the guard refuses more, and never less: the sets are looked
/// up only by rules that admit, and the chains are those that refuse whatever no rule of theirs admits.
#[derive(Default)]
struct HeldBack<'a> {
    sets: HashSet<&'a Name>,
    chains: HashSet<&'a ChainPath>,
}

impl<'a> HeldBack<'a> {
    fn of(sets: HashSet<&'a Name>, desired: &'a Ruleset) -> HeldBack<'a> {
        let mut held_back = HeldBack { sets, chains: HashSet::new() };
        let (refusing, others): (Vec<&Chain>, Vec<&Chain>) =
            desired.chains.iter().partition(|chain| refuses_when_empty(&chain.path));
        for set in others.into_iter().flat_map(sets_that_deny) {
            held_back.sets.remove(set);
        }
        // Each chain comes before those that lead to it.
        let from_first = refusing.into_iter().rev();
        let (few, many) = split_at_total(from_first, RULES_MAX, |chain| chain.rules.len());
        let lacks_denied =
            |chain: &&Chain| sets_that_deny(chain).any(|set| held_back.sets.contains(set));
        let chains = many.into_iter().chain(few.into_iter().filter(lacks_denied));
        held_back.chains = chains.map(|chain| &*chain.path).collect();
        held_back
    }

    fn contains(&self, change: &Change) -> bool {
        match change {
            Change::AddElements { set, .. } => self.sets.contains(&set.set),
            Change::AddRule { chain, .. } => self.chains.contains(&**chain),
            _ => false,
        }
    }
}

/// The sets that are filled last.
fn large_sets(desired: &Ruleset) -> HashSet<&Name> {
    let mut sets: Vec<&Set> = desired.sets.iter().collect();
    sets.sort_by_key(|set| set.elements.len());
    let (_, large) = split_at_total(sets, ELEMENTS_MAX, |set| set.elements.len());
    large.into_iter().map(|set| &set.path.set).collect()
}

/// The first ones, of at most this size together, and the others.
fn split_at_total<T>(
    all: impl IntoIterator<Item = T>,
    total_max: usize,
    size: impl Fn(&T) -> usize,
) -> (Vec<T>, Vec<T>) {
    let mut total = 0;
    all.into_iter().partition(|it| {
        total += size(it);
        total <= total_max
    })
}

/// The sets that rules of the chain look up which do anything else than admit.
fn sets_that_deny(chain: &Chain) -> impl Iterator<Item = &Name> {
    let rules = chain.rules.iter().filter_map(|desired| desired.rule.as_nft());
    rules.filter(|rule| !admits(&rule.statement)).flat_map(NftRule::sets)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::compile::compile;
    use crate::model::{InstalledTable, Rule};
    use crate::policy::Policy;

    /// As many sources as do not fit into the first stage.
    fn many() -> Vec<String> {
        (0..=ELEMENTS_MAX).map(|n| format!("10.{}.{}.7", n / 256, n % 256)).collect()
    }

    /// The stages of a repair after the ruleset was flushed.
    fn stages(text: &str) -> Vec<Plan> {
        stages_from(text, &Snapshot { generation: u32::MAX, ..Snapshot::default() })
    }

    fn stages_from(text: &str, snapshot: &Snapshot) -> Vec<Plan> {
        let desired = compile(&Policy::parse(text, "p", Path::new("")).expect("a policy"));
        let mut plan = Plan::diff(&desired, snapshot).expect("a plan");
        let total = plan.changes.len();
        let stages = divide(&mut plan, &desired, snapshot);
        assert_eq!(stages.iter().map(|stage| stage.changes.len()).sum::<usize>(), total);
        stages
    }

    /// How many rules of iptables a stage adds, how many of the policy's own, and how many elements.
    fn counts(stage: &Plan) -> [usize; 3] {
        let mut counts = [0; 3];
        for change in &stage.changes {
            match change {
                Change::AddRule { rule: Rule::Iptables(_), .. } => counts[0] += 1,
                Change::AddRule { origin, .. } => counts[1] += usize::from(origin.is_some()),
                Change::AddElements { elements, .. } => counts[2] += elements.len(),
                _ => {}
            }
        }
        counts
    }

    #[test]
    fn a_small_guard_comes_first_and_the_nat_rules_last() {
        let few: Vec<String> = many().into_iter().take(100).collect();
        let stages = stages(&format!("[[allow]]\nports = ['80', '81']\nfrom = {few:?}\n"));
        let [guard, nat] = &<[Plan; 2]>::try_from(stages).expect("two stages");
        assert_eq!(counts(guard), [0, 2, 100]);
        assert!(counts(nat)[0] > 0 && counts(nat)[1..] == [0, 0], "{:?}", counts(nat));
        assert_eq!((guard.generation, nat.generation), (u32::MAX, 1));
        let is_created = |it: &&Change| matches!(it, Change::AddTable(_) | Change::AddChain(..));
        assert_eq!(nat.changes.iter().filter(is_created).count(), 0, "with it NAT begins again");
    }

    #[test]
    fn a_large_set_is_filled_after_the_guard() {
        let text = format!(
            "[[allow]]\nports = ['80']\nfrom = {:?}\n[[allow]]\nports = ['81']\nfrom = ['192.0.2.1']",
            many()
        );
        let stages = stages(&text);
        let [guard, sources, nat] = &<[Plan; 3]>::try_from(stages).expect("three stages");
        let [_, rules, elements] = counts(guard);
        assert!(rules > 1 && elements < ELEMENTS_MAX, "{:?}", counts(guard));
        assert_eq!(counts(sources), [0, 0, many().len() - elements]);
        assert!(counts(nat)[0] > 0);
    }

    #[test]
    fn while_denied_sources_are_missing_nobody_is_allowed() {
        for peers in ["", "[guard]\nswarm-peers = ['192.0.2.5']\n"] {
            let deny = format!("[[deny]]\nfrom = {:?}\n", many());
            let stages = stages(&format!("{peers}{deny}[[allow]]\nports = ['81']\n"));
            let [guard, sources, _] = &<[Plan; 3]>::try_from(stages).expect("three stages");
            assert_eq!(counts(guard)[1], 0, "{:?}", counts(guard));
            assert!(counts(sources)[1] > 0);
        }
    }

    #[test]
    fn many_rules_come_after_the_guard() {
        let entry = |n| format!("[[allow]]\nports = ['{n}']\nfrom = ['192.0.2.1']\n");
        let counts_of = |number| {
            let text: String = (1..=number).map(entry).collect();
            stages(&text).iter().map(counts).collect::<Vec<_>>()
        };
        assert_eq!(counts_of(RULES_MAX / 2)[0][1], RULES_MAX / 2);
        let long = counts_of(2 * RULES_MAX);
        assert_eq!(long[0][1] + long[1][1], 2 * RULES_MAX);
        assert!((RULES_MAX / 2..RULES_MAX).contains(&long[0][1]), "{}", long[0][1]);
    }

    #[test]
    fn what_is_in_force_is_changed_at_once() {
        let text = format!("[[allow]]\nports = ['80']\nfrom = {:?}\n", many());
        let desired = compile(&Policy::parse(&text, "p", Path::new("")).expect("a policy"));
        let mut snapshot = Snapshot::default();
        for (dormant, expected) in [(false, 2), (true, 3)] {
            // Only the kernel knows how to delete what else is in the table.
            let has_foreign_objects = true;
            let table = InstalledTable { dormant, has_foreign_objects, ..Default::default() };
            snapshot.tables.insert(desired.owned_tables[0].clone(), table);
            assert_eq!(stages_from(&text, &snapshot).len(), expected, "{dormant}");
        }
    }

    #[test]
    fn without_a_guard_there_is_one_transaction() {
        let text = "[guard]\nenabled = false\n[[allow]]\nports = ['80']\n";
        assert_eq!(stages(text).len(), 1);
        assert_eq!(stages(&format!("{text}from = {:?}\n", many())).len(), 1);
    }
}
