//! Other programs change the ruleset during an apply.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::support::{Namespace, apply};
use super::{JUMPS, POLICY, rules};

const RULES: usize = 300;
const RULES_MAX: usize = 20_000;

#[test]
fn no_change_is_lost_during_concurrent_iptables_calls() {
    let host = Namespace::new();
    host.run(&["iptables", "-t", "nat", "-N", "OTHER"]);
    let policies = [POLICY, &POLICY.replace("192.0.2.2", "192.0.2.66")];
    let done = AtomicBool::new(false);
    let conflicts = AtomicUsize::new(0);

    thread::scope(|scope| {
        let applies = scope.spawn(|| {
            for policy in policies.iter().cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
                let outcome = apply(&host, policy);
                assert_eq!(outcome["has_changes"], true, "{outcome}");
                let is_conflict = outcome["attempts"] != 1;
                conflicts.fetch_add(usize::from(is_conflict), Ordering::Relaxed);
            }
        });
        // Every second one of the first `RULES` rules is deleted again. After these, rules are
        // added and deleted until an apply has met a conflict.
        for number in 0..RULES_MAX {
            change(&host, "-A", number);
            if number % 2 == 0 || number >= RULES {
                change(&host, "-D", number);
            }
            let has_conflict = conflicts.load(Ordering::Relaxed) > 0;
            if applies.is_finished() || has_conflict && number >= RULES {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
        applies.join().expect("no apply to fail");
    });

    assert_ne!(conflicts.into_inner(), 0, "no apply was retried, so the test proves nothing");
    let remaining: Vec<_> = (0..RULES).filter(|number| number % 2 == 1).map(rule).collect();
    assert_eq!(rules(&host, "OTHER"), remaining);
    assert_eq!(rules(&host, "PREROUTING"), JUMPS);
    apply(&host, POLICY);
    assert_eq!(apply(&host, POLICY)["has_changes"], false);
    let fresh = Namespace::new();
    apply(&fresh, POLICY);
    assert_eq!(rules(&host, "DOCKER-BLOCK"), rules(&fresh, "DOCKER-BLOCK"));
}

fn change(host: &Namespace, command: &str, number: usize) {
    let rule = rule(number);
    let rule: Vec<&str> = rule.split(' ').skip(1).collect();
    host.run(&[&["iptables", "-t", "nat", command], &rule[..]].concat());
}

/// The rule, as iptables prints it.
fn rule(number: usize) -> String {
    format!("-A OTHER -s 10.0.{}.{}/32 -j RETURN", number / 256, number % 256)
}
