//! Who reaches a published port: before, during and after dwnl's rules are in place.

use super::site::{POLICY, Site};
use super::support::{Docker, Topology, apply, remove};

#[test]
fn only_the_allowed_source_gets_in() {
    let site = Site::new();
    site.is_open();

    apply(&site.topology.host, POLICY);
    site.is_open_to_allowed_only();

    remove(&site.topology.host);
    site.is_open();
}

#[test]
fn a_policy_applied_before_docker_first_starts_takes_effect() {
    let topology = Topology::closed();
    apply(&topology.host, POLICY);

    let docker = Docker::start(&topology.host, &[]);
    let site = Site { topology, docker };
    site.publish_web();
    site.is_open_to_allowed_only();

    remove(&site.topology.host);
    site.is_open();
}

#[test]
fn a_policy_survives_a_docker_restart() {
    let mut site = Site::new();
    site.is_open();
    apply(&site.topology.host, POLICY);

    site.docker.restart();
    site.is_open_to_allowed_only();
    let again = apply(&site.topology.host, POLICY);
    assert_eq!(again["has_changes"], false, "the restart changed the rules: {again}");

    remove(&site.topology.host);
    site.is_open();
}
