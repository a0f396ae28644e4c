//! Who reaches a published port: before dwnl, with it, and after it.

use super::site::{POLICY, Site};
use super::support::{Docker, Topology, apply, remove};

#[test]
fn only_the_allowed_source_gets_in() {
    let site = Site::new();
    site.is_open();

    apply(&site.topology.host, POLICY);
    site.is_open_to_the_allowed_alone();

    remove(&site.topology.host);
    site.is_open();
}

#[test]
fn a_policy_applied_before_docker_first_starts_holds() {
    let topology = Topology::closed();
    apply(&topology.host, POLICY);

    let docker = Docker::start(&topology.host, &[]);
    let site = Site { topology, docker };
    site.publish_web();
    site.is_open_to_the_allowed_alone();

    remove(&site.topology.host);
    site.is_open();
}

#[test]
fn a_policy_outlasts_a_restart_of_docker() {
    let mut site = Site::new();
    site.is_open();
    apply(&site.topology.host, POLICY);

    site.docker.restart();
    site.is_open_to_the_allowed_alone();
    let again = apply(&site.topology.host, POLICY);
    assert_eq!(again["changed"], false, "Docker has moved the rules: {again}");

    remove(&site.topology.host);
    site.is_open();
}
