//! Ports that are published after the last apply, with nothing of dwnl's running.

use super::super::site::{ECHO, Site};
use super::super::support::{Topology, apply, remove};
use super::{ALL, ALLOWED_ALONE, NOBODY, POLICY, create_named_network, expect_both, unguarded};

#[test]
fn a_port_published_later_is_open_to_the_allowed_alone() {
    let site = Site::stock();
    let host = &site.topology.host;
    let policy = POLICY.replace("8080/tcp", "8080-8082/tcp");
    apply(host, &policy);
    create_named_network(&site);
    site.docker.client(&["network", "create", "unnamed"]);
    // In a known network, in one of Docker's naming and in one that nothing is known of.
    for (port, network) in [(8081, "bridge"), (8082, "unnamed"), (8083, "named")] {
        let published = format!("{port}:80");
        site.docker.run(network, &["--network", network, "-p", &published], ECHO);
        site.answers_the_host(port);
        let expected = if port == 8083 { NOBODY } else { ALLOWED_ALONE };
        expect_both(&site, Topology::HOST, port, expected);
    }
    let told = apply(host, &policy)["unmentioned"].clone();
    assert_eq!(told, serde_json::json!(["8083/tcp"]));
    expect_both(&site, Topology::HOST, 8083, NOBODY);

    apply(host, &unguarded());
    for port in 8081..=8083 {
        expect_both(&site, Topology::HOST, port, ALL);
    }
    remove(host);
}
