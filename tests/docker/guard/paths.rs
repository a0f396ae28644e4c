//! The ways into a container of a stock host: `INPUT` accepts, and docker-proxy is on.

use super::super::site::{ECHO, Site};
use super::super::support::{Docker, Topology, apply, remove, tcp};
use super::{
    ALL, ALLOWED_ALONE, Answer, NOBODY, POLICY, address, answered, create_named_network,
    create_network, dropped, expect_both, unguarded,
};

#[test]
fn no_way_is_open_to_the_refused() {
    let site = Site::stock();
    let host = &site.topology.host;
    // From 28 on Docker itself closes the way to a container's own address, unless it is told so.
    create_network(&site, "direct0", "nat-unprotected");
    site.docker.run("direct", &["--network", "direct0", "-p", "8089:80"], ECHO);
    let container = address(&site, "direct");
    expect_both(&site, Topology::HOST, 8080, ALL);
    expect_both(&site, &container, 80, ALL);

    apply(host, &unguarded());
    expect_both(&site, Topology::HOST, 8080, ALL);
    expect_both(&site, &container, 80, ALL);

    apply(host, POLICY);
    assert_eq!(apply(host, POLICY)["changed"], false);
    expect_both(&site, Topology::HOST, 8080, ALLOWED_ALONE);
    expect_both(&site, Topology::HOST_TOO, 8080, ALLOWED_ALONE);
    expect_both(&site, &container, 80, NOBODY);
    // Without the nat part docker-proxy takes in what is not translated.
    host.run(&["iptables", "-t", "nat", "-F"]);
    expect_both(&site, Topology::HOST, 8080, ALLOWED_ALONE);
    for way in ["published port", "docker-proxy", "container's own address"] {
        assert!(dropped(host, way) > 0, "nothing was dropped: {way}");
    }
    // An apply that finds nothing of Docker's there goes on with what was known.
    assert_eq!(apply(host, POLICY)["changed"], true);
    expect_both(&site, Topology::HOST, 8080, ALLOWED_ALONE);
    host.run(&["nft", "delete", "table", "ip", "nat"]);
    expect_both(&site, Topology::HOST, 8080, ALLOWED_ALONE);

    remove(host);
    expect_both(&site, Topology::HOST, 8080, ALL);
    expect_both(&site, &container, 80, ALL);
}

/// From the host itself, from loopback and from containers, of the same network and of another.
fn everybody_inside_is_answered(site: &Site) {
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
    // A service of the host's own.
    let listener = host.inside(|| std::net::TcpListener::bind("0.0.0.0:9000").expect("a port"));
    let client = &site.topology.client;
    let connected =
        super::super::support::Connection::open(client, Topology::REFUSED, Topology::HOST, 9000);
    assert!(connected.is_ok());
    drop(listener);
}

#[test]
fn the_host_and_the_containers_are_as_without_dwnl() {
    let site = Site::stock();
    let host = &site.topology.host;
    create_named_network(&site);
    site.docker.run("neighbour", &[], "exec sleep 1000");
    site.docker.run("stranger", &["--network", "named"], "exec sleep 1000");
    everybody_inside_is_answered(&site);

    apply(host, POLICY);
    everybody_inside_is_answered(&site);
    expect_both(&site, Topology::HOST, 8080, ALLOWED_ALONE);

    // The containers of a network made after the last apply are outsiders until the next one: names
    // alone make nobody an insider.
    site.docker.client(&["rm", "-f", "stranger"]);
    site.docker.client(&["network", "create", "later"]);
    site.docker.run("stranger", &["--network", "later"], "exec sleep 1000");
    let stranger = site.docker.namespace("stranger");
    assert_ne!(tcp(&stranger, "0.0.0.0", Topology::HOST, 8080), Answer::Answered);
    apply(host, POLICY);
    everybody_inside_is_answered(&site);
}

#[test]
fn without_docker_proxy_the_allowed_alone_get_in() {
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
    expect_both(&site, Topology::HOST, 8080, ALLOWED_ALONE);
    answered("a neighbour", call);
    site.docker.run("late", &["-p", "8081:80"], ECHO);
    site.answers_the_host(8081);
    expect_both(&site, Topology::HOST, 8081, NOBODY);
}
