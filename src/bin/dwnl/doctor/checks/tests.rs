//! Findings from facts that are made by hand. `tests/kernel/doctor.rs` has those about other programs,
//! with the rules that these programs write.

use std::path::Path;

use dwnl::Policy;
use dwnl::engine::Outcome;
use dwnl::model::{
    Cgroup, Cgroups, Family, HostState, Link, Listener, Ports, Protocol, PublishedPort,
};

use super::super::facts::{
    Comparison, Conntrack, DockerProcess, DockerProcesses, Facts, PolicyFile, Services,
};
use super::diagnose;
use crate::report::{Finding, Level};

use Level::{Note, Ok as Fine, Problem, Warning};

/// A host with Docker, a policy in force, and nothing to complain of.
fn healthy(policy: &str) -> Facts {
    let mut facts = Facts::default();
    let daemon = Cgroup { path: "system.slice/docker.service".into(), id: 7 };
    let cgroups = Cgroups { daemons: vec![daemon], ..Cgroups::default() };
    facts.kernel.host = HostState { cgroups: Some(cgroups), ..HostState::default() };
    facts.kernel.loads_cgroup = true;
    facts.kernel.loads_owner = true;
    facts.kernel.guards_new_ports = Some(true);
    let ports = Ports::single(Protocol::Tcp, 8080).expect("a port");
    let published = PublishedPort { address: None, family: Family::Inet, ports };
    let mut outcome = Outcome::default();
    outcome.docker.has_rules = true;
    outcome.docker.published = [published].into();
    let policy = Policy::parse(policy, "p", Path::new("")).expect("a policy");
    facts.own.comparison = Some(Comparison { policy, outcome: Ok(outcome), warnings: Vec::new() });
    facts.own.file = PolicyFile::Valid(1);
    facts.own.watch = Some(11);
    facts.sysctls.forwards_ipv4 = Some(true);
    facts.sysctls.tcp_loose = Some(true);
    facts.sysctls.conntrack = Some(Conntrack { count: 10, limit: 100 });
    let cgroup = Some("system.slice/docker.service".into());
    let daemon = DockerProcess { pid: 9, cgroup, ..DockerProcess::default() };
    facts.processes = DockerProcesses { daemon: Some(daemon), proxies: 2 };
    let services = Services { watches: true, applies: true, has_drop_in: true };
    facts.files.services = Some(services);
    facts
}

const UNGUARDED: &str = "[guard]\nenabled = false\n";

/// The finding of a check.
#[track_caller]
fn finding(facts: &Facts, check: &str) -> Finding {
    let found = diagnose(facts).into_iter().find(|it| it.check == check);
    assert!(found.is_some(), "no finding of {check}");
    found.expect("a finding")
}

/// The level that a check finds after the facts of a healthy host were changed.
#[track_caller]
fn level(policy: &str, check: &str, change: impl FnOnce(&mut Facts)) -> Level {
    let mut facts = healthy(policy);
    change(&mut facts);
    finding(&facts, check).level
}

fn listener(port: u16, cgroup: Option<u64>) -> Listener {
    Listener { family: Family::Inet, address: None, protocol: Protocol::Tcp, port, cgroup }
}

fn daemon(facts: &mut Facts) -> &mut DockerProcess {
    facts.processes.daemon.as_mut().expect("a dockerd")
}

#[test]
fn a_healthy_host_needs_nothing() {
    let found = diagnose(&healthy(""));
    let others: Vec<&Finding> = found.iter().filter(|it| it.level != Fine).collect();
    assert!(others.is_empty(), "{others:#?}");
    assert!(found.len() > 15, "{found:#?}");
}

#[test]
fn what_is_worse_than_ok_has_advice() {
    let mut facts = healthy(UNGUARDED);
    facts.kernel.legacy_tables = vec![(Family::Ip, "filter".into())];
    facts.own.watch = None;
    facts.processes.daemon = None;
    for finding in diagnose(&facts) {
        assert_eq!(finding.level == Fine, finding.advice.is_none(), "{finding:?}");
    }
}

