//! No transaction changes rules together with elements that the kernel shows to packets later.

use std::collections::HashSet;
use std::path::Path;

use super::*;
use crate::model::{Name, SetKind};
use crate::policy::strategies::{many_ports, policy};

/// Carries out what the engine commits, and checks each transaction. Returns how many there are.
fn carry_out(model: &mut Model, desired: &Ruleset) -> usize {
    let plan = Plan::diff(desired, &model.snapshot).expect("a plan");
    let interim = plan.interim(desired, &model.snapshot);
    let mut transactions = 0;
    for ruleset in interim.iter().chain([desired]) {
        let plan = Plan::diff(ruleset, &model.snapshot).expect("a plan");
        let all = plan.transactions();
        assert_eq!(all.concat().len(), plan.changes.len());
        for (index, changes) in all.iter().enumerate().filter(|(_, changes)| !changes.is_empty()) {
            check(changes, &model.snapshot, index == 0);
            check_order(changes, &model.snapshot);
            changes.iter().for_each(|change| model.change(change));
            transactions += 1;
        }
    }
    assert!(Plan::diff(desired, &model.snapshot).expect("a plan").is_empty());
    transactions
}

fn check(changes: &[Change], snapshot: &Snapshot, prepares: bool) {
    let recreated = changes.iter().any(|change| matches!(change, Change::DeleteTable { .. }));
    let own = snapshot.tables.iter().find(|(path, _)| &*path.table == "dwnl");
    let in_force: HashSet<&Name> =
        own.map(|(_, table)| table.looked_up()).filter(|_| !recreated).unwrap_or_default();
    let existing = |chain: &ChainPath| snapshot.chain(chain).is_some();
    let mut rules_change = false;
    let mut late: Vec<&Name> = Vec::new();
    let mut added: HashSet<&Name> = HashSet::new();
    for change in changes {
        match change {
            Change::AddElements { set, kind, .. } | Change::DeleteElements { set, kind, .. }
                if kind.is_intervals() =>
            {
                late.push(&set.set);
            }
            Change::ReplaceSet { kind, .. } => assert!(!kind.is_intervals()),
            Change::AddTargets { map, .. } => late.push(&map.set),
            Change::AddRule { chain, rule, .. } => {
                assert!(!prepares || !existing(chain), "{change:?}");
                rules_change |= existing(chain);
                added.extend(rule.as_nft().iter().flat_map(|rule| rule.sets()));
            }
            Change::RestoreRule { chain, .. }
            | Change::DeleteRule { chain, .. }
            | Change::FlushChain { chain, .. } => {
                assert!(!prepares, "{change:?}");
                let deleted =
                    |it: &Change| matches!(it, Change::DeleteChain(of) if **of == **chain);
                rules_change |= !changes.iter().any(deleted);
            }
            _ => {}
        }
    }
    if recreated {
        return;
    }
    for set in late {
        assert!(!(prepares || rules_change) || !in_force.contains(set), "{set}: {changes:#?}");
        let is_map = changes
            .iter()
            .any(|it| matches!(it, Change::AddTargets { map, .. } if map.set == *set));
        assert!(prepares || is_map || !added.contains(set), "{set}: {changes:#?}");
    }
}

/// Where rules in the nat tables change, no chain in front of them comes, and none behind them goes.
fn check_order(changes: &[Change], snapshot: &Snapshot) {
    let is_own = |table: &TablePath| &*table.table == "dwnl";
    let recreated =
        changes.iter().any(|change| matches!(change, Change::AddTable(it) if is_own(it)));
    let changes_nat = changes.iter().any(|it| it.rules_of().is_some_and(|it| !is_own(&it.table)));
    let goes = |change: &Change| match change {
        Change::DeleteChain(path) if is_own(&path.table) => {
            let base = snapshot.chain(path).and_then(InstalledChain::base);
            base.is_some_and(|base| base.priority != -101)
        }
        Change::DeleteTable { table, .. } if is_own(table) => {
            let chains = &snapshot.tables[table].chains;
            chains.values().any(|it| it.base().is_some_and(|base| base.priority != -101))
        }
        _ => false,
    };
    let comes = |change: &Change| match change {
        Change::AddChain(path, Some(base)) => is_own(&path.table) && base.priority == -101,
        _ => false,
    };
    if changes_nat && !recreated {
        assert!(!changes.iter().any(|it| comes(it) || goes(it)), "{changes:#?}");
    }
}

fn ruleset(text: &str) -> Ruleset {
    compile(&Policy::parse(text, "p", Path::new("")).expect("a policy"))
}

