//! Many published ports: which are in sets, and what is known of them afterwards.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::known::{known_ports, unknown_ports};
use super::super::published::PublishedRules;
use super::super::retained::retained_ports;
use super::super::{compile, own_table, resolve};
use super::published;
use crate::docker::PortIndex;
use crate::model::{
    Docker, Family, HostState, InstalledChain, InstalledRule, InstalledSet, Listener, Ports,
    Protocol, PublishedPort, RuleContent, Snapshot,
};
use crate::policy::Policy;

/// What is installed after an apply on a host whose Docker publishes these ports.
fn installed(published: &BTreeSet<PublishedPort>) -> Snapshot {
    let docker = Docker { published: published.clone(), ..Docker::default() };
    let before = Snapshot { docker, ..Snapshot::default() };
    let ruleset = resolve(&compile(&Policy::default()), &before).expect("a ruleset");
    let mut snapshot = Snapshot::default();
    let table = snapshot.tables.entry(own_table()).or_default();
    for chain in ruleset.chains.iter().filter(|it| it.path.table == own_table()) {
        let rules = chain.rules.iter().map(|desired| InstalledRule {
            handle: 1,
            content: RuleContent::Known(desired.rule.clone()),
            packets: 0,
            bytes: 0,
        });
        let chain_of = InstalledChain { rules: rules.collect(), ..InstalledChain::default() };
        table.chains.insert(chain.path.chain.clone(), chain_of);
    }
    for set in &ruleset.sets {
        let kind = Some(set.kind);
        let read = InstalledSet { kind, elements: set.elements.clone() };
        table.sets.insert(set.path.set.clone(), read);
    }
    snapshot
}

fn on(address: &str, published: PublishedPort) -> PublishedPort {
    let address: ipnetwork::IpNetwork = address.parse().expect("an address");
    let family = if address.is_ipv4() { Family::Ip } else { Family::Ip6 };
    PublishedPort { address: Some(address), family, ..published }
}

fn texts(published: &BTreeSet<PublishedPort>) -> Vec<String> {
    PublishedRules::of(published).rules.iter().map(|it| it.rule.to_string()).collect()
}

#[test]
fn few_ports_are_rules_and_many_are_in_sets() {
    let single = |port| published(Family::Inet, port);
    let few: BTreeSet<_> = (0..15).map(|n| single(1000 + 2 * n)).collect();
    assert_eq!(texts(&few).len(), 15);
    assert!(PublishedRules::of(&few).sets.is_empty());

    let range = Ports::new(Protocol::Tcp, 20_000, 29_999).expect("ports");
    let mut many = few.clone();
    many.insert(single(1030));
    many.insert(PublishedPort { ports: range, ..single(1) });
    many.extend((0..20).map(|n| on("203.0.113.5", single(80 + 2 * n))));
    many.extend((0..20).map(|n| on("2001:db8::5", single(80 + 2 * n))));
    many.insert(on("198.51.100.0/24", single(7000)));
    many.insert(published(Family::Ip6, 443));
    assert_eq!(
        texts(&many),
        [
            "meta l4proto . th dport @docker-ports counter goto proxied",
            "ip daddr . meta l4proto . th dport @docker-bound-ip counter goto proxied",
            "ip6 daddr . meta l4proto . th dport @docker-bound-ip6 counter goto \
             proxied",
            "meta nfproto ipv6 tcp dport 443 counter goto proxied",
            "tcp dport 20000-29999 counter goto proxied",
            "ip daddr 198.51.100.0/24 tcp dport 7000 counter goto proxied",
        ]
    );
    let sizes =
        PublishedRules::of(&many).sets.iter().map(|set| set.elements.len()).collect::<Vec<_>>();
    assert_eq!(sizes, [16, 20, 20]);
}

fn any_port() -> impl Strategy<Value = PublishedPort> {
    let address = prop::sample::select(vec![None, None, Some("203.0.113.5"), Some("2001:db8::5")]);
    let family = prop::sample::select(vec![Family::Inet, Family::Ip, Family::Ip6]);
    let protocol = prop::sample::select(Protocol::ALL.to_vec());
    let more = prop_oneof![8 => Just(0u16), 2 => 1u16..4, 1 => 256u16..300];
    (address, family, protocol, 1u16..400, more).prop_map(
        |(address, family, protocol, first, more)| {
            let ports = Ports::new(protocol, first, first + more).expect("ports");
            let port = PublishedPort { address: None, family, ports };
            address.map_or(port.clone(), |address| on(address, port))
        },
    )
}

proptest! {
    #[test]
    fn what_is_installed_is_known(
        all in prop::collection::btree_set(any_port(), 0..120),
        other in any_port(),
    ) {
        let mut snapshot = installed(&all);
        let (named, known) = (PortIndex::merged(&all), PortIndex::merged(&known_ports(&snapshot)));
        for port in all.iter().chain([&other]) {
            prop_assert_eq!(known.covers(port), named.covers(port), "{}", port);
        }
        snapshot.docker.published = all.clone();
        prop_assert_eq!(unknown_ports(&snapshot), []);
        prop_assert_eq!(retained_ports(&snapshot).count(), 0);
        // Nothing is known of Docker any more, and nothing of the sockets.
        snapshot.docker = Docker::default();
        let retained: Vec<PublishedPort> = retained_ports(&snapshot).collect();
        let retained = PortIndex::merged(&retained);
        prop_assert!(all.iter().all(|port| retained.covers(port)));
        // No socket listens.
        snapshot.host = HostState { listeners: Some(Vec::<Listener>::new()), ..HostState::default() };
        prop_assert_eq!(retained_ports(&snapshot).count(), 0);
    }
}