#[test]
fn the_kernel() {
    let legacy = |tables: &[&str]| {
        level("", "iptables_legacy", |it| {
            let tables = tables.iter().map(|table| (Family::Ip, (*table).into()));
            it.kernel.legacy_tables = tables.collect();
        })
    };
    assert_eq!(
        [legacy(&[]), legacy(&["filter"]), legacy(&["filter", "nat"])],
        [Fine, Warning, Problem]
    );
    let conntrack = |count, limit| {
        level("", "conntrack", |it| it.sysctls.conntrack = Some(Conntrack { count, limit }))
    };
    assert_eq!(
        [conntrack(74, 100), conntrack(75, 100), conntrack(95, 100)],
        [Fine, Warning, Problem]
    );
    assert_eq!([conntrack(u64::MAX, 0), conntrack(u64::MAX, u64::MAX)], [Fine, Fine]);
    assert_eq!(level("", "table_owner", |it| it.kernel.loads_owner = false), Note);
    let socket_match = |guards, loads| {
        level("", "socket_match", |it| {
            (it.kernel.guards_new_ports, it.kernel.loads_cgroup) = (guards, loads);
        })
    };
    assert_eq!([socket_match(Some(true), true), socket_match(None, true)], [Fine, Fine]);
    assert_eq!([socket_match(Some(false), true), socket_match(None, false)], [Note, Note]);
    let failure = Some("cannot".to_owned());
    assert_eq!(
        level("", "notifications", |it| it.kernel.monitor_failure = failure.clone()),
        Warning
    );
    assert_eq!(level("", "nf_tables", |it| it.kernel.failure = failure), Problem);
}

#[test]
fn without_nf_tables_only_the_rest_is_reported() {
    let mut facts = healthy("");
    facts.kernel.legacy_tables = vec![(Family::Ip6, "nat".into())];
    facts.kernel.failure = Some("iptables-legacy has nat rules".into());
    facts.own.comparison = None;
    let checks: Vec<&str> = diagnose(&facts).iter().map(|it| it.check).collect();
    assert_eq!(
        checks,
        ["iptables_legacy", "conntrack", "ip_forward", "policy", "watch", "boot", "docker_drop_in"]
    );
}

#[test]
fn the_network() {
    assert_eq!(level("", "ip_forward", |it| it.sysctls.forwards_ipv4 = Some(false)), Warning);
    let uplinks = |facts: &mut Facts| {
        let port = Link { kind: Some("veth".into()), ports: Vec::new() };
        let ports = vec![("veth0".into(), Some("veth".into()))];
        let bridge = Link { kind: Some("bridge".into()), ports };
        let links = [("eth0", Link::default()), ("veth0", port), ("br0", bridge)];
        facts.kernel.host.links = links.map(|(name, link)| (name.into(), link)).into();
        ["br0", "eth0", "veth0"].map(String::from).to_vec()
    };
    let localnet = level("", "route_localnet", |it| it.sysctls.localnet_interfaces = uplinks(it));
    assert_eq!(localnet, Warning);
    let mut facts = healthy("");
    facts.sysctls.strict_interfaces = uplinks(&mut facts);
    assert!(diagnose(&facts).iter().all(|it| it.check != "rp_filter"), "one uplink alone");
    facts.sysctls.strict_interfaces.push("eth1".into());
    assert_eq!(finding(&facts, "rp_filter").level, Note);
    assert_eq!(level("", "tcp_loose", |it| it.sysctls.tcp_loose = Some(false)), Note);
}

#[test]
fn docker_without_the_guard() {
    for (policy, expected) in [("", Fine), (UNGUARDED, Problem)] {
        let native = level(policy, "backend", |it| {
            daemon(it).config.firewall_backend = Some("nftables".into());
        });
        let without = level(policy, "backend", |it| daemon(it).config.iptables = Some(false));
        assert_eq!([native, without], [expected; 2]);
    }
    assert_eq!(level(UNGUARDED, "backend", |_| {}), Fine);
    assert_eq!(level(UNGUARDED, "userland_proxy", |_| {}), Warning);
    let off = level(UNGUARDED, "userland_proxy", |it| {
        daemon(it).config.userland_proxy = Some(false);
        it.processes.proxies = 0;
    });
    assert_eq!(off, Fine);
    assert_eq!(level(UNGUARDED, "guard", |_| {}), Note);
}

