//! The guard filters sockets outside the host's own cgroups, including those in cgroups created
//! later.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::super::support::{Answer, Cgroup, Topology, apply, tcp, udp, wait_for};
use super::{ALL, ONLY_ALLOWED, Service, expect, policy};

/// Asserts that the host itself gets answers.
#[track_caller]
fn answers_the_host(topology: &Topology, port: u16) {
    for address in ["127.0.0.1", Topology::HOST6] {
        let attempts = [tcp, udp].map(|attempt| attempt(&topology.host, address, address, port));
        assert_eq!(attempts, [Answer::Answered; 2], "{address}, port {port}");
    }
}

#[test]
fn sockets_in_later_cgroups_are_filtered_from_the_first_packet() {
    let topology = Topology::new();
    let host = &topology.host;
    let (docker, own) = (Cgroup::new(), Cgroup::new());
    let policy = policy(&docker.inner_path(), &[&own]);
    // Without the guard, every client gets in.
    let before = Cgroup::new();
    let service = Service::start(host, before.path(), 8090);
    expect(&topology, 8090, ALL);
    drop((service, before));

    let directories = [own.path().to_owned(), own.inner(), Cgroup::root()];
    let start = |(port, cgroup): (u16, &PathBuf)| (port, Service::start(host, cgroup, port));
    let services: Vec<(u16, Service)> = (8081..).zip(&directories).map(start).collect();
    apply(host, &policy);
    for (port, _) in &services {
        expect(&topology, *port, ALL);
    }
    // New services start, and dwnl is not run again.
    let later = Cgroup::new();
    let service = Service::start(host, later.path(), 8090);
    let inner = Service::start(host, &later.inner(), 8091);
    let own_too = Service::start(host, &own.inner(), 8092);
    for (port, expected) in [(8090, ONLY_ALLOWED), (8091, ONLY_ALLOWED), (8092, ALL)] {
        expect(&topology, port, expected);
        answers_the_host(&topology, port);
    }
    drop((service, inner, own_too));
}

/// As after `systemctl stop docker` and `start`. The rule for the old cgroup no longer matches.
#[test]
fn a_recreated_docker_cgroup_is_filtered() {
    let topology = Topology::new();
    let host = &topology.host;
    let (docker, own) = (Cgroup::new(), Cgroup::new());
    let inner = docker.inner();
    let id = || fs::metadata(docker.inner()).expect("a cgroup").ino();
    let before = id();
    apply(host, &policy(&docker.inner_path(), &[&own]));
    let proxy = Service::start(host, &inner, 8080);
    expect(&topology, 8080, ONLY_ALLOWED);
    drop(proxy);

    wait_for("the end of the cgroup", || fs::remove_dir(&inner).ok());
    assert_ne!(id(), before);
    let proxy = Service::start(host, &inner, 8081);
    expect(&topology, 8081, ONLY_ALLOWED);
    drop(proxy);
}

/// With `host-network`, unlisted sockets are filtered even if no dockerd is found.
#[test]
fn host_network_sockets_are_filtered_without_a_dockerd() {
    let topology = Topology::new();
    let host = &topology.host;
    let own = Cgroup::new();
    let policy = policy("dwnl-test-none", &[&own]);
    apply(host, &policy);
    let later = Cgroup::new();
    let service = Service::start(host, later.path(), 8090);
    expect(&topology, 8090, ALL);
    drop(service);

    apply(host, &format!("{policy}host-network = true\n"));
    let service = Service::start(host, later.path(), 8091);
    let own_too = Service::start(host, own.path(), 8092);
    expect(&topology, 8091, ONLY_ALLOWED);
    expect(&topology, 8092, ALL);
    drop((service, own_too));
}
