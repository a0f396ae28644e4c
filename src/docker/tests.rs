//! Which chains reveal something, and how ports become ranges.

use super::*;
use crate::model::TablePath;

fn path(table: &str, chain: &str) -> ChainPath {
    let table = TablePath { family: Family::Ip, table: table.into() };
    ChainPath { table, chain: chain.into() }
}

fn published(port: u16) -> PublishedPort {
    let ports = Ports::new(Protocol::Tcp, port, port).expect("a port");
    PublishedPort { address: None, family: Family::Inet, ports }
}

fn texts(published: &[PublishedPort]) -> Vec<String> {
    published.iter().map(ToString::to_string).collect()
}

#[test]
fn the_operators_chains_tell_nothing() {
    assert!(!is_docker_chain(&path("filter", "DOCKER-USER")));
    assert!(!is_docker_chain(&path("filter", "INPUT")));
    assert!(!is_docker_chain(&path("nat", "OUTPUT")));
    assert!(!is_docker_chain(&path("docker-bridges", "raw-PREROUTING")));
    assert!(is_docker_chain(&path("docker-bridges", "filter-forward-in__br0")));
    assert!(is_docker_chain(&path("docker-bridges", "filter-forward-out__br0")));
}

#[test]
fn consecutive_ports_are_one_range() {
    assert_eq!(texts(&ranges(&[80, 443, 444, 445].map(published))), ["80/tcp", "443-445/tcp"]);
}
