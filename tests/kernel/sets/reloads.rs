//! The state depends only on the policy that was applied last.

use serde_json::Value;

use super::super::UNGUARDED;
use super::super::support::{Namespace, Random, apply, count, dwnl};
use super::{hosts_in, policy, saved, sets, state};

const SEED: u64 = 3;
const POLICIES: usize = 36;
const FULL_RELOADS: usize = 60;

#[test]
fn the_state_depends_only_on_the_last_policy() {
    let mut random = Random::new(SEED);
    let host = Namespace::new();
    let mut current = Policy::random(&mut random);
    let (mut largest, mut small_steps) = (0, 0);
    for number in 0..POLICIES {
        let policy = match number {
            12 | 24 => policy(&hosts_in(number / 12, 20_000)),
            _ => {
                current = current.next(&mut random);
                current.text()
            }
        };
        let outcome = apply(&host, &policy);
        small_steps += usize::from(is_small_step(&outcome));
        let fresh = Namespace::new();
        apply(&fresh, &policy);
        let state = state(&host);
        largest = largest.max(sets(&state).len());
        assert!(state == self::state(&fresh), "seed {SEED}, policy {number}:\n{policy}");
        assert_eq!(saved(&host), saved(&fresh), "seed {SEED}, policy {number}:\n{policy}");
        let again = apply(&host, &policy);
        assert_eq!(again["has_changes"], false, "seed {SEED}, policy {number}: {again}\n{policy}");
    }
    assert!(largest > 3, "the policies have few sets: {largest}");
    assert!(small_steps > POLICIES / 5, "few policies differ by little: {small_steps}");
}

/// Whether elements were added and removed, but far more were kept.
fn is_small_step(outcome: &Value) -> bool {
    let [added, removed, unchanged] =
        ["added", "removed", "unchanged"].map(|what| count(outcome, what));
    added > 0 && removed > 0 && unchanged > 2 * (added + removed)
}

/// A few groups with sizes around the threshold for sets, and entries that use some of them.
struct Policy {
    guard: &'static str,
    groups: Vec<(&'static str, Vec<String>)>,
    entries: String,
}

impl Policy {
    fn random(random: &mut Random) -> Policy {
        let names = ["a", "b", "c"].into_iter().filter(|_| !random.is_one_in(3));
        let names: Vec<&str> = names.collect();
        let groups: Vec<_> = names.iter().map(|name| (*name, sources(random))).collect();
        let mut entries = String::new();
        for port in 0..1 + random.below(3) {
            let mut from = if random.is_one_in(3) { sources(random) } else { Vec::new() };
            from.extend(names.iter().filter(|_| random.is_one_in(2)).map(ToString::to_string));
            let from = if from.is_empty() { String::new() } else { format!("from = {from:?}\n") };
            let condition =
                random.of(&["", "", "in-interface = \"eth1\"\n", "to = [\"192.0.2.1\"]\n"]);
            let port = format!("{}/{}", 1000 + port, random.of(&["tcp", "udp"]));
            entries += &format!("[[allow]]\nports = [\"{port}\"]\n{from}{condition}");
        }
        Policy { guard: random.of(&["", UNGUARDED]), groups, entries }
    }

    /// A new policy, or this one with a few sources replaced.
    fn next(mut self, random: &mut Random) -> Policy {
        if random.is_one_in(5) {
            return Policy::random(random);
        }
        for (_, sources) in &mut self.groups {
            let first = 1 + random.below(sources.len());
            let end = sources.len().min(first + random.below(4));
            let others = 1 + random.below(3);
            let others: Vec<String> = (0..others).map(|_| source(random, true)).collect();
            sources.splice(first..end, others);
        }
        self
    }

    fn text(&self) -> String {
        let groups = self.groups.iter().map(|(name, sources)| format!("{name} = {sources:?}\n"));
        format!("{}[sources]\n{}{}", self.guard, groups.collect::<String>(), self.entries)
    }
}

/// Hosts, the first with an IPv4 address, and possibly prefixes and ranges, some of which overlap.
fn sources(random: &mut Random) -> Vec<String> {
    let number = random.of(&[1, 62, 63, 64, 65, 66, 150, 300]);
    let is_mixed = random.is_one_in(2);
    (0..number).map(|index| source(random, is_mixed && index > 0)).collect()
}

fn source(random: &mut Random, is_mixed: bool) -> String {
    let (a, b) = (random.below(4), random.below(250));
    match if is_mixed { random.below(5) } else { 0 } {
        0 | 1 => format!("10.0.{a}.{b}"),
        2 => format!("2001:db8::{a}:{b}"),
        3 => format!("10.0.{a}.{}/30", b / 4 * 4),
        _ => format!("10.0.{a}.{b}-10.0.{a}.{}", b + random.below(5)),
    }
}

/// Immediately after a large commit the kernel cannot always list a set reliably.
#[test]
fn consecutive_full_reloads_succeed() {
    let host = Namespace::new();
    let policies = [policy(&hosts_in(1, 20_000)), policy(&hosts_in(2, 20_000))];
    for (number, policy) in policies.iter().cycle().take(FULL_RELOADS).enumerate() {
        let outcome = apply(&host, policy);
        assert!(count(&outcome, "added") >= 20_000, "reload {number}: {outcome}");
        let removed = if number == 0 { 0 } else { 20_000 };
        assert_eq!(count(&outcome, "removed"), removed, "reload {number}: {outcome}");
    }
    let last = &policies[(FULL_RELOADS - 1) % 2];
    dwnl(&host, &["plan", "--exit-code", "-f", "-"], last).succeeded();
    assert_eq!(sets(&state(&host)).iter().map(|(_, size)| size).sum::<usize>(), 20_000);
}
