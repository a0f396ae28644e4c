//! Which program has a listening socket, and the rules by which the kernel recognises it.

use super::super::guard::INPUT;
use super::super::sockets::{
    LOCAL_SOCKET, holds_socket_match, judged_service, judges_all_others, publish_listeners, scope,
};
use super::super::{compile, own_table};
use super::{cgroup, completed, listener, policy, published, resolve};
use crate::model::{
    Cgroup, Cgroups, Docker, Family, GuardScope, HostState, InstalledSet, IpVersion, Listener,
    Protocol, PublishedPort, SetKind, Snapshot,
};
use crate::policy::{Guard, Policy};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The scope of a guard that has only the setting for containers in the host's network.
fn looking_for(host_network: bool) -> GuardScope {
    scope(&policy([], Guard::builder().host_network(host_network)))
}

/// dockerd as a service of systemd on a host with 6 listening cgroups.
fn cgroups() -> Cgroups {
    let cgroups = [
        cgroup("", 1),
        cgroup("system.slice/docker.service", 7),
        cgroup("system.slice/ssh.service", 8),
        cgroup(&format!("system.slice/docker-{ID}.scope"), 9),
        cgroup("apps.slice/shop.service", 10),
        cgroup(&format!("apps.slice/{ID}"), 11),
    ];
    Cgroups {
        daemons: vec![cgroup("system.slice/docker.service", 7)],
        host: vec![cgroup("init.scope", 2), cgroup("system.slice", 3)],
        containers: Vec::new(),
        of_listeners: cgroups.into_iter().map(|cgroup| (cgroup.id, cgroup)).collect(),
    }
}

fn host(cgroups: Cgroups, listeners: &[Listener]) -> HostState {
    HostState {
        listeners: Some(listeners.to_vec()),
        cgroups: Some(cgroups),
        matches_sockets: true,
        ..HostState::default()
    }
}

/// The ports that are published once the listeners on port 8080 are added.
fn publishes(
    known: &[PublishedPort],
    scope: &GuardScope,
    listeners: &[Listener],
) -> Vec<PublishedPort> {
    let published = known.iter().cloned().collect();
    let mut docker = Docker { published, ..Docker::default() };
    publish_listeners(&mut docker, scope, &host(cgroups(), listeners));
    docker.published.into_iter().collect()
}

#[test]
fn dockers_listeners_are_published_ports() {
    let all = published(Family::Inet, 8080);
    for (cgroup, host_network, is_published) in [
        (Some(7), false, true),
        (Some(7), true, true),
        (Some(8), true, false),
        (Some(9), false, false),
        (Some(9), true, true),
        (Some(11), true, true),
        (Some(1), true, false),
        (Some(99), true, false),
        (None, true, false),
    ] {
        let listeners = [listener(Protocol::Tcp, 8080, cgroup)];
        let found = publishes(&[], &looking_for(host_network), &listeners);
        let expected = if is_published { vec![all.clone()] } else { vec![] };
        assert_eq!(found, expected, "{cgroup:?}, {host_network}");
    }
}

#[test]
fn a_listener_is_published_only_if_the_rules_do_not_cover_it() {
    let (all, v4) = (published(Family::Inet, 8080), published(Family::Ip, 8080));
    let scope = looking_for(false);
    let any = listener(Protocol::Tcp, 8080, Some(7));
    let only_v4 = Listener { family: Family::Ip, ..any.clone() };
    let at = |address: &str| Listener {
        address: Some(address.parse().expect("an address")),
        ..only_v4.clone()
    };
    let publishes = |known: &PublishedPort, listener| {
        publishes(std::slice::from_ref(known), &scope, &[listener])
    };
    for listener in [any.clone(), only_v4.clone(), at("203.0.113.5"), at("127.0.0.1")] {
        assert_eq!(publishes(&all, listener), vec![all.clone()]);
    }
    assert_eq!(publishes(&v4, any), [all]);
    assert_eq!(publishes(&v4, at("203.0.113.5")), vec![v4.clone()]);
    let other = published(Family::Ip, 8081);
    assert_eq!(publishes(&other, only_v4.clone()), [v4, other.clone()]);
    assert_eq!(publishes(&other, at("127.0.0.2")), [other]);
}

#[test]
fn without_a_hierarchy_no_listener_is_dockers() {
    let mut docker = Docker::default();
    let listeners = Some(vec![listener(Protocol::Tcp, 8080, Some(7))]);
    let host = HostState { listeners, ..HostState::default() };
    publish_listeners(&mut docker, &looking_for(true), &host);
    assert_eq!(docker, Docker::default());
}

