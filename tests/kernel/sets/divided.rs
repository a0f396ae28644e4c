//! Prefixes and ranges that are too many for one set.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use super::super::UNGUARDED;
use super::super::support::{Namespace, apply, count, dwnl};
use super::{group, hosts, policy, saved, sets, state, state_of};

/// The number above which they are divided.
const UNDIVIDED_MAX: u32 = 4096;

/// Prefixes with gaps between them; beyond 8,192 also one that lies in both halves of 10.0.0.0/8.
fn prefixes(number: u32) -> Vec<String> {
    let prefix = |n: u32| match n {
        8191 => "10.127.252.0-10.128.0.9".to_owned(),
        8192 => "10.128.2.0/25".to_owned(),
        _ => format!("{}/25", Ipv4Addr::from((10 << 24) + n * 1024)),
    };
    (0..number).map(prefix).collect()
}

fn prefixes6(number: u128) -> Vec<String> {
    let prefix = |n: u128| format!("{}/64", Ipv6Addr::from((0x2001_0db8 << 96) + (n << 65)));
    (0..number).map(prefix).collect()
}

fn guarded(sources: &[String]) -> String {
    format!("{}\n[[allow]]\nports = [\"443/tcp\"]\nfrom = [\"many\"]\n", group(sources))
}

#[test]
fn one_prefix_changes_one_of_many_sets() {
    let host = Namespace::new();
    let (all, mut less) = (prefixes(9000), prefixes(9000));
    less.remove(3000);
    apply(&host, &guarded(&less));
    let before = state(&host);
    assert!(sets(&before).len() > 2, "{:?}", sets(&before));

    let added = apply(&host, &guarded(&all));
    assert_eq!((count(&added, "added"), count(&added, "removed")), (1, 0), "{added}");
    let after = state(&host);
    let is_changed = |object: &&Value| !before.contains(object);
    let changed: Vec<&Value> = after.iter().filter(is_changed).collect();
    let name = changed[0]["set"]["name"].as_str().unwrap_or_default();
    assert!(changed.len() == 1 && name.starts_with("many-4-intervals."), "{name}");

    let again = apply(&host, &guarded(&all));
    assert_eq!(again["has_changes"], false, "{again}");
}

#[test]
fn a_group_is_divided_and_joined_again() {
    let host = Namespace::new();
    for number in [UNDIVIDED_MAX, UNDIVIDED_MAX + 1, 9000, UNDIVIDED_MAX] {
        for policy in [policy(&prefixes(number)), guarded(&prefixes(number))] {
            let fresh = Namespace::new();
            apply(&host, &policy);
            apply(&fresh, &policy);
            let state = state(&host);
            assert!(state == self::state(&fresh), "{number}");
            assert_eq!(saved(&host), saved(&fresh), "{number}");
            let is_divided = sets(&state).iter().any(|(name, _)| name.contains("-intervals."));
            assert_eq!(is_divided, number > UNDIVIDED_MAX, "{:?}", sets(&state));
        }
    }
}

#[test]
fn nft_loads_the_printed_sets_identically() {
    let sources = [prefixes(9000), prefixes6(5000), hosts(5000)].concat();
    for policy in [format!("{UNGUARDED}{}", guarded(&sources)), guarded(&sources)] {
        let (dwnl_host, reference) = (Namespace::new(), Namespace::new());
        apply(&dwnl_host, &policy);
        let text = dwnl(&dwnl_host, &["rules", "--nft", "-f", "-"], &policy).succeeded();
        reference.try_run(&["nft", "-f", "-"], &text).succeeded();
        let state = of_group(&dwnl_host);
        for start in ["many-4-intervals.", "many-6-intervals.", "many-4."] {
            assert!(sets(&state).iter().any(|(name, _)| name.starts_with(start)), "{start}");
        }
        assert_eq!(differing(&state, &of_group(&reference)), [""; 0]);
        // dwnl has nothing to change in what nft loaded.
        apply(&reference, &policy);
        assert_eq!(differing(&state, &of_group(&reference)), [""; 0]);
    }
}

/// The sets of the group and the rules that look them up. Other rules depend on the host.
fn of_group(host: &Namespace) -> Vec<Value> {
    let mut state = state_of(host, &["table", "inet", "dwnl"]);
    state.retain(|object| object.to_string().contains("many-"));
    state
}

/// The beginnings of the objects that are not the same in both.
fn differing(one: &[Value], other: &[Value]) -> Vec<String> {
    let text = |object: &Value| object.to_string().chars().take(500).collect();
    let changed = one.iter().zip(other).filter(|(one, other)| one != other);
    let rest = one.len().min(other.len());
    let added = one[rest..].iter().chain(&other[rest..]);
    changed.flat_map(|(one, other)| [one, other]).chain(added).map(text).collect()
}
