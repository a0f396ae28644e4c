//! Others change the ruleset at the same time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::support::{Namespace, apply};
use super::{JUMPS, POLICY, rules};

const RULES: usize = 300;
const RULES_MAX: usize = 20_000;

#[test]
fn nothing_is_lost_beside_a_loop_of_iptables() {
    let host = Namespace::new();
    host.run(&["iptables", "-t", "nat", "-N", "OTHER"]);
    let policies = [POLICY, &POLICY.replace("192.0.2.2", "192.0.2.66")];
    let done = AtomicBool::new(false);
    let conflicts = AtomicUsize::new(0);

    thread::scope(|scope| {
        let applies = scope.spawn(|| {
            for policy in policies.iter().cycle().take_while(|_| !done.load(Ordering::Relaxed)) {
                let outcome = apply(&host, policy);
                assert_eq!(outcome["changed"], true, "{outcome}");
                let is_conflict = outcome["attempts"] != 1;
                conflicts.fetch_add(usize::from(is_conflict), Ordering::Relaxed);
            }
        });
        // Of the first rules every second one is deleted again. Then rules come and go until the
        // two sides have met.
        for number in 0..RULES_MAX {
            change(&host, "-A", number);
            if number % 2 == 0 || number >= RULES {
                change(&host, "-D", number);
            }
            let has_met = conflicts.load(Ordering::Relaxed) > 0;
            if applies.is_finished() || has_met && number >= RULES {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
        applies.join().expect("no apply to fail");
    });

    assert_ne!(conflicts.into_inner(), 0, "no apply had to start again, which shows nothing");
    let left: Vec<_> = (0..RULES).filter(|number| number % 2 == 1).map(rule).collect();
    assert_eq!(rules(&host, "OTHER"), left);
    assert_eq!(rules(&host, "PREROUTING"), JUMPS);
    apply(&host, POLICY);
    assert_eq!(apply(&host, POLICY)["changed"], false);
    let fresh = Namespace::new();
    apply(&fresh, POLICY);
    assert_eq!(rules(&host, "DOCKER-BLOCK"), rules(&fresh, "DOCKER-BLOCK"));
}

fn change(host: &Namespace, command: &str, number: usize) {
    let rule = rule(number);
    let rule: Vec<&str> = rule.split(' ').skip(1).collect();
    host.run(&[&["iptables", "-t", "nat", command], &rule[..]].concat());
}

/// As iptables prints it.
fn rule(number: usize) -> String {
    format!("-A OTHER -s 10.0.{}.{}/32 -j RETURN", number / 256, number % 256)
}
