//! Maps from ports to chains.

use super::*;
use crate::compile::{deny_counters, entry_counters, flat_ruleset, flat_snapshot};
use crate::model::{InstalledRule, InstalledTable, PortTarget, RuleContent};

/// Entries for one port each, which are too many for plain rules.
fn scattered() -> String {
    (0..70).map(|n| format!("[[allow]]\nname = 'e{n}'\nports = ['{}']\n", 1000 + 2 * n)).collect()
}

fn parse(text: &str) -> Policy {
    Policy::parse(text, "p", std::path::Path::new("")).expect("a policy")
}

fn elements(ruleset: &Ruleset, map: &str) -> Vec<String> {
    let map = ruleset.maps.iter().find(|it| &*it.path.set == map).expect("the map");
    map.elements.iter().map(ToString::to_string).collect()
}

fn own(ruleset: &Ruleset, chain: &str) -> Vec<String> {
    let chain = ruleset.chains.iter().find(|it| &*it.path.chain == chain).expect("the chain");
    chain.rules.iter().map(|desired| desired.rule.to_string()).collect()
}

#[test]
fn few_rules_need_no_map() {
    let text: String = scattered().split_inclusive("']\n").take(31 / 2).collect();
    let ruleset = compile(&parse(&text));
    assert!(ruleset.maps.is_empty());
    assert!(own(&ruleset, "DOCKER-BLOCK").len() > 1);
    assert!(matches!(flat_ruleset(&ruleset), std::borrow::Cow::Borrowed(_)));
}

#[test]
fn each_port_has_the_chain_of_its_entries() {
    let shared = "[[allow]]\nname = 'wide'\nports = ['1000-1004']\nfrom = ['192.0.2.1']\n\
                  [[allow]]\nname = 'three'\nports = ['1006']\n\
                  from = ['192.0.2.1', '192.0.2.2', '192.0.2.3']\n";
    let ruleset = compile(&parse(&(scattered() + shared)));
    let found = elements(&ruleset, "allowed-tcp");
    let starts = ["1000 : goto allowed-.shared-", "1001 : goto allowed-wide.1000-1004-tcp"];
    for (element, start) in found.iter().zip(starts) {
        assert!(element.starts_with(start), "{element}");
    }
    assert_eq!(found[6], "1008 : goto allowed-e4.1008-tcp");
    let accept = "counter accept comment \"e4\"";
    let rules = [format!("meta nfproto ipv4 {accept}"), format!("meta nfproto ipv6 {accept}")];
    assert_eq!(own(&ruleset, "allowed-e4.1008-tcp"), rules);
    let chain = |element: &str| element.split(" goto ").nth(1).expect("a chain").to_owned();
    let both = own(&ruleset, &chain(&found[0]));
    assert_eq!(both.len(), 3, "{both:?}");
    let with_jump = own(&ruleset, &chain(&found[5]));
    assert_eq!(with_jump.last().expect("a rule"), "counter jump allowed-three.1006-tcp");
    let allowed = own(&ruleset, "allowed");
    let lookup = "meta l4proto tcp counter ct original proto-dst vmap @allowed-tcp";
    assert_eq!(allowed[BY_HAND..], [lookup]);
    assert_eq!(own(&ruleset, "DOCKER-BLOCK"), ["-g DOCKER-BLOCK-GUARD"]);
}

#[test]
fn what_is_denied_is_never_admitted_by_a_grant() {
    let deny = |n| format!("[[deny]]\nports = ['{}']\nfrom = ['192.0.2.{n}']\n", 1000 + 2 * n);
    let all = "[[deny]]\nfrom = ['203.0.113.1']\n".to_owned();
    let ruleset = compile(&parse(&(all + &scattered() + &(1..80).map(deny).collect::<String>())));
    let allowed = own(&ruleset, "allowed");
    assert!(allowed[8].ends_with("ct original ip saddr 203.0.113.1 counter return"), "{allowed:?}");
    let lookup = "meta l4proto tcp counter ct original proto-dst vmap @denied-tcp";
    assert_eq!(allowed[9..], [lookup, "counter goto admitted"]);
    assert!(own(&ruleset, "admitted")[0].contains("@granted-ip "));
    let denied = own(&ruleset, "denied-.1002-tcp");
    let rule = "meta nfproto ipv4 ct original ip saddr 192.0.2.1 counter return";
    assert_eq!(denied, [rule, "counter goto admitted"]);
}