fn prefixes(number: u32) -> Vec<String> {
    (0..number).map(|n| format!("10.{}.{}.0/24", n / 64, n % 64 * 2)).collect()
}

/// A policy with an entry for this port and so many prefixes.
fn of(port: u16, number: u32) -> String {
    let from = prefixes(number);
    format!("[[allow]]\nname = 'web'\nports = ['{port}']\nfrom = {from:?}\n")
}

fn new_model() -> Model {
    Model { snapshot: Snapshot::default(), next_handle: 1 }
}

/// How many transactions lead from one policy to another.
fn transactions(before: &str, after: &str) -> usize {
    let mut model = new_model();
    carry_out(&mut model, &ruleset(before));
    carry_out(&mut model, &ruleset(after))
}

proptest! {
    #[test]
    fn any_policy_follows_any_other(policies in prop::collection::vec(policy(), 2..4)) {
        let mut model = new_model();
        for policy in &policies {
            carry_out(&mut model, &compile(policy));
        }
    }

    #[test]
    fn maps_follow_each_other(policies in prop::collection::vec(many_ports(), 2..4)) {
        let mut model = new_model();
        for policy in &policies {
            carry_out(&mut model, &compile(policy));
        }
    }

    #[test]
    fn intervals_follow_each_other(
        policies in prop::collection::vec(parts_of_policy(), 2..5),
    ) {
        let mut model = new_model();
        for (hosts, ranges, is_guarded) in &policies {
            carry_out(&mut model, &compile(&policy_of(hosts, ranges, *is_guarded)));
        }
    }
}

#[test]
fn most_changes_are_one_transaction() {
    let few = "[[allow]]\nports = ['80']\nfrom = ['192.0.2.1']\n";
    let more = "[[allow]]\nports = ['80', '443']\nfrom = ['192.0.2.1', '192.0.2.3']\n";
    assert_eq!(transactions(few, more), 1);
    // A list that changes while the rules stay.
    assert_eq!(transactions(&of(80, 100), &of(80, 200)), 1);
    assert_eq!(transactions(&of(80, 300), &of(80, 70)), 1);
}

#[test]
fn new_intervals_are_prepared() {
    assert_eq!(transactions("", &of(80, 100)), 2);
    assert_eq!(transactions(&of(80, 10), &of(80, 100)), 2);
    assert_eq!(transactions(&of(80, 100), &of(80, 10)), 1);
}

#[test]
fn rules_and_intervals_that_change_together_are_apart() {
    assert_eq!(transactions(&of(80, 100), &of(443, 101)), 4);
    assert_eq!(transactions(&of(80, 100), &of(443, 100)), 1);
}

#[test]
fn the_guard_goes_after_the_rules_of_the_nat_tables_have_changed() {
    let off = "[guard]\nenabled = false\n";
    let few = "[[allow]]\nports = ['80']\nfrom = ['192.0.2.1']\n";
    let hosts: Vec<String> = (0..100).map(|n| format!("10.0.0.{}", 2 * n)).collect();
    let many = format!("[[allow]]\nports = ['80']\nfrom = {hosts:?}\n");
    for (before, after, number) in [
        (few.to_owned(), few.to_owned() + off, 2),
        (few.to_owned() + off, few.to_owned(), 1),
        (few.to_owned() + off, many.clone() + off, 2),
        (many.clone() + off, few.to_owned() + off, 1),
        (many.clone(), many.clone() + off, 3),
        (many.clone() + off, many.clone(), 1),
    ] {
        assert_eq!(transactions(&before, &after), number, "{before} {after}");
    }
}

#[test]
fn what_was_prepared_can_be_undone() {
    let mut model = new_model();
    carry_out(&mut model, &ruleset(""));
    let (expected, desired) = (state(&model), ruleset(&of(80, 100)));
    let plan = Plan::diff(&desired, &model.snapshot).expect("a plan");
    let [prepared, ..] = plan.transactions();
    assert!(
        prepared.iter().any(|it| {
            matches!(it, Change::AddElements { kind: SetKind::Intervals { .. }, .. })
        })
    );
    prepared.iter().for_each(|change| model.change(change));
    assert_ne!(state(&model), expected);
    for mut change in plan.undo_preparation() {
        // Nobody reads how many there are.
        if let Change::DeleteSet { set, elements } = &mut change {
            *elements = model.set(set).elements.len();
        }
        model.change(&change);
    }
    assert_eq!(state(&model), expected);
}
