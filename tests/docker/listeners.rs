//! The cgroup of a listening socket identifies it as dockerd's (including docker-proxy's) or a
//! container's.

use std::collections::BTreeSet;

use dwnl::Engine;
use dwnl::cgroup::Hierarchy;
use dwnl::model::Listener;

use super::site::ECHO;
use super::support::{Cgroup, Docker, Topology, wait_for};

/// The cgroups of the sockets that listen on a port, once there are any.
fn cgroups(topology: &Topology, port: u16) -> BTreeSet<u64> {
    wait_for("a listening socket", || {
        let mut engine = topology.host.inside(Engine::open).expect("an engine");
        let listeners = engine.host_state().expect("the state of the host").listeners;
        let listeners = listeners.expect("a kernel that can list its sockets").into_iter();
        let on_port = listeners.filter(|listener: &Listener| listener.port == port);
        let cgroups: BTreeSet<u64> = on_port.filter_map(|listener| listener.cgroup).collect();
        (!cgroups.is_empty()).then_some(cgroups)
    })
}

#[test]
fn docker_proxy_listens_in_the_cgroup_of_dockerd() {
    let cgroup = Cgroup::new();
    let topology = Topology::new();
    let docker = Docker::start(&topology.host, &[]);
    cgroup.move_processes_of(&topology.host);

    docker.run("web", &["-p", "8080:80"], ECHO);
    docker.run("dns", &["-p", "8081:80/udp"], "exec sleep 1000");
    docker.run("six", &["-p", "[::]:8082:80"], ECHO);
    for port in [8080, 8081, 8082] {
        assert_eq!(cgroups(&topology, port), BTreeSet::from([cgroup.id()]), "{port}");
    }
}

#[test]
fn a_host_network_container_listens_in_its_own_cgroup() {
    let cgroup = Cgroup::new();
    let topology = Topology::new();
    let docker = Docker::start(&topology.host, &[]);
    cgroup.move_processes_of(&topology.host);

    docker.run("host", &["--network=host"], "exec nc -ll -p 9000 -e cat");
    let ids = cgroups(&topology, 9000);
    let paths = Hierarchy::open().expect("the hierarchy").paths(&ids);
    assert!(!ids.contains(&cgroup.id()));
    let is_container = |path: &str| path.rsplit('/').next().is_some_and(|id| id.len() == 64);
    assert!(paths.len() == 1 && paths.values().all(|it| is_container(&it.path)), "{paths:?}");
}