#[test]
fn other_sockets_are_judged_if_docker_may_use_a_cgroup_that_does_not_exist_yet() {
    let inside = cgroup("system.slice/docker.service", 7);
    let outside = cgroup("docker.slice/docker.service", 7);
    let hosts = || vec![cgroup("system.slice", 3)];
    let judges = |host_network, daemons: &[&Cgroup], host| {
        let daemons = daemons.iter().map(|daemon| (*daemon).clone()).collect();
        let cgroups = Cgroups { daemons, host, ..Cgroups::default() };
        judges_all_others(&looking_for(host_network), &cgroups)
    };
    for (host_network, daemons, expected) in [
        (false, &[][..], false),
        (false, &[&inside], false),
        (false, &[&outside], true),
        (false, &[&inside, &outside], true),
        (true, &[], true),
        (true, &[&inside], true),
    ] {
        assert_eq!(judges(host_network, daemons, hosts()), expected, "{daemons:?}");
        assert!(!judges(host_network, daemons, Vec::new()), "nothing would be left alone");
    }
    let named = policy([], Guard::builder().host_cgroups(["docker.slice"]));
    let cgroups = Cgroups { daemons: vec![outside], host: hosts(), ..Cgroups::default() };
    assert!(!judges_all_others(&scope(&named), &cgroups), "the operator has named it");
}

/// The path of the host's cgroup that would be judged.
fn judged(scope: &GuardScope, cgroups: Cgroups, listeners: &[Listener]) -> Option<String> {
    let snapshot = Snapshot { host: host(cgroups, listeners), ..Snapshot::default() };
    judged_service(scope, &snapshot).map(|(cgroup, port)| format!("{} {port}", cgroup.path))
}

#[test]
fn a_service_is_judged_only_in_an_unknown_cgroup() {
    let all = [None, Some(1), Some(7), Some(8), Some(9), Some(11), Some(99)];
    let known = all.map(|cgroup| listener(Protocol::Tcp, 8080, cgroup));
    let unknown = listener(Protocol::Udp, 5353, Some(10));
    assert_eq!(judged(&looking_for(true), cgroups(), &known), None);
    let both = [&known[..], std::slice::from_ref(&unknown)].concat();
    let expected = Some("apps.slice/shop.service 5353/udp".to_owned());
    assert_eq!(judged(&looking_for(true), cgroups(), &both), expected);
    assert_eq!(judged(&looking_for(false), cgroups(), &both), None);
    let loopback = Listener { address: "127.0.0.53".parse().ok(), ..unknown.clone() };
    assert_eq!(judged(&looking_for(true), cgroups(), &[loopback]), None);
    let host = HostState { matches_sockets: false, ..host(cgroups(), &both) };
    let snapshot = Snapshot { host, ..Snapshot::default() };
    assert_eq!(judged_service(&looking_for(true), &snapshot), None);
}

#[test]
fn a_service_below_a_cgroup_of_dockers_is_always_judged() {
    let below = |daemon: Cgroup| Cgroups { daemons: vec![daemon], ..cgroups() };
    let scope = looking_for(false);
    let ssh = [listener(Protocol::Tcp, 22, Some(8))];
    let expected = Some("system.slice/ssh.service 22/tcp".to_owned());
    assert_eq!(judged(&scope, below(cgroup("system.slice", 3)), &ssh), expected);
    // A longer name with the same beginning is another one.
    assert_eq!(judged(&scope, below(cgroup("system.slice/ssh", 4)), &ssh), None);
    let containers = Cgroups { containers: vec![cgroup("system.slice", 3)], ..cgroups() };
    assert_eq!(judged(&scope, containers, &ssh), expected);
}

fn texts(chain: &str, host: &HostState) -> Vec<String> {
    let snapshot = Snapshot { host: host.clone(), ..Snapshot::default() };
    completed(chain, &snapshot).iter().map(|it| it.rule.to_string()).collect()
}

