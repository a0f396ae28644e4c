//! Ports that the guard knew at the last apply: which ports are new, and which known ones remain.

use super::super::forgets_ports;
use super::super::guard::INPUT;
use super::super::known::{known_ports, unknown_ports};
use super::super::own::{goto, rule};
use super::super::own_table;
use super::{cgroup, input, listener, published};
use crate::model::{
    Cgroups, DesiredRule, Docker, Family, HostState, InstalledChain, InstalledRule, IpVersion,
    Listener, NftMatch, NftStatement, Ports, Protocol, PublishedPort, RuleContent, Snapshot,
};

/// A snapshot in which the guard's chain `input` holds these rules.
fn holding(rules: impl IntoIterator<Item = DesiredRule>) -> Snapshot {
    let installed = |desired: DesiredRule| InstalledRule {
        handle: 1,
        content: RuleContent::Known(desired.rule),
        packets: 0,
        bytes: 0,
    };
    let rules = rules.into_iter().map(installed).collect();
    let mut snapshot = Snapshot::default();
    let table = snapshot.tables.entry(own_table()).or_default();
    table.chains.insert(INPUT.into(), InstalledChain { rules, ..InstalledChain::default() });
    snapshot
}

/// The same after an apply on a host whose Docker publishes these ports.
fn knowing(published: &[PublishedPort]) -> Snapshot {
    holding(input(&publishing(published), &HostState::default()))
}

fn publishing(published: &[PublishedPort]) -> Docker {
    Docker { published: published.iter().cloned().collect(), ..Docker::default() }
}

fn ports(protocol: Protocol, first: u16, last: u16) -> Ports {
    Ports::new(protocol, first, last).expect("ports")
}

fn on(address: &str, published: PublishedPort) -> PublishedPort {
    PublishedPort { address: Some(address.parse().expect("an address")), ..published }
}

#[test]
fn ports_that_are_not_guarded_yet_are_unknown() {
    use Family::{Inet, Ip, Ip6};
    let (v4, all) = (published(Ip, 8080), published(Inet, 8080));
    let at_5 = on("203.0.113.5", published(Ip, 8080));
    let consecutive = [published(Inet, 8080), published(Inet, 8081)];
    let range = PublishedPort { ports: ports(Protocol::Tcp, 8080, 8081), ..all.clone() };
    let udp = PublishedPort { ports: ports(Protocol::Udp, 8080, 8080), ..all.clone() };
    let cases = [
        (vec![], vec![all.clone()], vec![all.clone()]),
        (vec![all.clone()], vec![all.clone()], vec![]),
        (vec![all.clone()], vec![v4.clone(), published(Ip6, 8080), at_5.clone()], vec![]),
        (vec![v4.clone()], vec![all.clone()], vec![all.clone()]),
        (vec![at_5.clone()], vec![at_5.clone()], vec![]),
        (vec![at_5], vec![v4.clone()], vec![v4]),
        (consecutive.to_vec(), vec![range], vec![]),
        (vec![all], vec![udp.clone()], vec![udp]),
    ];
    for (known, now, expected) in cases {
        let snapshot = Snapshot { docker: publishing(&now), ..knowing(&known) };
        assert_eq!(unknown_ports(&snapshot), expected, "{known:?}, {now:?}");
        let without_guard = Snapshot { docker: publishing(&now), ..Snapshot::default() };
        assert_eq!(unknown_ports(&without_guard), [], "{now:?}");
    }
}

#[test]
fn no_other_rule_of_the_chain_counts_as_a_known_port() {
    let https = || NftMatch::Ports(ports(Protocol::Tcp, 443, 443));
    let proxied = || goto("proxied");
    let others = [
        rule([https()], NftStatement::Accept),
        rule([https()], goto("swarm")),
        rule([https()], NftStatement::Jump("proxied".into())),
        rule([], proxied()),
        rule([https(), https()], proxied()),
        rule([NftMatch::CtStateEstablished, https()], proxied()),
        rule([https(), NftMatch::NfProto(IpVersion::V4)], proxied()),
    ];
    let mut snapshot = holding(others);
    let foreign = RuleContent::Foreign {
        expressions: String::new(),
        target: Some("proxied".into()),
        translation: None,
    };
    let chain = snapshot.tables.get_mut(&own_table()).and_then(|it| it.chains.get_mut(INPUT));
    let rule = InstalledRule { handle: 2, content: foreign, packets: 0, bytes: 0 };
    chain.expect("the chain").rules.push(rule);
    assert_eq!(known_ports(&snapshot), []);
}

