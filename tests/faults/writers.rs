//! Others that change the ruleset at the same time.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::site::{LARGE, OTHER, SMALL, host, state};
use super::support::{Firewalld, Namespace, apply};

const ROUNDS: usize = 60;

#[test]
fn two_at_once_both_succeed_and_one_of_both_policies_stands() {
    let outcomes = [SMALL, LARGE].map(|action| state(&host(&[action])));
    let host = Namespace::new();
    let mut stood = [0; 2];
    for round in 0..ROUNDS {
        // So that both have something to change.
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
        stood[which.unwrap_or_else(|| panic!("round {round}: a third ruleset: {after:?}"))] += 1;
    }
    assert!(stood.iter().all(|times| *times > 0), "always the same came last: {stood:?}");
}

#[test]
fn nothing_is_lost_beside_a_loop_of_nft() {
    const ADD: &[&str] = &["nft", "-f", "-"];
    const LIST: &[&str] = &["nft", "list", "chain", "inet", "other", "OTHER"];
    let setup = "add table inet other\nadd chain inet other OTHER";
    beside(ADD, setup, |address| format!("add rule inet other OTHER ip saddr {address}"), LIST);
}

#[test]
fn nothing_is_lost_beside_a_loop_of_iptables_restore() {
    const ADD: &[&str] = &["iptables-restore", "--noflush"];
    const LIST: &[&str] = &["iptables", "-t", "nat", "-S", "OTHER"];
    let rule = |address: String| format!("*nat\n-A OTHER -s {address} -j RETURN\nCOMMIT\n");
    beside(ADD, "*nat\n:OTHER -\nCOMMIT\n", rule, LIST);
}

/// The most reloads of firewalld in which dwnl has to meet one of its changes.
const RELOADS_MAX: usize = 100;

#[test]
fn no_apply_fails_beside_reloads_of_firewalld() {
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
    assert_ne!(conflicts.into_inner(), 0, "no apply had to start again, which shows nothing");
    assert_eq!(firewalld.table(), table);
    apply(&host, LARGE.policy);
    assert_eq!(apply(&host, LARGE.policy)["changed"], false);
}

/// Applies one policy after the other until it is done, and counts the applies that met a change of
/// others.
fn alternate(host: &Namespace, done: &AtomicBool, conflicts: &AtomicUsize) {
    for action in [SMALL, LARGE].iter().cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
        let has_met = apply(host, action.policy)["attempts"] != 1;
        conflicts.fetch_add(usize::from(has_met), Ordering::Relaxed);
    }
}

/// The fewest rules that the other program adds, and the most: it goes on until dwnl has met one
/// of its changes between dump and commit.
const RULES: usize = 100;
const RULES_MAX: usize = 20_000;

/// Policies alternate while `add` is given one rule after the other; then `list` shows all of them,
/// and the next apply makes the policy stand.
fn beside(add: &[&str], setup: &str, rule: impl Fn(String) -> String, list: &[&str]) {
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
    assert_ne!(conflicts.into_inner(), 0, "no apply had to start again, which shows nothing");
    let listed = host.run(list);
    let left = listed.lines().filter(|line| line.contains("10.0.")).map(str::trim);
    let in_place = left.enumerate().filter(|(number, line)| line.contains(&address(*number)));
    assert_eq!(in_place.count(), added);
    apply(&host, LARGE.policy);
    assert_eq!(apply(&host, LARGE.policy)["changed"], false);
}

fn address(number: usize) -> String {
    format!("10.0.{}.{}", number / 256, number % 256)
}
