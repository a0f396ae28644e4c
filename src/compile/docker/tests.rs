//! Which chains tell something, and how ports are reported.

use super::*;
use crate::policy::Guard;
use crate::ruleset::{Protocol, TablePath};

fn path(table: &str, chain: &str) -> ChainPath {
    let table = TablePath { family: Family::Ip, table: table.into() };
    ChainPath { table, chain: chain.into() }
}

fn published(port: u16) -> Published {
    let ports = Ports::new(Protocol::Tcp, port, port).expect("a port");
    Published { address: None, family: Family::Inet, ports }
}

fn texts(published: &[Published]) -> Vec<String> {
    published.iter().map(ToString::to_string).collect()
}

#[test]
fn the_operators_chains_tell_nothing() {
    assert!(!tells_of_docker(&path("filter", "DOCKER-USER")));
    assert!(!tells_of_docker(&path("filter", "INPUT")));
    assert!(!tells_of_docker(&path("nat", "OUTPUT")));
    assert!(!tells_of_docker(&path("docker-bridges", "raw-PREROUTING")));
    assert!(tells_of_docker(&path("docker-bridges", "filter-forward-in__br0")));
    assert!(tells_of_docker(&path("docker-bridges", "filter-forward-out__br0")));
}

#[test]
fn consecutive_ports_are_one_range() {
    assert_eq!(texts(&ranges(&[80, 443, 444, 445].map(published))), ["80/tcp", "443-445/tcp"]);
}

#[test]
fn a_port_of_both_families_is_reported_once() {
    let six = Published { family: Family::Ip6, ..published(443) };
    let other = Published { family: Family::Ip6, ..published(8443) };
    let docker = Docker { published: [published(443), six, other].into(), ..Docker::default() };
    assert_eq!(texts(&unmentioned(&Policy::default(), &docker)), ["8443/tcp", "443/tcp"]);
}

#[test]
fn what_nothing_protects_is_not_blocked() {
    let address = |text: &str| text.parse().ok();
    let routed = Published { address: address("10.81.0.2"), family: Family::Ip, ..published(80) };
    let loopback = Published { address: address("127.0.0.1"), ..published(81) };
    let docker = Docker {
        published: [published(443), published(8080), loopback.clone()].into(),
        native: [published(8080), loopback].into(),
        routed_ports: [routed].into(),
        ..Docker::default()
    };
    let guarded = Policy::default();
    let blocked = ["443/tcp", "8080/tcp", "80/tcp on 10.81.0.2"];
    assert_eq!(texts(&unmentioned(&guarded, &docker)), blocked);
    assert!(unprotected(&guarded, &docker).is_empty());
    let open = Policy { guard: Guard::off(), ..Policy::default() };
    assert_eq!(texts(&unmentioned(&open, &docker)), ["443/tcp"]);
    assert_eq!(texts(&unprotected(&open, &docker)), ["8080/tcp", "80/tcp on 10.81.0.2"]);
}
