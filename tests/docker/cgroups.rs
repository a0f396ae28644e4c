//! Whose cgroups the listening sockets have: what the tests of the guard presume of the host that they
//! make.

use super::site::ECHO;
use super::support::{Docker, Namespace, Topology, wait_for};

/// The cgroup of who listens on a port, in the words of `ss`.
#[track_caller]
fn listener(host: &Namespace, at: &str) -> String {
    wait_for(at, || {
        let listing =
            host.run(&["ss", "--no-header", "--listening", "--numeric", "--tcp", "--cgroup"]);
        let mut lines = listing.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let line = lines.find(|words| words.get(3) == Some(&at))?;
        line.iter().find_map(|word| word.strip_prefix("cgroup:/")).map(str::to_owned)
    })
}

#[test]
fn sockets_have_the_cgroups_of_a_stock_host() {
    let topology = Topology::new();
    let host = &topology.host;
    let mut docker = Docker::start_service(host, &[]);
    let always = "--restart=always";
    docker.run("web", &[always, "-p", "8080:80", "-p", "[::]:8081:80"], ECHO);
    docker.run("own", &[always, "--network=host"], "exec nc -ll -p 8090 -e cat");
    let slice = docker.cgroup_path().replace("/docker.service", "");
    let id = docker.client(&["inspect", "-f", "{{.Id}}", "own"]).trim().to_owned();
    assert_eq!(id.len(), 64);
    let are_as_on_a_stock_host = |docker: &Docker| {
        for proxied in ["0.0.0.0:8080", "[::]:8080", "[::]:8081"] {
            assert_eq!(listener(host, proxied), docker.cgroup_path());
        }
        assert_eq!(listener(host, "*:8090"), format!("{slice}/{id}"));
    };
    are_as_on_a_stock_host(&docker);
    docker.restart();
    are_as_on_a_stock_host(&docker);
    docker.restart_in_new_cgroup(|| ());
    are_as_on_a_stock_host(&docker);
}
