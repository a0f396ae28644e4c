//! What policies compile to.

mod known;
mod sockets;

use super::*;
use crate::docker::swarm_ports;
use crate::model::Protocol;
use crate::model::{
    AddressRange, AddressSpec, Cgroup, Docker, HostState, Listener, Ports, PublishedPort, Snapshot,
};
use crate::policy::Group;
use crate::policy::{Allow, DirectRouting, Guard, Source};

fn source(text: &str) -> Source {
    let addresses = match text.split_once('-') {
        Some((first, last)) => AddressSpec::Range(
            AddressRange::new(
                first.parse().expect("an address"),
                last.parse().expect("an address"),
            )
            .expect("a range"),
        ),
        None => AddressSpec::Network(text.parse().expect("a network")),
    };
    Source { addresses, at: None }
}

fn entry(port: u16, sources: &[&str]) -> Allow {
    let sources = Arc::new(sources.iter().map(|text| source(text)).collect());
    let ports = Ports::new(Protocol::Tcp, port, port).expect("a port");
    Allow { from: Some(vec![Group { name: None, sources }]), ..Allow::new(vec![ports]) }
}

fn unguarded(allow: Vec<Allow>) -> Policy {
    Policy { allow, guard: Guard::off(), ..Policy::default() }
}

fn block(version: IpVersion, policy: &Policy) -> Vec<String> {
    let ruleset = compile(policy);
    let is_block = |chain: &&Chain| {
        chain.path.table.family == version.into() && chain.path.chain.as_ref() == BLOCK
    };
    let chain = ruleset.chains.iter().find(is_block).expect("the chain");
    chain.rules.iter().map(|desired| desired.rule.to_string()).collect()
}

#[test]
fn the_empty_policy_has_no_rules_for_sources() {
    let policy = unguarded(Vec::new());
    for version in IpVersion::ALL {
        assert!(block(version, &policy).is_empty());
    }
    let chains: Vec<String> =
        compile(&policy).chains.iter().map(|chain| chain.path.to_string()).collect();
    assert_eq!(
        chains,
        [
            "ip nat DOCKER",
            "ip nat DOCKER-BLOCK",
            "ip nat PREROUTING",
            "ip6 nat DOCKER",
            "ip6 nat DOCKER-BLOCK",
            "ip6 nat PREROUTING"
        ]
    );
}

#[test]
fn each_source_has_a_rule_for_its_ip_version() {
    let policy =
        unguarded(vec![entry(443, &["172.16.0.0/26", "2001:db8::1", "192.0.2.1-192.0.2.3"])]);
    assert_eq!(
        block(IpVersion::V4, &policy),
        [
            "-s 172.16.0.0/26 -p tcp -m tcp --dport 443 -m conntrack --ctstate NEW -j DOCKER",
            "-p tcp -m tcp --dport 443 -m iprange --src-range 192.0.2.1-192.0.2.3 \
             -m conntrack --ctstate NEW -j DOCKER",
        ]
    );
    assert_eq!(
        block(IpVersion::V6, &policy),
        ["-s 2001:db8::1/128 -p tcp -m tcp --dport 443 -m conntrack --ctstate NEW -j DOCKER"]
    );
}

#[test]
fn equal_rules_are_installed_once_and_any_source_needs_no_condition() {
    let policy =
        unguarded(vec![entry(80, &["192.0.2.1", "192.0.2.1", "0.0.0.0/0"]), entry(80, &["::/0"])]);
    assert_eq!(
        block(IpVersion::V4, &policy),
        [
            "-s 192.0.2.1/32 -p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j DOCKER",
            "-p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j DOCKER",
        ]
    );
    assert_eq!(
        block(IpVersion::V6, &policy),
        ["-p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j DOCKER"]
    );
}

#[test]
fn destinations_of_the_other_ip_version_have_no_rule() {
    let to = vec![source("203.0.113.5").addresses];
    let policy = unguarded(vec![Allow { to, from: None, ..entry(80, &[]) }]);
    assert_eq!(
        block(IpVersion::V4, &policy),
        ["-d 203.0.113.5/32 -p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j DOCKER"]
    );
    assert!(block(IpVersion::V6, &policy).is_empty());
}

