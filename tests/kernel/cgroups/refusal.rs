//! A service of the host's own that the guard would judge is named, and nothing is applied.

use super::super::ruleset;
use super::super::support::{Cgroup, Namespace, Topology, apply, dwnl, plan, remove};
use super::{ALL, Service, expect, policy};

/// Neither `plan` nor `apply` does anything but to name the cgroup and the port.
#[track_caller]
fn is_refused(host: &Namespace, policy: &str, cgroup: &str, port: u16) {
    let before = ruleset(host);
    for verb in ["plan", "apply"] {
        let complaint = dwnl(host, &[verb, "-f", "-"], policy).failed(1);
        let named = format!("{port}/tcp of {cgroup}, which is not Docker's");
        assert!(complaint.contains(&named), "{verb}: {complaint}");
        assert!(complaint.contains("host-cgroups"), "{verb}: {complaint}");
    }
    assert_eq!(ruleset(host), before);
}

#[test]
fn a_service_outside_the_hosts_cgroups_is_named_before_anything_is_applied() {
    let topology = Topology::new();
    let host = &topology.host;
    let [docker, own, unknown] = [(); 3].map(|()| Cgroup::new());
    let docker = docker.inner_path();
    let (short, cured) = (policy(&docker, &[&own]), policy(&docker, &[&own, &unknown]));
    let service = Service::start(host, &unknown.inner(), 8080);
    let path = unknown.inner_path();
    is_refused(host, &short, &path, 8080);
    assert_eq!(ruleset(host), "");
    expect(&topology, 8080, ALL);

    plan(host, &cured);
    apply(host, &cured);
    expect(&topology, 8080, ALL);
    // What is there stays there.
    is_refused(host, &short, &path, 8080);
    expect(&topology, 8080, ALL);

    drop(service);
    assert_eq!(apply(host, &short)["changed"], true);
}

#[test]
fn a_service_below_the_cgroup_that_is_named_as_dockers_is_named() {
    let topology = Topology::new();
    let host = &topology.host;
    let mistaken = Cgroup::new();
    let service = Service::start(host, &mistaken.inner(), 8080);
    let path = mistaken.inner_path();
    is_refused(host, &policy(mistaken.name(), &[]), &path, 8080);
    // That it is the host's own does not help: the rule for Docker's cgroup comes first.
    is_refused(host, &policy(mistaken.name(), &[&mistaken]), &path, 8080);
    assert_eq!(ruleset(host), "");

    let docker = Cgroup::new();
    apply(host, &policy(&docker.inner_path(), &[&mistaken]));
    expect(&topology, 8080, ALL);
    drop(service);
}

#[test]
fn a_service_that_the_host_alone_can_call_does_not_matter() {
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
    // What is in force is kept up whatever starts meanwhile.
    apply(&host, &policy);
    remove(&host);
    is_refused(&host, &policy, unknown.name(), 8082);
    drop(service);
}
