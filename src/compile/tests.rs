//! What policies compile to.

mod deny;
mod dispatch;
mod known;
mod published;
mod sockets;

use super::*;
use crate::docker::swarm_ports;
use crate::model::{
    AddressSpec, Cgroup, Docker, HostState, Listener, Ports, PublishedPort, Snapshot,
};
use crate::model::{LogTarget, Protocol};
use crate::policy::{Allow, AllowBuilder, DirectRouting, Group, Guard, GuardBuilder, Log};

fn source(text: &str) -> AddressSpec {
    text.parse().expect("a source")
}

fn tcp(port: u16) -> AllowBuilder {
    Allow::builder([Ports::single(Protocol::Tcp, port).expect("a port")])
}

fn entry(port: u16, sources: &[&str]) -> AllowBuilder {
    tcp(port).sources(sources.iter().map(|text| source(text)))
}

fn policy(entries: impl IntoIterator<Item = AllowBuilder>, guard: GuardBuilder) -> Policy {
    let entries = entries.into_iter().map(|entry| entry.build().expect("an entry"));
    let guard = guard.build().expect("a guard");
    Policy::builder().allow_all(entries).guard(guard).build().expect("a policy")
}

fn guarded(entries: impl IntoIterator<Item = AllowBuilder>) -> Policy {
    policy(entries, Guard::builder())
}

fn unguarded(entries: impl IntoIterator<Item = AllowBuilder>) -> Policy {
    policy(entries, Guard::builder().enabled(false))
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
    let policy = unguarded([]);
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
    let policy = unguarded([entry(443, &["172.16.0.0/26", "2001:db8::1", "192.0.2.1-192.0.2.3"])]);
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
        unguarded([entry(80, &["192.0.2.1", "192.0.2.1", "0.0.0.0/0"]), entry(80, &["::/0"])]);
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
    let policy = unguarded([tcp(80).to([source("203.0.113.5")])]);
    assert_eq!(
        block(IpVersion::V4, &policy),
        ["-d 203.0.113.5/32 -p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j DOCKER"]
    );
    assert!(block(IpVersion::V6, &policy).is_empty());
}

#[test]
fn a_large_group_has_a_set_of_its_name_for_each_ip_version() {
    let hosts = (1..=64).flat_map(|n| [format!("192.0.2.{n}"), format!("2001:db8::{n}")]);
    let sources: Vec<AddressSpec> = hosts.map(|host| source(&host)).collect();
    let group = || Group::named("cdn", sources.clone()).expect("a group");
    let entry = |group| tcp(443).from([group]);
    let sets = |entries: [AllowBuilder; 2]| -> Vec<String> {
        let ruleset = compile(&guarded(entries));
        let sets = ruleset.sets.iter().filter(|set| !set.kind.is_dynamic());
        sets.map(|set| set.path.to_string()).collect()
    };
    let shared = group();
    let names = ["inet dwnl cdn-4", "inet dwnl cdn-6"];
    assert_eq!(sets([entry(shared.clone()), entry(shared.clone())]), names);
    // Built in memory, a group may occur in two copies.
    let other = ["inet dwnl cdn.2-4", "inet dwnl cdn.2-6"];
    assert_eq!(sets([entry(shared), entry(group())]), [names, other].concat());
}

