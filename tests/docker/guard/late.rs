//! Ports that are published after the last apply, while no dwnl process is running.

use super::super::site::{ECHO, Site};
use super::super::support::{Topology, apply, remove, uncovered_ports};
use super::{ALL, NONE, ONLY_ALLOWED, POLICY, create_named_network, expect_both, unguarded};

#[test]
fn a_port_published_later_is_open_to_allowed_clients_only() {
    let site = Site::stock();
    let host = &site.topology.host;
    let policy = POLICY.replace("8080/tcp", "8080-8082/tcp");
    apply(host, &policy);
    create_named_network(&site);
    site.docker.client(&["network", "create", "unnamed"]);
    // In a known network, in one that Docker has named, and in an unknown one.
    for (port, network) in [(8081, "bridge"), (8082, "unnamed"), (8083, "named")] {
        let published = format!("{port}:80");
        site.docker.run(network, &["--network", network, "-p", &published], ECHO);
        site.answers_the_host(port);
        let expected = if port == 8083 { NONE } else { ONLY_ALLOWED };
        expect_both(&site, Topology::HOST, port, expected);
    }
    assert_eq!(uncovered_ports(&apply(host, &policy)), ["8083/tcp"]);
    expect_both(&site, Topology::HOST, 8083, NONE);

    apply(host, &unguarded());
    for port in 8081..=8083 {
        expect_both(&site, Topology::HOST, port, ALL);
    }
    remove(host);
}