/// Whether the known port 8081 is still guarded with this Docker and host.
fn stays(docker: &Docker, host: &HostState) -> bool {
    let known = [published(Family::Inet, 8081)];
    let snapshot = Snapshot { docker: docker.clone(), host: host.clone(), ..knowing(&known) };
    let guarded = guarded(&snapshot, "dport 8081");
    assert_eq!(forgets_ports(&snapshot), !guarded);
    guarded
}

/// Whether one rule of `input` guards these ports.
fn guarded(snapshot: &Snapshot, ports: &str) -> bool {
    let rules = super::completed_input(snapshot);
    let count = rules.iter().filter(|it| it.rule.to_string().contains(ports)).count();
    assert!(count <= 1, "{rules:?}");
    count == 1
}

/// A host with these listening sockets.
fn with(listeners: &[Listener]) -> HostState {
    HostState { listeners: Some(listeners.to_vec()), ..HostState::default() }
}

#[test]
fn without_a_list_of_sockets_known_ports_remain_until_docker_has_rules() {
    let host = HostState::default();
    assert!(stays(&Docker::default(), &host));
    assert!(!stays(&Docker { has_rules: true, ..Docker::default() }, &host));
}

#[test]
fn without_a_cgroup_of_dockerd_a_port_remains_while_any_socket_listens() {
    let docker = Docker { has_rules: true, ..Docker::default() };
    assert!(!stays(&docker, &with(&[])));
    for (port, expected) in [(8080, false), (8081, true), (8082, false)] {
        for cgroup in [None, Some(1), Some(70)] {
            let without_hierarchy = with(&[listener(Protocol::Tcp, port, cgroup)]);
            assert_eq!(stays(&docker, &without_hierarchy), expected, "{port}, {cgroup:?}");
            let cgroups = Some(Cgroups::default());
            let without_daemon = HostState { cgroups, ..without_hierarchy };
            assert_eq!(stays(&docker, &without_daemon), expected, "{port}, {cgroup:?}");
        }
    }
    assert!(!stays(&docker, &with(&[listener(Protocol::Udp, 8081, None)])));
}

#[test]
fn with_a_cgroup_of_dockerd_ports_of_other_services_are_forgotten() {
    let docker = Docker::default();
    let cgroups = Cgroups { daemons: vec![cgroup("docker.service", 7)], ..Cgroups::default() };
    let with_dockerd = |matches_sockets, cgroup| HostState {
        cgroups: Some(cgroups.clone()),
        matches_sockets,
        ..with(&[listener(Protocol::Tcp, 8081, cgroup)])
    };
    for (cgroup, on_an_old_kernel, on_a_new_one) in
        [(None, true, true), (Some(1), true, false), (Some(70), false, false)]
    {
        assert_eq!(stays(&docker, &with_dockerd(false, cgroup)), on_an_old_kernel, "{cgroup:?}");
        assert_eq!(stays(&docker, &with_dockerd(true, cgroup)), on_a_new_one, "{cgroup:?}");
    }
    let idle = HostState { cgroups: Some(cgroups), ..with(&[]) };
    assert!(!stays(&docker, &idle));
}

#[test]
fn a_port_that_docker_still_publishes_is_guarded_once() {
    let docker = publishing(&[published(Family::Inet, 8081)]);
    assert!(stays(&docker, &with(&[listener(Protocol::Tcp, 8081, None)])));
    assert!(stays(&docker, &HostState::default()));
}

#[test]
fn of_a_known_range_the_ports_remain_on_which_a_socket_listens() {
    let ports = ports(Protocol::Tcp, 8080, 8084);
    let known = PublishedPort { ports, ..published(Family::Inet, 8080) };
    let host = with(&[8080, 8082, 8083].map(|port| listener(Protocol::Tcp, port, None)));
    let docker = Docker { has_rules: true, ..publishing(&[published(Family::Inet, 8080)]) };
    let mut snapshot = Snapshot { docker, host, ..knowing(&[known]) };
    assert!(forgets_ports(&snapshot));
    assert!(guarded(&snapshot, "dport 8080 ") && guarded(&snapshot, "dport 8082-8083"));
    assert!(!guarded(&snapshot, "8081") && !guarded(&snapshot, "8084"));
    snapshot.host = HostState::default();
    snapshot.docker.has_rules = false;
    assert!(!forgets_ports(&snapshot) && guarded(&snapshot, "dport 8080-8084"));
}
