//! Policies that have no effect, and those that do.

use super::*;
use crate::model::{Action, AddressMatch, Family, PublishedPort, RuleFacts, TablePath};

fn policy(text: &str) -> Policy {
    Policy::parse(text, "p", std::path::Path::new("")).expect("a policy")
}

fn ports(text: &str) -> Ports {
    text.parse().expect("ports")
}

/// A Docker that publishes port 80 of a container as 81, over IPv4.
fn docker() -> Docker {
    let port = PublishedPort { address: None, family: Family::Inet, ports: ports("81") };
    Docker {
        has_rules: true,
        bridges: ["docker0".into()].into(),
        published: [port.clone()].into(),
        container_ports: [(port, 80)].into(),
        ..Docker::default()
    }
}

fn chain(name: &str) -> ChainPath {
    let table = TablePath { family: Family::Ip, table: "filter".into() };
    ChainPath { table, chain: name.into() }
}

/// A filter with these rules in one chain.
fn filter(rules: impl IntoIterator<Item = RuleFacts>) -> PacketFilter {
    let rules = rules.into_iter().map(|rule| (chain("DOCKER-USER"), rule)).collect();
    PacketFilter { path: chain("FORWARD"), rules, is_complete: false, drops: true }
}

fn rule(action: Action) -> RuleFacts {
    RuleFacts { action: Some(action), ..RuleFacts::default() }
}

fn from(network: &str, negated: bool) -> Option<AddressMatch> {
    Some(AddressMatch { network: network.parse().expect("a network"), negated })
}

fn by(interface: &str) -> Option<Interface> {
    Some(interface.parse().expect("an interface"))
}

/// Whether the filter drops what the policy allows.
fn drops(filter: PacketFilter, entry: &str) -> bool {
    let policy = policy(&format!("[[allow]]\nports = ['81']\n{entry}\n"));
    let host = HostFacts { filters: vec![filter], ..HostFacts::default() };
    let found = mismatches(&policy, &docker(), &host);
    found.iter().any(|it| matches!(it, Mismatch::Dropped { .. }))
}

#[test]
fn ports_that_docker_does_not_publish_are_found() {
    let found = |ports: &str, guard: &str, docker: &Docker| {
        let text = format!("[[allow]]\nports = {ports}\n[guard]\n{guard}\n");
        mismatches(&policy(&text), docker, &HostFacts::default())
    };
    let missing = |text, published_as| Mismatch::NotPublished { ports: ports(text), published_as };
    let container = missing("80", vec![ports("81")]);
    assert_eq!(found("['81', '80-90']", "", &docker()), []);
    assert_eq!(found("['80']", "", &docker()), std::slice::from_ref(&container));
    assert_eq!(
        found("['80/udp', '443']", "", &docker()),
        [missing("80/udp", vec![]), missing("443", vec![])]
    );
    assert_eq!(found("['80', '443']", "host-network = true", &docker()), [container]);
    assert_eq!(found("['443']", "", &Docker::default()), [], "Docker has not started yet");
    let unreadable = Docker { unreadable: ["x".to_owned()].into(), ..docker() };
    assert_eq!(found("['443']", "", &unreadable), []);
}

#[test]
fn interfaces_and_addresses_that_the_host_does_not_have_are_found() {
    let host = HostFacts {
        interfaces: ["lo".into(), "eth0".into()].into(),
        addresses: Some(vec!["192.0.2.1".parse().expect("an address")]),
        ..HostFacts::default()
    };
    let count = |entry: &str| {
        let policy = policy(&format!("[[allow]]\nports = ['81']\n{entry}\n"));
        mismatches(&policy, &docker(), &host).len()
    };
    for entry in ["in-interface = 'eth0'", "in-interface = 'eth+'", "in-interface = '!lo'"] {
        assert_eq!(count(entry), 0, "{entry}");
    }
    for entry in ["in-interface = 'eth1'", "in-interface = 'wg+'", "in-interface = '!docker0'"] {
        assert_eq!(count(entry), 1, "{entry}");
    }
    assert_eq!(count("to = ['192.0.2.0/24']"), 0);
    assert_eq!(count("to = ['192.0.2.1', '192.0.2.2-192.0.2.9', '2001:db8::1']"), 2);
}

