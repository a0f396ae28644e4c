//! `dwnl remove` removes everything that dwnl installed, and nothing else.

use super::support::{Namespace, apply, remove};
use super::{POLICY, ruleset};

#[test]
fn removal_restores_a_pristine_host() {
    let host = Namespace::new();
    assert_eq!(ruleset(&host), "");
    apply(&host, POLICY);
    assert_ne!(ruleset(&host), "");

    assert_eq!(remove(&host)["has_changes"], true);
    assert_eq!(ruleset(&host), "");
    assert_eq!(remove(&host)["has_changes"], false);
}

/// Dockerd's rules for one published port, in its order.
const DOCKER: [&str; 7] = [
    "-N DOCKER",
    "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
    "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
    "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
    "-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE",
    "-A DOCKER -i docker0 -j RETURN",
    "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
];

#[test]
fn dockers_rules_are_kept() {
    let host = Namespace::new();
    write_docker_rules(&host);
    let before = ruleset(&host);
    apply(&host, POLICY);
    assert_ne!(ruleset(&host), before);

    remove(&host);
    assert_eq!(ruleset(&host), before);
}

#[test]
fn a_chain_that_docker_uses_is_kept() {
    let host = Namespace::new();
    apply(&host, POLICY);
    // Docker finds its chain and uses it.
    host.try_run(&["iptables", "-t", "nat", "-N", "DOCKER"], "").failed(1);
    for rule in &DOCKER[1..] {
        run(&host, rule);
    }
    remove(&host);

    let fresh = Namespace::new();
    write_docker_rules(&fresh);
    let listing = |host: &Namespace| host.run(&["iptables-save", "-t", "nat"]);
    let lines = |saved: String| {
        let lines = saved.lines().filter(|line| !line.starts_with('#'));
        lines.map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(lines(listing(&host)), lines(listing(&fresh)));
}

fn write_docker_rules(host: &Namespace) {
    for rule in DOCKER {
        run(host, rule);
    }
}

fn run(host: &Namespace, rule: &str) {
    let rule: Vec<&str> = rule.split(' ').collect();
    host.run(&[&["iptables", "-t", "nat"], &rule[..]].concat());
}
