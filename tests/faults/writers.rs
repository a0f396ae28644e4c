//! Other programs that change the ruleset at the same time.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::site::{LARGE, OTHER, SMALL, host, state};
use super::support::{Firewalld, Namespace, apply};

const ROUNDS: usize = 60;

#[test]
fn two_at_once_both_succeed_and_one_policy_is_in_force() {
    let outcomes = [SMALL, LARGE].map(|action| state(&host(&[action])));
    let host = Namespace::new();
    let mut wins = [0; 2];
    for round in 0..ROUNDS {
        // Gives both applies something to change.
        OTHER.run(&host).succeeded();
        let start = Barrier::new(2);
        thread::scope(|scope| {
            for action in [SMALL, LARGE] {
                let (host, start) = (&host, &start);
                scope.spawn(move || {
                    start.wait();
                    action.run(host).succeeded();
                });
            }
        });
        let after = state(&host);
        let which = outcomes.iter().position(|outcome| *outcome == after);
        wins[which.unwrap_or_else(|| panic!("round {round}: a third ruleset: {after:?}"))] += 1;
    }
    assert!(wins.iter().all(|times| *times > 0), "the same apply always came last: {wins:?}");
}

#[test]
fn no_change_is_lost_during_a_loop_of_nft() {
    const ADD: &[&str] = &["nft", "-f", "-"];
    const LIST: &[&str] = &["nft", "list", "chain", "inet", "other", "OTHER"];
    let setup = "add table inet other\nadd chain inet other OTHER";
    run_concurrently(
        ADD,
        setup,
        |address| format!("add rule inet other OTHER ip saddr {address}"),
        LIST,
    );
}

#[test]
fn no_change_is_lost_during_a_loop_of_iptables_restore() {
    const ADD: &[&str] = &["iptables-restore", "--noflush"];
    const LIST: &[&str] = &["iptables", "-t", "nat", "-S", "OTHER"];
    let rule = |address: String| format!("*nat\n-A OTHER -s {address} -j RETURN\nCOMMIT\n");
    run_concurrently(ADD, "*nat\n:OTHER -\nCOMMIT\n", rule, LIST);
}

/// Maximum number of firewalld reloads until an apply has met a conflict.
const RELOADS_MAX: usize = 100;

#[test]
fn no_apply_fails_during_reloads_of_firewalld() {
    let host = Namespace::new();
    let firewalld = Firewalld::start(&host);
    let table = firewalld.table();
    let (done, conflicts) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let applies = scope.spawn(|| alternate(&host, &done, &conflicts));
        for reloads in 1..=RELOADS_MAX {
            firewalld.reload();
            if applies.is_finished() || reloads >= 5 && conflicts.load(Ordering::Relaxed) > 0 {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
        applies.join().expect("no apply to fail");
    });
    assert_ne!(conflicts.into_inner(), 0, "no apply was retried, so the test proves nothing");
    assert_eq!(firewalld.table(), table);
    apply(&host, LARGE.policy);
    assert_eq!(apply(&host, LARGE.policy)["has_changes"], false);
}

/// Applies the two policies in turn until `done`, and counts the applies that met a conflict.
fn alternate(host: &Namespace, done: &AtomicBool, conflicts: &AtomicUsize) {
    for action in [SMALL, LARGE].iter().cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
        let has_conflict = apply(host, action.policy)["attempts"] != 1;
        conflicts.fetch_add(usize::from(has_conflict), Ordering::Relaxed);
    }
}

/// Minimum and maximum number of rules that the other program adds. It stops once an apply has met
/// a conflict.
const RULES: usize = 100;
const RULES_MAX: usize = 20_000;

/// Alternates policies while `add` adds one rule after the other. Asserts that `list` then shows
/// all rules, and that the next apply puts its policy in force.
fn run_concurrently(add: &[&str], setup: &str, rule: impl Fn(String) -> String, list: &[&str]) {
    let host = Namespace::new();
    host.try_run(add, setup).succeeded();
    let done = AtomicBool::new(false);
    let conflicts = AtomicUsize::new(0);
    let added = thread::scope(|scope| {
        let applies = scope.spawn(|| alternate(&host, &done, &conflicts));
        let mut added = 0;
        while !applies.is_finished() && added < RULES_MAX {
            if added >= RULES && conflicts.load(Ordering::Relaxed) > 0 {
                break;
            }
            host.try_run(add, &rule(address(added))).succeeded();
            added += 1;
        }
        done.store(true, Ordering::Relaxed);
        applies.join().expect("no apply to fail");
        added
    });
    assert_ne!(conflicts.into_inner(), 0, "no apply was retried, so the test proves nothing");
    let listed = host.run(list);
    let remaining = listed.lines().filter(|line| line.contains("10.0.")).map(str::trim);
    let in_place = remaining.enumerate().filter(|(number, line)| line.contains(&address(*number)));
    assert_eq!(in_place.count(), added);
    apply(&host, LARGE.policy);
    assert_eq!(apply(&host, LARGE.policy)["has_changes"], false);
}

fn address(number: usize) -> String {
    format!("10.0.{}.{}", number / 256, number % 256)
}