#[test]
fn a_rule_that_drops_everything_is_found() {
    assert!(drops(filter([rule(Action::Drop)]), ""));
    assert!(drops(filter([rule(Action::Reject)]), "from = ['192.0.2.0/24']"));
    let uplink = RuleFacts { in_interface: by("eth0"), ..rule(Action::Drop) };
    assert!(drops(filter([uplink.clone()]), ""));
    assert!(drops(filter([uplink.clone()]), "in-interface = 'eth0'"));
    assert!(!drops(filter([uplink]), "in-interface = 'eth1'"));
    let ongoing = RuleFacts { is_ongoing: true, ..rule(Action::Return) };
    assert!(drops(filter([ongoing, rule(Action::Drop)]), ""), "it returns no new flow");
    for inside in ["docker0", "veth+", "lo"] {
        let rule = RuleFacts { in_interface: by(inside), ..rule(Action::Drop) };
        assert!(!drops(filter([rule]), ""), "{inside}");
    }
}

#[test]
fn a_rule_for_single_sources_is_found_only_if_it_drops_all_of_an_entry() {
    let except = RuleFacts { source: from("192.0.2.0/24", true), ..rule(Action::Drop) };
    assert!(drops(filter([except.clone()]), ""));
    assert!(drops(filter([except.clone()]), "from = ['198.51.100.1', '192.0.2.1']"));
    assert!(!drops(filter([except]), "from = ['192.0.2.0/25']"));
    let listed = RuleFacts { source: from("192.0.2.0/24", false), ..rule(Action::Drop) };
    assert!(!drops(filter([listed.clone()]), ""), "a list of blocked sources");
    assert!(!drops(filter([listed.clone()]), "from = ['192.0.2.1', '198.51.100.1']"));
    assert!(drops(filter([listed]), "from = ['192.0.2.1', '192.0.2.128/25']"));
}

#[test]
fn what_an_earlier_rule_may_let_through_is_not_certain() {
    let some = RuleFacts { source: from("192.0.2.0/24", false), ..rule(Action::Return) };
    assert!(!drops(filter([some.clone(), rule(Action::Drop)]), "from = ['192.0.2.1']"));
    assert!(drops(filter([some, rule(Action::Drop)]), "from = ['192.0.2.1', '198.51.100.1']"));
    let port = RuleFacts { ports: Some(ports("81")), protocol: Some(6), ..rule(Action::Accept) };
    assert!(!drops(filter([port, rule(Action::Drop)]), ""));
    let narrow = RuleFacts { destination: from("172.17.0.2/32", false), ..rule(Action::Drop) };
    assert!(!drops(filter([narrow]), ""));
}

#[test]
fn the_policy_of_a_chain_counts_if_all_its_rules_are_understood() {
    assert!(!drops(filter([]), ""));
    assert!(drops(PacketFilter { is_complete: true, ..filter([]) }, ""));
    assert!(!drops(PacketFilter { is_complete: true, drops: false, ..filter([]) }, ""));
    let accepts = filter([rule(Action::Accept)]);
    assert!(!drops(PacketFilter { is_complete: true, ..accepts }, ""));
}

#[test]
fn a_port_that_docker_proxy_receives_is_not_forwarded() {
    let host = HostFacts {
        filters: vec![PacketFilter {
            path: ChainPath {
                table: TablePath { family: Family::Ip6, table: "filter".into() },
                chain: "FORWARD".into(),
            },
            rules: Vec::new(),
            is_complete: true,
            drops: true,
        }],
        ..HostFacts::default()
    };
    assert_eq!(mismatches(&policy("[[allow]]\nports = ['81']\n"), &docker(), &host), []);
}