#[test]
fn dockers_cgroup_and_api() {
    let other = |it: &mut Facts| daemon(it).cgroup = Some("system.slice/mine.service".into());
    assert_eq!(level("", "cgroup", other), Warning);
    assert_eq!(level(UNGUARDED, "cgroup", other), Note);
    let named = "[guard]\ndocker-cgroup = \"system.slice/mine.service\"\n";
    assert_eq!(level(named, "cgroup", other), Fine);
    assert_eq!(level("", "cgroup", |it| it.kernel.host.cgroups = None), Note);

    let api = |it: &mut Facts| it.kernel.host.listeners = Some(vec![listener(2375, Some(7))]);
    assert_eq!(level("", "api", api), Note);
    assert_eq!(level(UNGUARDED, "api", api), Warning);
    let mut facts = healthy("");
    facts.kernel.host.listeners = Some(vec![listener(2375, Some(8)), listener(80, Some(7))]);
    assert!(diagnose(&facts).iter().all(|it| it.check != "api"), "not dockerd's");

    let container = |it: &mut Facts| it.kernel.container_sockets = vec![listener(80, None)];
    assert_eq!(level("", "host_network", container), Note);
    assert_eq!(level("[guard]\nhost-network = true\n", "host_network", container), Fine);
    assert_eq!(level("", "daemon", |it| it.processes.daemon = None), Note);
    let node = |it: &mut Facts| it.kernel.host.listeners = Some(vec![listener(2377, None)]);
    assert_eq!([level("", "swarm", node), level(UNGUARDED, "swarm", node)], [Note, Warning]);
    assert_eq!(level("[guard]\nswarm-peers = [\"192.0.2.2\"]\n", "swarm", node), Fine);
}

#[test]
fn dwnl_itself() {
    let policy = |file, is_stored| {
        level("", "policy", |it| (it.own.file, it.own.is_stored) = (file, is_stored))
    };
    assert_eq!(policy(PolicyFile::Invalid(2), true), Problem);
    assert_eq!(policy(PolicyFile::Missing, true), Warning);
    assert_eq!(policy(PolicyFile::Missing, false), Note);
    let unreadable = |it: &mut Facts| it.own.is_readable_by_services = Some(false);
    assert_eq!(level("", "policy_access", unreadable), Warning);
    assert_eq!(level("", "policy_warnings", |it| it.own.warning_count = 1), Warning);
    assert_eq!(level("", "trial", |it| it.own.is_on_trial = true), Note);
    let services =
        |services| move |it: &mut Facts| (it.own.watch, it.files.services) = (None, Some(services));
    let none = Services::default();
    assert_eq!(level("", "watch", services(none)), Note);
    assert_eq!(level("", "watch", services(Services { watches: true, ..none })), Warning);
    assert_eq!(level("", "boot", services(none)), Warning);
    assert_eq!(level("", "boot", services(Services { applies: true, ..none })), Fine);
    assert_eq!(level("", "docker_drop_in", services(none)), Note);
    let fails = |it: &mut Facts| {
        it.own.comparison.as_mut().expect("a comparison").outcome = Err("no".into());
    };
    assert_eq!(level("", "rules", fails), Problem);
    let without = |it: &mut Facts| (it.own.comparison, it.kernel.guards_new_ports) = (None, None);
    assert_eq!(level("", "rules", without), Warning);
    let gap = |it: &mut Facts| {
        it.own.comparison.as_mut().expect("a comparison").warnings.push("a gap".into());
    };
    assert_eq!(level("", "gaps", gap), Warning);
    assert_eq!(level("", "state", |it| it.own.state_failure = Some("no".into())), Warning);
}

#[test]
fn services_that_replace_the_ruleset() {
    let flushes = |it: &mut Facts| it.files.flushes_ruleset = true;
    assert_eq!(level("", "nftables_service", flushes), Note);
    let without_watch = |it: &mut Facts| {
        flushes(it);
        it.own.watch = None;
    };
    assert_eq!(level("", "nftables_service", without_watch), Warning);
    assert_eq!(level("", "netfilter_persistent", |it| it.files.restores_docker = true), Warning);
    assert_eq!(level("", "ufw", |it| it.files.enables_ufw = true), Warning);
}
