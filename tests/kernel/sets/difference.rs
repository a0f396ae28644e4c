//! An apply changes only the elements that differ.

use serde_json::Value;

use super::super::support::{Monitor, Namespace, Topology, apply, count, dwnl, remove, udp};
use super::super::{UNGUARDED, rules, ruleset};
use super::{LARGE, hosts, policy, saved, sets, state};

#[test]
fn a_second_apply_sends_nothing() {
    let host = Namespace::new();
    let policy = policy(&hosts(1000));
    let first = apply(&host, &policy);
    let before = ruleset(&host);
    let mut monitor = Monitor::new(&host);

    let second = apply(&host, &policy);
    assert_eq!(counts(&second), (false, 0, 0), "{second}");
    assert_eq!(count(&second, "unchanged"), count(&first, "added"), "{first}\n{second}");
    assert_eq!(monitor.events(), "");
    assert_eq!(ruleset(&host), before);
    dwnl(&host, &["plan", "--exit-code", "-f", "-"], &policy).succeeded();
}

#[test]
fn one_source_changes_one_element() {
    let host = Namespace::new();
    let (all, less) = (hosts(1000), hosts(999));
    apply(&host, &policy(&less));
    let mut monitor = Monitor::new(&host);

    let added = apply(&host, &policy(&all));
    assert_eq!(counts(&added), (true, 1, 0), "{added}");
    let event = format!("element inet dwnl many-4 {{ {} }}", all[999]);
    assert_eq!(monitor.events(), format!("add {event}"));
    let removed = apply(&host, &policy(&less));
    assert_eq!(counts(&removed), (true, 0, 1), "{removed}");
    assert_eq!(monitor.events(), format!("delete {event}"));

    let mut other = less.clone();
    other[500] = all[999].clone();
    let changed = apply(&host, &policy(&other));
    assert_eq!(counts(&changed), (true, 1, 1), "{changed}");
    assert_eq!(monitor.events().lines().count(), 2);
}

#[test]
fn one_prefix_changes_one_element() {
    let host = Namespace::new();
    let prefixes: Vec<String> = (0..200).map(|n| format!("10.0.{n}.0/25")).collect();
    apply(&host, &policy(&prefixes[1..]));
    let added = apply(&host, &policy(&prefixes));
    assert_eq!(counts(&added), (true, 1, 0), "{added}");
    let removed = apply(&host, &policy(&prefixes[..199]));
    assert_eq!(counts(&removed), (true, 0, 1), "{removed}");
    let reference = Namespace::new();
    apply(&reference, &policy(&prefixes[..199]));
    assert_eq!(state(&host), state(&reference));
}

fn counts(outcome: &Value) -> (bool, u64, u64) {
    (outcome["has_changes"] == true, count(outcome, "added"), count(outcome, "removed"))
}

#[test]
fn rules_keep_their_handles_and_counters_when_elements_change() {
    let Topology { host, client } = Topology::new();
    let policy = |number| {
        let mut sources = hosts(number);
        sources.push(Topology::ALLOWED.to_owned());
        policy(&sources).replace("443/tcp", "443/udp")
    };
    let rule = || {
        let listing = host.run(&["nft", "--handle", "list", "chain", "inet", "dwnl", "allow"]);
        let line = listing.lines().find(|line| line.contains("@many-4"));
        line.unwrap_or_else(|| panic!("no rule in\n{listing}")).to_owned()
    };
    apply(&host, &policy(100));
    assert!(rule().contains("packets 0 "), "{}", rule());
    // No server is needed: the rule sees the packet before it is answered.
    udp(&client, Topology::ALLOWED, Topology::HOST, 443);
    let counted = rule();
    assert!(counted.contains("packets 1 "), "{counted}");
    for number in [101, 190, 100] {
        apply(&host, &policy(number));
        assert_eq!(rule(), counted);
    }
    // Enough elements are removed that the set is replaced, together with the rule that looks it
    // up.
    apply(&host, &policy(4000));
    apply(&host, &policy(70));
    let restored = rule();
    assert_ne!(restored, counted);
    assert!(restored.contains("packets 1 bytes 32 "), "{restored}");
    let fresh = Namespace::new();
    apply(&fresh, &policy(70));
    assert_eq!(sets(&state(&host)), sets(&state(&fresh)));
}

#[test]
fn a_group_becomes_a_set_and_rules_again() {
    let host = Namespace::new();
    for number in [LARGE - 1, LARGE, LARGE + 1, LARGE, LARGE - 1, LARGE, 0, LARGE, LARGE - 1] {
        let policy = if number == 0 { UNGUARDED.to_owned() } else { policy(&hosts(number)) };
        apply(&host, &policy);
        let is_set = number >= LARGE;
        let expected = if is_set { vec![("many-4".to_owned(), number)] } else { Vec::new() };
        assert_eq!(sets(&state(&host)), expected);
        let rules_expected = if is_set { 1 } else { number };
        assert_eq!(rules(&host, "DOCKER-BLOCK").len(), rules_expected);
        assert_eq!(host.run(&["nft", "list", "tables"]).contains("dwnl"), is_set);
        let fresh = Namespace::new();
        apply(&fresh, &policy);
        assert_eq!(state(&host), state(&fresh));
        assert_eq!(saved(&host), saved(&fresh));
    }
}

#[test]
fn remove_restores_the_previous_ruleset() {
    let host = Namespace::new();
    let docker =
        "*nat\n:DOCKER - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\nCOMMIT\n";
    host.try_run(&["iptables-restore"], docker).succeeded();
    host.run(&["nft", "add table inet other; add set inet other many-4 { type ipv4_addr; }"]);
    let before = ruleset(&host);
    for number in [LARGE, 20_000] {
        let added = apply(&host, &policy(&hosts(number)));
        assert_ne!(ruleset(&host), before);
        assert!(count(&added, "added") > number as u64, "{added}");
        remove(&host);
        assert_eq!(ruleset(&host), before);
    }
}