#[test]
fn a_large_group_has_a_set_of_its_name_for_each_ip_version() {
    let hosts = (1..=64).flat_map(|n| [format!("192.0.2.{n}"), format!("2001:db8::{n}")]);
    let sources: Vec<Source> = hosts.map(|host| source(&host)).collect();
    let group =
        |sources: Vec<Source>| Group { name: Some("cdn".into()), sources: Arc::new(sources) };
    let ports = vec![Ports::new(Protocol::Tcp, 443, 443).expect("a port")];
    let entry = |group| Allow { from: Some(vec![group]), ..Allow::new(ports.clone()) };
    let sets = |allow| -> Vec<String> {
        let ruleset = compile(&Policy { allow, ..Policy::default() });
        ruleset.sets.iter().map(|set| set.path.to_string()).collect()
    };
    let shared = group(sources.clone());
    let names = ["inet dwnl cdn-4", "inet dwnl cdn-6"];
    assert_eq!(sets(vec![entry(shared.clone()), entry(shared.clone())]), names);
    // Built in memory, two groups may have one name and other sources.
    let other = ["inet dwnl cdn.2-4", "inet dwnl cdn.2-6"];
    assert_eq!(sets(vec![entry(shared), entry(group(sources[2..].to_vec()))]), names);
    let large: Vec<Source> = sources.iter().chain(&sources).cloned().collect();
    let both = vec![entry(group(sources)), entry(group(large))];
    assert_eq!(sets(both), [names, other].concat());
}

/// The rules of a chain with this Docker.
fn rules(policy: &Policy, docker: &Docker, chain: &str) -> Vec<String> {
    let ruleset = compile(policy);
    let snapshot = Snapshot { docker: docker.clone(), ..Snapshot::default() };
    let completed = resolve(&ruleset, &snapshot).expect("a ruleset");
    let mut chains = completed.chains.iter();
    let chain = chains.find(|it| it.path.chain.as_ref() == chain).expect("the chain");
    chain.rules.iter().map(|desired| desired.rule.to_string()).collect()
}

/// The rules of the guard's chain `input`, resolved for a snapshot.
fn completed_input(snapshot: &Snapshot) -> Vec<DesiredRule> {
    let completed = resolve(&compile(&Policy::default()), snapshot).expect("a ruleset");
    let mut chains = completed.chains.into_iter();
    let chain = chains.find(|it| it.path.chain.as_ref() == guard::INPUT).expect("the chain");
    chain.rules.to_vec()
}

/// The same with this Docker and this host.
fn input(docker: &Docker, host: &HostState) -> Vec<DesiredRule> {
    let (docker, host) = (docker.clone(), host.clone());
    completed_input(&Snapshot { docker, host, ..Snapshot::default() })
}

/// A published TCP port.
fn published(family: Family, port: u16) -> PublishedPort {
    let ports = Ports::new(Protocol::Tcp, port, port).expect("a port");
    PublishedPort { address: None, family, ports }
}

/// A socket of this cgroup that waits on a port of any address.
fn listener(protocol: Protocol, port: u16, cgroup: Option<u64>) -> Listener {
    Listener { family: Family::Inet, address: None, protocol, port, cgroup }
}

fn cgroup(path: &str, id: u64) -> Cgroup {
    Cgroup { path: path.to_owned(), id }
}

#[test]
fn the_guard_judges_by_the_original_destination() {
    let to = ["203.0.113.5", "2001:db8::5"].map(|text| source(text).addresses).into();
    let sources = ["192.0.2.1", "10.0.0.0/12", "192.0.2.4-192.0.2.9", "2001:db8::/64"];
    let entry = Allow { name: Some("web".into()), to, ..entry(443, &sources) };
    let policy = Policy { allow: vec![entry], ..Policy::default() };
    let service = "meta l4proto tcp ct original proto-dst 443 meta nfproto ipv4 \
                  ct original ip daddr 203.0.113.5 ct original ip saddr";
    assert_eq!(
        rules(&policy, &Docker::default(), "allowed"),
        [
            format!("{service} 192.0.2.1 counter accept comment \"web\""),
            format!("{service} 10.0.0.0/12 counter accept comment \"web\""),
            format!("{service} 192.0.2.4-192.0.2.9 counter accept comment \"web\""),
            "meta l4proto tcp ct original proto-dst 443 meta nfproto ipv6 ct original ip6 daddr \
             2001:db8::5 ct original ip6 saddr 2001:db8::/64 counter accept comment \"web\""
                .to_owned(),
        ]
    );
}

#[test]
fn all_other_sources_are_translated_and_marked() {
    let none = Docker::default();
    let swarm = Docker { ingress: [IpVersion::V4].into(), ..Docker::default() };
    let policy = Policy::default();
    assert_eq!(rules(&policy, &none, BLOCK), ["-g DOCKER-BLOCK-GUARD"]);
    let mut expected = vec![
        "-j CONNMARK --set-xmark 0x2000/0x2000",
        "-j DOCKER",
        "-j CONNMARK --set-xmark 0x0/0x2000",
    ];
    assert_eq!(rules(&policy, &none, GUARD), expected);
    expected.insert(1, "-j DOCKER-INGRESS");
    assert_eq!(rules(&policy, &swarm, GUARD), expected);
}

