//! The cgroups of listening sockets: what the guard's tests assume about their hosts.

use super::site::ECHO;
use super::support::{Docker, Namespace, Topology, wait_for};

/// The cgroup of the socket that listens on this address, as `ss` prints it.
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
    let expect_stock_cgroups = |docker: &Docker| {
        for proxied in ["0.0.0.0:8080", "[::]:8080", "[::]:8081"] {
            assert_eq!(listener(host, proxied), docker.cgroup_path());
        }
        assert_eq!(listener(host, "*:8090"), format!("{slice}/{id}"));
    };
    expect_stock_cgroups(&docker);
    docker.restart();
    expect_stock_cgroups(&docker);
    docker.restart_in_new_cgroup(|| ());
    expect_stock_cgroups(&docker);
}