#[test]
fn many_ports_of_one_entry_share_a_chain() {
    let ports: Vec<String> = (0..100).map(|n| (1000 + 2 * n).to_string()).collect();
    let entry = format!("[[allow]]\nports = {ports:?}\nlimit = '9/second'\n");
    let policy = parse(&entry);
    let ruleset = compile(&policy);
    let found = elements(&ruleset, "allowed-tcp");
    assert_eq!(found.len(), 100);
    assert!(found.iter().all(|it| it.ends_with(" : goto allowed-.1000-tcp.more")), "{found:?}");
    assert_eq!(own(&ruleset, "limited-.1").len(), 4, "not two for each port");
    assert!(entry_counters(&policy, &Snapshot::default())[0].ports.is_empty());
}

#[test]
fn overlapping_ranges_do_not_multiply_rules() {
    let entry =
        |n| format!("[[deny]]\nports = ['{}-{}']\nfrom = ['192.0.2.{n}']\n", 100 + n, 60_000 - n);
    let ruleset = compile(&parse(&(0..200).map(entry).collect::<String>()));
    assert!(ruleset.maps.is_empty());
    assert_eq!(own(&ruleset, "allowed").len(), BY_HAND + 200);
}

/// The policy as it is installed: each rule of a chain counted one packet.
fn installed(policy: &Policy) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let ruleset = compile(policy);
    for chain in ruleset.chains {
        let rule = |desired: &DesiredRule| InstalledRule {
            handle: 1,
            content: RuleContent::Known(desired.rule.clone()),
            packets: 1,
            bytes: 60,
        };
        let table: &mut InstalledTable =
            snapshot.tables.entry(chain.path.table.clone()).or_default();
        let installed = table.chains.entry(chain.path.chain.clone()).or_default();
        installed.rules = chain.rules.iter().map(rule).collect();
    }
    for map in ruleset.maps {
        let table = snapshot.tables.get_mut(&map.path.table).expect("the table");
        table.maps.insert(map.path.set.clone(), map.elements);
    }
    snapshot
}

#[test]
fn rules_in_the_chains_of_maps_are_counted() {
    let shared = "[[allow]]\nname = 'wide'\nports = ['1000-1004', '99']\nfrom = ['192.0.2.1']\n";
    let deny = |n| format!("[[deny]]\nports = ['{}']\nfrom = ['192.0.2.{n}']\n", 1000 + 2 * n);
    let policy = parse(&(scattered() + shared + &(1..80).map(deny).collect::<String>()));
    let snapshot = installed(&policy);
    let counted = entry_counters(&policy, &snapshot);
    // For IPv4 and for IPv6.
    assert!(counted[..70].iter().all(|it| it.packets == 2 && it.ports[0].packets == 2));
    // Alone at 1001 and 1003, with others at 1000, 1002 and 1004, and alone at 99.
    let wide: Vec<u64> = counted[70].ports.iter().map(|it| it.packets).collect();
    assert_eq!((counted[70].packets, wide), (5, vec![4, 1]));
    assert!(deny_counters(&policy, &snapshot).iter().all(|it| it.packets == 1));
}

#[test]
fn foreign_elements_count_as_foreign_rules() {
    let mut snapshot = installed(&parse(&scattered()));
    let foreign = |snapshot: &Snapshot| {
        let flat = flat_snapshot(snapshot);
        let table = flat.tables.values().find(|table| table.chains.contains_key("allowed"));
        let rules = &table.expect("the table").chains["allowed"].rules;
        rules.iter().filter(|rule| rule.content.known().is_none()).count()
    };
    assert_eq!(foreign(&snapshot), 0);
    for table in snapshot.tables.values_mut() {
        for elements in table.maps.values_mut() {
            let other = PortTarget { first: 9, last: 9, chain: None };
            *elements = [&[other], &**elements].concat().into();
        }
    }
    assert_eq!(foreign(&snapshot), 1);
}