#[test]
fn dockers_networks_and_ports_complete_the_guard() {
    let published = |address: Option<&str>, family, port| PublishedPort {
        address: address.map(|text| text.parse().expect("an address")),
        ..published(family, port)
    };
    let docker = Docker {
        bridges: ["docker0", "web0", "br0", "br-0123456789ab"].map(Name::from).into(),
        inside: ["docker0", "web0", "br-0123456789ab"].map(Name::from).into(),
        has_rules: true,
        routed: [(IpVersion::V6, Name::from("web0"))].into(),
        published: [
            published(None, Family::Inet, 8080),
            published(None, Family::Inet, 8081),
            published(Some("203.0.113.5"), Family::Ip, 443),
            published(None, Family::Ip6, 9000),
        ]
        .into(),
        ..Docker::default()
    };
    let rules = |chain| rules(&Policy::default(), &docker, chain);
    assert_eq!(
        rules("inside"),
        [
            "iifname \"lo\" counter accept",
            "iifname \"docker0\" meta iifkind \"bridge\" counter accept",
            "iifname \"docker_gwbridge\" meta iifkind \"bridge\" counter accept",
            "iifname \"br-0123456789ab\" meta iifkind \"bridge\" counter accept",
            "iifname \"web0\" meta iifkind \"bridge\" counter accept",
        ]
    );
    assert_eq!(rules("bridged")[1], "meta nfproto ipv6 oifname \"web0\" counter goto translated");
    let to = |bridge| format!("oifname \"{bridge}\" counter goto bridged");
    assert!(rules("forward").ends_with(&[to("br0"), to("web0")]), "{:?}", rules("forward"));
    assert_eq!(
        rules("input"),
        [
            "ct state established,related counter accept",
            "meta nfproto ipv6 tcp dport 9000 counter goto proxied",
            "tcp dport 8080-8081 counter goto proxied",
            "ip daddr 203.0.113.5 tcp dport 443 counter goto proxied",
        ]
    );
}

#[test]
fn only_the_peers_of_a_swarm_reach_its_ports() {
    let peers = entry(1, &["192.0.2.10", "2001:db8::10"]).from;
    let policy =
        Policy { guard: Guard { swarm_peers: peers, ..Guard::default() }, ..Policy::default() };
    let rules = |chain| rules(&policy, &Docker::default(), chain);
    assert_eq!(
        rules("input")[1..],
        [
            "tcp dport 2377 counter goto swarm",
            "tcp dport 7946 counter goto swarm",
            "udp dport 7946 counter goto swarm",
            "udp dport 4789 counter goto swarm",
        ]
    );
    let swarm = rules("swarm");
    assert_eq!(swarm[0], "counter jump inside");
    assert_eq!(swarm.last().expect("a rule"), "counter drop comment \"not allowed: Swarm\"");
    assert_eq!(swarm.len(), 2 + 4 * 2);
    assert!(rules("allowed").is_empty());
}

#[test]
fn a_node_of_a_swarm_without_named_peers_is_cut_off() {
    let listening = |ports| PublishedPort { address: None, family: Family::Inet, ports };
    let published = swarm_ports().map(listening).collect();
    let docker = Docker { published, ..Docker::default() };
    let reported = |policy: &Policy| {
        let cut_off = blocked_swarm_ports(policy, &docker);
        assert_eq!(cut_off, uncovered_ports(policy, &docker));
        cut_off.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let expected = ["2377/tcp", "7946/tcp", "4789/udp", "7946/udp"];
    assert_eq!(reported(&Policy::default()), expected);
    let peers = entry(1, &["192.0.2.10"]).from;
    let guard = Guard { swarm_peers: peers, ..Guard::default() };
    assert_eq!(reported(&Policy { guard, ..Policy::default() }), [""; 0]);
}

#[test]
fn allowed_sources_reach_a_container_directly_if_the_policy_says_so() {
    let guard = Guard { direct_routing: DirectRouting::Allowed, ..Guard::default() };
    let policy = Policy { guard, ..Policy::default() };
    let rules = |policy: &Policy| rules(policy, &Docker::default(), "bridged");
    let mut expected = vec![
        "ct status dnat counter goto translated",
        "counter jump inside",
        "counter drop comment \"not allowed: container's own address\"",
    ];
    assert_eq!(rules(&Policy::default()), expected);
    expected.insert(2, "counter jump allowed");
    assert_eq!(rules(&policy), expected);
}

#[test]
fn a_port_that_no_entry_covers_is_reported() {
    let published = |port| PublishedPort {
        address: None,
        family: Family::Inet,
        ports: Ports::new(Protocol::Tcp, port, port).expect("a port"),
    };
    let docker = Docker { published: [80, 81, 443].map(published).into(), ..Docker::default() };
    let policy = Policy { allow: vec![entry(443, &["192.0.2.1"])], ..Policy::default() };
    let reported: Vec<String> =
        uncovered_ports(&policy, &docker).iter().map(ToString::to_string).collect();
    assert_eq!(reported, ["80-81/tcp"]);
}