#[test]
fn rules_match_the_cgroups_of_docker_and_of_the_host() {
    let daemons = ["docker.service", "system.slice/docker.service"];
    let daemons = (5..).zip(daemons).map(|(id, path)| cgroup(path, id)).collect();
    let containers = vec![cgroup("docker", 8)];
    let known = Cgroups { daemons, containers, ..cgroups() };
    let cleared = "ct mark & 0x00002000 == 0x00002000 counter ct mark set ct mark & 0xffffdfff";
    let remembered = "tcp dport @docker-tcp counter goto docker-port";
    // One of the two daemons is outside the host's own cgroups.
    assert_eq!(
        texts(LOCAL_SOCKET, &host(known.clone(), &[])),
        [
            cleared,
            "socket cgroupv2 level 1 5 counter goto docker-socket",
            "socket cgroupv2 level 2 6 counter goto docker-socket",
            "socket cgroupv2 level 1 8 counter goto container-socket",
            "socket cgroupv2 level 1 != 2 socket cgroupv2 level 1 != 3 counter goto \
             container-socket",
            remembered,
        ]
    );
    assert_eq!(texts(LOCAL_SOCKET, &host(Cgroups::default(), &[])), [cleared, remembered]);
    let unmatched = HostState { matches_sockets: false, ..host(known, &[]) };
    assert_eq!(texts(LOCAL_SOCKET, &unmatched), [""; 0]);
}

#[test]
fn a_flow_whose_first_packet_is_for_no_socket_is_marked() {
    let matching = host(cgroups(), &[]);
    assert_eq!(
        texts(INPUT, &matching),
        [
            "ct mark & 0x00002000 == 0x00002000 counter jump late-socket",
            "ct state established,related counter accept",
            "socket transparent 0 counter goto local-socket",
            "socket transparent 1 counter goto local-socket",
            "iifname != \"lo\" meta l4proto tcp counter ct mark set ct mark | 0x00002000",
            "iifname != \"lo\" meta l4proto udp counter ct mark set ct mark | 0x00002000",
        ]
    );
    assert_eq!(
        texts("late-socket", &matching),
        [
            "meta l4proto tcp ct state established,related socket transparent 0 counter reject with tcp reset",
            "meta l4proto tcp ct state established,related socket transparent 1 counter reject with tcp reset",
            "meta l4proto udp socket transparent 0 counter goto local-socket",
            "meta l4proto udp socket transparent 1 counter goto local-socket",
        ]
    );
    let unmatched = HostState { matches_sockets: false, ..matching };
    assert_eq!(texts(INPUT, &unmatched), ["ct state established,related counter accept"]);
}

#[test]
fn the_chains_and_the_set_of_the_match_are_added_if_the_kernel_has_it() {
    let desired = compile(&Policy::default());
    let names = |matches_sockets| {
        let host = HostState { matches_sockets, ..host(cgroups(), &[]) };
        let snapshot = Snapshot { host, ..Snapshot::default() };
        let completed = resolve(&desired, &snapshot).expect("a ruleset");
        let own = completed.chains.iter().filter(|it| it.path.table == own_table());
        let chains: Vec<String> = own.map(|it| it.path.chain.to_string()).collect();
        let sets: Vec<String> = completed.sets.iter().map(|it| it.path.set.to_string()).collect();
        (chains, sets)
    };
    let (mut chains, mut sets) = names(true);
    let recording = ["refused-host-ip", "refused-host-ip6", "refused-host-ports"];
    assert_eq!(sets.drain(..4).collect::<Vec<_>>(), [&["docker-tcp"], &recording[..]].concat());
    // Each chain before those whose rules jump to it.
    let matching = [
        "refused-host",
        "docker-socket",
        "container-socket",
        "docker-port",
        LOCAL_SOCKET,
        "late-socket",
        INPUT,
    ];
    assert_eq!(chains[chains.len() - 7..], matching);
    chains.drain(chains.len() - 7..chains.len() - 1);
    assert_eq!(names(false), (chains, sets));
}

#[test]
fn an_installed_match_is_recognised_by_its_set() {
    let mut snapshot = Snapshot::default();
    assert!(!holds_socket_match(&snapshot));
    let table = snapshot.tables.entry(own_table()).or_default();
    for (kind, expected) in [
        (None, false),
        (Some(SetKind::Intervals { version: IpVersion::V4 }), false),
        (Some(SetKind::DynamicPorts), true),
    ] {
        let set = InstalledSet { kind, ..InstalledSet::default() };
        table.sets.insert("docker-tcp".into(), set);
        let snapshot =
            Snapshot { tables: [(own_table(), table.clone())].into(), ..Snapshot::default() };
        assert_eq!(holds_socket_match(&snapshot), expected, "{kind:?}");
    }
}
