//! dwnl names host services that the guard would filter, and applies nothing.

use super::super::ruleset;
use super::super::support::{Cgroup, Namespace, Topology, apply, dwnl, plan, remove};
use super::{ALL, Service, expect, policy};

/// Asserts that `plan` and `apply` fail with the cgroup and the port, and change nothing.
#[track_caller]
fn is_rejected(host: &Namespace, policy: &str, cgroup: &str, port: u16) {
    let before = ruleset(host);
    for command in ["plan", "apply"] {
        let message = dwnl(host, &[command, "-f", "-"], policy).failed(1);
        let named = format!("{port}/tcp of {cgroup}, which is not part of Docker");
        assert!(message.contains(&named), "{command}: {message}");
        assert!(message.contains("host-cgroups"), "{command}: {message}");
    }
    assert_eq!(ruleset(host), before);
}

#[test]
fn a_service_outside_the_host_cgroups_is_rejected() {
    let topology = Topology::new();
    let host = &topology.host;
    let [docker, own, unknown] = [(); 3].map(|()| Cgroup::new());
    let docker = docker.inner_path();
    let (incomplete, complete) = (policy(&docker, &[&own]), policy(&docker, &[&own, &unknown]));
    let service = Service::start(host, &unknown.inner(), 8080);
    let path = unknown.inner_path();
    is_rejected(host, &incomplete, &path, 8080);
    assert_eq!(ruleset(host), "");
    expect(&topology, 8080, ALL);

    plan(host, &complete);
    apply(host, &complete);
    expect(&topology, 8080, ALL);
    // The applied rules stay in force.
    is_rejected(host, &incomplete, &path, 8080);
    expect(&topology, 8080, ALL);

    drop(service);
    assert_eq!(apply(host, &incomplete)["has_changes"], true);
}

#[test]
fn a_host_service_in_the_docker_cgroup_is_rejected() {
    let topology = Topology::new();
    let host = &topology.host;
    let host_cgroup = Cgroup::new();
    let service = Service::start(host, &host_cgroup.inner(), 8080);
    let path = host_cgroup.inner_path();
    is_rejected(host, &policy(host_cgroup.name(), &[]), &path, 8080);
    // Listing it in `host-cgroups` does not help: the rule for Docker's cgroup comes first.
    is_rejected(host, &policy(host_cgroup.name(), &[&host_cgroup]), &path, 8080);
    assert_eq!(ruleset(host), "");

    let docker = Cgroup::new();
    apply(host, &policy(&docker.inner_path(), &[&host_cgroup]));
    expect(&topology, 8080, ALL);
    drop(service);
}

#[test]
fn a_loopback_service_is_accepted() {
    let host = Namespace::new();
    let [docker, own, unknown] = [(); 3].map(|()| Cgroup::new());
    let policy = policy(&docker.inner_path(), &[&own]);
    for (address, port) in [("127.0.0.53", 8080), ("::1", 8081)] {
        let service = Service::start_at(&host, unknown.path(), address, port);
        plan(&host, &policy);
        apply(&host, &policy);
        drop(service);
    }
    let service = Service::start_at(&host, unknown.path(), "0.0.0.0", 8082);
    // Services that start later do not prevent an apply of the policy in force.
    apply(&host, &policy);
    remove(&host);
    is_rejected(&host, &policy, unknown.name(), 8082);
    drop(service);
}