#[test]
fn a_group_that_no_rule_looks_up_is_not_a_set() {
    let hosts = (1..=64).map(|n| source(&format!("192.0.2.{n}")));
    let sources = hosts.chain([source("2001:db8::1")]);
    let policy = unguarded([tcp(443).sources(sources).to([source("2001:db8::5")])]);
    assert!(compile(&policy).sets.is_empty());
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

/// The rules of a chain of the guard, resolved for a snapshot; none if there is no such chain.
fn completed(chain: &str, snapshot: &Snapshot) -> Vec<DesiredRule> {
    let completed = resolve(&compile(&Policy::default()), snapshot).expect("a ruleset");
    let mut chains = completed.chains.into_iter();
    let chain = chains.find(|it| it.path.chain.as_ref() == chain);
    chain.map(|chain| chain.rules.to_vec()).unwrap_or_default()
}

/// The rules of the guard's chain `input`, resolved for a snapshot.
fn completed_input(snapshot: &Snapshot) -> Vec<DesiredRule> {
    completed(guard::INPUT, snapshot)
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

/// The number of rules in `allowed` for bans and grants by hand, which come first.
const BY_HAND: usize = 8 + 12;

#[test]
fn the_guard_judges_by_the_original_destination() {
    let to = ["203.0.113.5", "2001:db8::5"].map(source);
    let sources = ["192.0.2.1", "10.0.0.0/12", "192.0.2.4-192.0.2.9", "2001:db8::/64"];
    let policy = guarded([entry(443, &sources).name("web").to(to)]);
    let service = "meta l4proto tcp ct original proto-dst 443 meta nfproto ipv4 \
                  ct original ip daddr 203.0.113.5 ct original ip saddr";
    assert_eq!(
        rules(&policy, &Docker::default(), "allowed")[BY_HAND..],
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
    let peers = Group::unnamed(["192.0.2.10", "2001:db8::10"].map(source)).expect("a group");
    let policy = policy([], Guard::builder().swarm_peers([peers]));
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
    assert_eq!(swarm[swarm.len() - 2], "counter jump refused-swarm");
    assert_eq!(swarm.len(), 3 + 4 * 2);
    assert_eq!(rules("allowed").len(), BY_HAND);
}

#[test]
fn what_is_dropped_is_recorded_by_protocol_ip_version_and_port() {
    let rules = |chain| rules(&Policy::default(), &Docker::default(), chain);
    let recorded = rules("refused-proxy");
    assert_eq!(
        recorded[3..6],
        [
            "meta l4proto udp counter update @refused-proxy-ip { ct original ip saddr . \
             meta l4proto . ct original proto-dst timeout 1d counter }",
            "meta l4proto udp counter update @refused-proxy-ip6 { ct original ip6 saddr . \
             meta l4proto . ct original proto-dst timeout 1d counter }",
            "meta l4proto udp counter update @refused-proxy-ports { meta l4proto . \
             ct original proto-dst timeout 1d counter }",
        ]
    );
    assert_eq!(recorded.len(), 3 * 3);
    assert_eq!(rules("proxied")[2], "counter jump refused-proxy");
    let logging = |target| {
        let log = Log::default().with_refused(Some(target));
        let policy = Policy::builder().log(log).build().expect("a policy");
        self::rules(&policy, &Docker::default(), "refused-proxy")[0].clone()
    };
    let rule = "counter limit rate 10/second burst 20 packets log prefix \
                \"dwnl refused: docker-proxy: \"";
    assert_eq!(logging(LogTarget::Kernel), format!("{rule} level info"));
    assert_eq!(logging(LogTarget::Nflog(5)), format!("{rule} group 5"));
    assert!(managed_objects().sets.is_empty());
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
    let peers = Group::unnamed([source("192.0.2.10")]).expect("a group");
    assert_eq!(reported(&policy([], Guard::builder().swarm_peers([peers]))), [""; 0]);
}

#[test]
fn allowed_sources_reach_a_container_directly_if_the_policy_says_so() {
    let policy = policy([], Guard::builder().direct_routing(DirectRouting::Allowed));
    let rules = |policy: &Policy| rules(policy, &Docker::default(), "bridged");
    let mut expected = vec![
        "ct status dnat counter goto translated",
        "counter jump inside",
        "counter jump refused-direct",
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
    let policy = guarded([entry(443, &["192.0.2.1"])]);
    let reported: Vec<String> =
        uncovered_ports(&policy, &docker).iter().map(ToString::to_string).collect();
    assert_eq!(reported, ["80-81/tcp"]);
}

#[test]
fn the_managed_tables_are_those_of_the_managed_objects() {
    let managed = managed_objects();
    let mut tables: Vec<&TablePath> =
        managed.tables().into_iter().chain(&managed.owned_tables).collect();
    tables.sort();
    tables.dedup();
    let mut known = managed_tables();
    known.sort();
    assert_eq!(tables, known.iter().collect::<Vec<_>>());
}
