//! Others change the ruleset at the same time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::support::{Namespace, apply};
use super::{JUMPS, POLICY, rules};

const RULES: usize = 300;

#[test]
fn nothing_is_lost_beside_a_loop_of_iptables() {
    let host = Namespace::new();
    host.run(&["iptables", "-t", "nat", "-N", "OTHER"]);
    let policies = [POLICY, &POLICY.replace("192.0.2.2", "192.0.2.66")];
    let done = AtomicBool::new(false);

    let applies = thread::scope(|scope| {
        let applies = scope.spawn(|| {
            let mut applies = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(apply(&host, policies[applies % 2])["changed"], true);
                applies += 1;
            }
            applies
        });
        // Every rule is added, every second one deleted again.
        for number in 0..RULES {
            change(&host, "-A", number);
            if number % 2 == 0 {
                change(&host, "-D", number);
            }
        }
        done.store(true, Ordering::Relaxed);
        applies.join().expect("no apply to fail")
    });

    assert!(applies > 10, "{applies} applies beside {RULES} rules show nothing");
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
