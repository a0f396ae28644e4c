//! However many policies were applied before, the last one alone counts.

use super::super::support::{Namespace, Random, apply, dwnl};
use super::{hosts_in, policy, saved, sets, state};

const SEED: u64 = 3;
const POLICIES: usize = 36;
const FULL_RELOADS: usize = 60;

#[test]
fn the_state_after_many_policies_is_that_of_the_last_alone() {
    let mut random = Random::new(SEED);
    let host = Namespace::new();
    let mut largest = 0;
    for number in 0..POLICIES {
        let policy = match number {
            12 | 24 => policy(&hosts_in(number / 12, 20_000)),
            _ => random_policy(&mut random),
        };
        apply(&host, &policy);
        let fresh = Namespace::new();
        apply(&fresh, &policy);
        let state = state(&host);
        largest = largest.max(sets(&state).len());
        assert!(state == self::state(&fresh), "seed {SEED}, policy {number}:\n{policy}");
        assert_eq!(saved(&host), saved(&fresh), "seed {SEED}, policy {number}:\n{policy}");
        let again = apply(&host, &policy);
        assert_eq!(again["changed"], false, "seed {SEED}, policy {number}: {again}\n{policy}");
    }
    assert!(largest > 3, "the policies have few sets: {largest}");
}

/// A few groups around the size from which on they are sets, and entries that use some of them.
fn random_policy(random: &mut Random) -> String {
    let names: Vec<&str> = ["a", "b", "c"].into_iter().filter(|_| !random.is_one_in(3)).collect();
    let groups = names.iter().map(|name| format!("{name} = {:?}\n", sources(random)));
    let mut policy = format!("[sources]\n{}", groups.collect::<String>());
    for port in 0..random.below(4) {
        let mut from = if random.is_one_in(3) { sources(random) } else { Vec::new() };
        from.extend(names.iter().filter(|_| random.is_one_in(2)).map(ToString::to_string));
        let from = if from.is_empty() { String::new() } else { format!("from = {from:?}\n") };
        let condition = random.of(&["", "", "in-interface = \"eth1\"\n", "to = [\"192.0.2.1\"]\n"]);
        let port = format!("{}/{}", 1000 + port, random.of(&["tcp", "udp"]));
        policy += &format!("[[allow]]\nports = [\"{port}\"]\n{from}{condition}");
    }
    policy
}

/// Hosts, prefixes and ranges, some of which overlap.
fn sources(random: &mut Random) -> Vec<String> {
    let number = random.of(&[1, 62, 63, 64, 65, 66, 150, 300]);
    let is_mixed = random.is_one_in(2);
    let source = |_| {
        let (a, b) = (random.below(4), random.below(250));
        match if is_mixed { random.below(5) } else { 0 } {
            0 | 1 => format!("10.0.{a}.{b}"),
            2 => format!("2001:db8::{a}:{b}"),
            3 => format!("10.0.{a}.{}/30", b / 4 * 4),
            _ => format!("10.0.{a}.{b}-10.0.{a}.{}", b + random.below(5)),
        }
    };
    (0..number).map(source).collect()
}

/// Just after a large commit the kernel is not always able to list a set reliably.
#[test]
fn full_reloads_succeed_one_upon_the_other() {
    let host = Namespace::new();
    let policies = [policy(&hosts_in(1, 20_000)), policy(&hosts_in(2, 20_000))];
    for (number, policy) in policies.iter().cycle().take(FULL_RELOADS).enumerate() {
        let outcome = apply(&host, policy);
        assert!(outcome["added"].as_u64() >= Some(20_000), "reload {number}: {outcome}");
        let removed = if number == 0 { 0 } else { 20_000 };
        assert_eq!(outcome["removed"], removed, "reload {number}: {outcome}");
    }
    let last = &policies[(FULL_RELOADS - 1) % 2];
    dwnl(&host, &["plan", "--exit-code", "-f", "-"], last).succeeded();
    assert_eq!(sets(&state(&host)).iter().map(|(_, size)| size).sum::<usize>(), 20_000);
}
