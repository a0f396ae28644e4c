//! The paths into a container on a stock host, where `INPUT` accepts and docker-proxy is on.

use super::super::site::{ECHO, Site};
use super::super::support::{Docker, Topology, apply, remove, tcp};
use super::{
    ALL, Answer, NONE, ONLY_ALLOWED, POLICY, address, answered, create_named_network,
    create_network, dropped, expect_both, unguarded,
};

#[test]
fn no_path_is_open_to_the_refused_client() {
    let site = Site::stock();
    let host = &site.topology.host;
    // Docker 28 and later block a container's own address themselves unless the network has this
    // gateway mode.
    create_network(&site, "direct0", "nat-unprotected");
    site.docker.run("direct", &["--network", "direct0", "-p", "8089:80"], ECHO);
    let container = address(&site, "direct");
    expect_both(&site, Topology::HOST, 8080, ALL);
    expect_both(&site, &container, 80, ALL);

    apply(host, &unguarded());
    expect_both(&site, Topology::HOST, 8080, ALL);
    expect_both(&site, &container, 80, ALL);

    apply(host, POLICY);
    assert_eq!(apply(host, POLICY)["has_changes"], false);
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
    expect_both(&site, Topology::HOST_SECOND, 8080, ONLY_ALLOWED);
    expect_both(&site, &container, 80, NONE);
    // Without the nat rules docker-proxy accepts what is not translated.
    host.run(&["iptables", "-t", "nat", "-F"]);
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
    for path in ["published port", "docker-proxy", "container's own address"] {
        assert!(dropped(host, path) > 0, "nothing was dropped: {path}");
    }
    // An apply that finds none of Docker's rules keeps the known ports.
    assert_eq!(apply(host, POLICY)["has_changes"], true);
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
    host.run(&["nft", "delete", "table", "ip", "nat"]);
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);

    remove(host);
    expect_both(&site, Topology::HOST, 8080, ALL);
    expect_both(&site, &container, 80, ALL);
}

/// Asserts that the host itself, loopback and containers of the same and another network are
/// answered.
fn all_internal_clients_are_answered(site: &Site) {
    let host = &site.topology.host;
    for own in [Topology::HOST, "127.0.0.1"] {
        answered(own, || tcp(host, own, own, 8080));
    }
    answered("the container's own address", || tcp(host, "0.0.0.0", &address(site, "web"), 80));
    for container in ["neighbour", "stranger"] {
        let namespace = site.docker.namespace(container);
        answered(container, || tcp(&namespace, "0.0.0.0", Topology::HOST, 8080));
    }
    let neighbour = site.docker.namespace("neighbour");
    answered("a neighbour", || tcp(&neighbour, "0.0.0.0", &address(site, "web"), 80));
    // A service of the host itself.
    let listener = host.inside(|| std::net::TcpListener::bind("0.0.0.0:9000").expect("a port"));
    let client = &site.topology.client;
    let connected =
        super::super::support::Connection::open(client, Topology::REFUSED, Topology::HOST, 9000);
    assert!(connected.is_ok());
    drop(listener);
}

#[test]
fn traffic_of_the_host_and_containers_is_unaffected() {
    let site = Site::stock();
    let host = &site.topology.host;
    create_named_network(&site);
    site.docker.run("neighbour", &[], "exec sleep 1000");
    site.docker.run("stranger", &["--network", "named"], "exec sleep 1000");
    all_internal_clients_are_answered(&site);

    apply(host, POLICY);
    all_internal_clients_are_answered(&site);
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);

    // Containers of a network that was created after the last apply count as external until the
    // next one: a bridge's name alone does not make it internal.
    site.docker.client(&["rm", "-f", "stranger"]);
    site.docker.client(&["network", "create", "later"]);
    site.docker.run("stranger", &["--network", "later"], "exec sleep 1000");
    let stranger = site.docker.namespace("stranger");
    assert_ne!(tcp(&stranger, "0.0.0.0", Topology::HOST, 8080), Answer::Answered);
    apply(host, POLICY);
    all_internal_clients_are_answered(&site);
}

#[test]
fn without_docker_proxy_only_allowed_clients_get_in() {
    let topology = Topology::new();
    let docker = Docker::start(&topology.host, &["--userland-proxy=false"]);
    let site = Site { topology, docker };
    site.publish_web();
    site.docker.run("neighbour", &[], "exec sleep 1000");
    let neighbour = site.docker.namespace("neighbour");
    let call = || tcp(&neighbour, "0.0.0.0", Topology::HOST, 8080);
    expect_both(&site, Topology::HOST, 8080, ALL);
    answered("a neighbour", call);

    apply(&site.topology.host, POLICY);
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
    answered("a neighbour", call);
    site.docker.run("late", &["-p", "8081:80"], ECHO);
    site.answers_the_host(8081);
    expect_both(&site, Topology::HOST, 8081, NONE);
}
