//! What a policy allows without effect on a host with Docker's rules and those of other programs.

use std::path::Path;

use dwnl::mismatch::{DropCause, Mismatch, mismatches};
use dwnl::{Engine, Policy};

use super::support::{Namespace, apply, plan};

/// Docker's rules for a port that is published as 81, and an address of the host.
fn host() -> Namespace {
    let host = Namespace::new();
    host.run(&["ip", "link", "add", "docker0", "type", "bridge"]);
    host.run(&["ip", "link", "add", "eth0", "type", "bridge"]);
    host.run(&["ip", "address", "add", "192.0.2.1/24", "dev", "eth0"]);
    for rule in [
        "iptables -t nat -N DOCKER",
        "iptables -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 81 -j DNAT --to-destination \
         172.17.0.2:8001",
        "iptables -N DOCKER-USER",
        "iptables -A FORWARD -j DOCKER-USER",
        "iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "iptables -A FORWARD -o docker0 -j ACCEPT",
        "iptables -P FORWARD DROP",
    ] {
        host.run(&rule.split_whitespace().collect::<Vec<_>>());
    }
    host
}

fn found(host: &Namespace, policy: &str) -> Vec<Mismatch> {
    let policy = Policy::parse(policy, "p", Path::new("")).expect("a policy");
    let mut engine = Engine::open_in(Path::new(&host.path())).expect("an engine");
    let docker = engine.snapshot().expect("a snapshot").docker;
    let facts = engine.host_facts(&policy).expect("facts");
    mismatches(&policy, &docker, &facts)
}

#[test]
fn the_port_of_a_container_is_recognised() {
    let found = found(&host(), "[[allow]]\nports = ['8001', '81']\n");
    let [Mismatch::NotPublished { ports, published_as }] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(ports.to_string(), "8001/tcp");
    assert_eq!(published_as.iter().map(ToString::to_string).collect::<Vec<_>>(), ["81/tcp"]);
}

#[test]
fn missing_interfaces_and_addresses_are_found() {
    let host = host();
    let sound =
        "[[allow]]\nports = ['81']\nin-interface = 'eth0'\nto = ['192.0.2.1', '127.0.0.1']\n";
    assert_eq!(found(&host, sound), []);
    let other =
        "[[allow]]\nports = ['81']\nin-interface = 'eth1'\nto = ['192.0.2.2', '2001:db8::9']\n";
    let found = found(&host, other);
    let missing = |it: &Mismatch| match it {
        Mismatch::NoInterface { interface, .. } => interface.to_string(),
        Mismatch::NoAddress { addresses, .. } => addresses.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(found.iter().map(missing).collect::<Vec<_>>(), ["eth1", "192.0.2.2", "2001:db8::9"]);
}

/// The chains that drop, after this command on a host with Docker.
fn dropping(commands: &[&str]) -> Vec<(String, DropCause)> {
    let host = host();
    for command in commands {
        host.run(&command.split(' ').collect::<Vec<_>>());
    }
    let found = found(&host, "[[allow]]\nports = ['81']\nfrom = ['198.51.100.0/24']\n");
    let dropped = found.into_iter().map(|it| match it {
        Mismatch::Dropped { chain, cause, .. } => (chain.to_string(), cause),
        other => panic!("{other:?}"),
    });
    dropped.collect()
}

#[test]
fn rules_of_docker_user_that_drop_what_is_allowed_are_found() {
    for rule in ["-j DROP", "-j REJECT", "-i eth0 -j DROP", "! -s 192.0.2.0/24 -j DROP"] {
        let found = dropping(&[&format!("iptables -A DOCKER-USER {rule}")]);
        let [(chain, DropCause::Rule { .. })] = found.as_slice() else {
            panic!("{rule}: {found:?}")
        };
        assert_eq!(chain, "ip filter DOCKER-USER", "{rule}");
    }
    for rule in
        ["-j RETURN", "-s 192.0.2.7 -j DROP", "-p tcp --dport 22 -j DROP", "-m limit -j DROP"]
    {
        assert_eq!(dropping(&[&format!("iptables -A DOCKER-USER {rule}")]), [], "{rule}");
    }
    let before = "iptables -A DOCKER-USER -s 198.51.100.0/25 -m limit -j ACCEPT";
    assert_eq!(dropping(&[before, "iptables -A DOCKER-USER -j DROP"]), [], "it is not certain");
}

#[test]
fn base_chains_of_other_programs_that_drop_what_is_allowed_are_found() {
    let chain =
        "nft add chain inet other forward { type filter hook forward priority 0 ; policy drop ; }";
    let table = "nft add table inet other";
    let found = dropping(&[table, chain]);
    assert_eq!(found, [("inet other forward".to_owned(), DropCause::Policy)]);
    let accepts = "nft add rule inet other forward oifname docker0 accept";
    assert_eq!(dropping(&[table, chain, accepts]), []);
    let dormant = "nft add table inet other { flags dormant ; }";
    assert_eq!(dropping(&[table, chain, dormant]), [], "the table is switched off");
    let raw = "iptables -t raw -A PREROUTING -i eth0 -j DROP";
    let found = dropping(&[raw]);
    assert_eq!(found.first().map(|(chain, _)| chain.as_str()), Some("ip raw PREROUTING"));
}

#[test]
fn plan_and_apply_warn_of_what_has_no_effect() {
    let host = host();
    host.run(&["iptables", "-A", "DOCKER-USER", "-i", "eth0", "-j", "DROP"]);
    let policy = "[[allow]]\nname = 'web'\nports = ['81', '8001']\n";
    for report in [plan(&host, policy), apply(&host, policy)] {
        let warnings = report["warnings"].as_array().expect("warnings");
        for expected in [
            "Docker does not publish 8001/tcp, which the policy allows: 8001 is the container's port; \
             it is published as 81/tcp",
            "ip filter DOCKER-USER drops everything that comes in by eth0, which entry `web` at \
             <stdin>:1:1 allows",
        ] {
            assert!(warnings.iter().any(|it| it == expected), "{warnings:#?}");
        }
    }
}
