//! Flows that existed before the policy changed, including those through docker-proxy.

use super::site::{Site, expect};
use super::support::{
    Answer, Connection, Datagrams, Docker, Namespace, Topology, UNGUARDED, apply, wait_for,
};

const KEEP: &str = "";
const CUT: &str = "[revoke]\nestablished = \"cut\"\n";

/// Without docker-proxy no socket of the host listens on the published port.
const WITHOUT_PROXY: [&str; 1] = ["--userland-proxy=false"];

/// Allows these sources to reach the published port.
fn policy(sources: &[&str], settings: &str) -> String {
    format!("[[allow]]\nports = [\"8080/tcp\", \"8080/udp\"]\nfrom = {sources:?}\n{settings}")
}

/// A host whose `INPUT` accepts, so that refused packets leave a flow.
fn site(flags: &[&str]) -> Site {
    let topology = Topology::new();
    let docker = Docker::start(&topology.host, flags);
    Site { topology, docker }
}

#[test]
fn a_refused_udp_client_gets_in_once_allowed() {
    let site = site(&WITHOUT_PROXY);
    let _server = site.publish_udp();
    site.answers_over_udp(Topology::REFUSED);
    let host = &site.topology.host;
    apply(host, &policy(&[Topology::ALLOWED], UNGUARDED));
    let client = Datagrams::open(&site.topology.client, Topology::REFUSED, Topology::HOST, 8080);
    assert_ne!(client.echo(), Answer::Answered);

    // Control: changing the rules is not enough.
    let allow = ["-t", "nat", "-A", "DOCKER-BLOCK", "-s", Topology::REFUSED, "-j", "DOCKER"];
    host.run(&[&["iptables"], &allow[..]].concat());
    site.answers_over_udp(Topology::REFUSED);
    assert_ne!(client.echo(), Answer::Answered);

    let outcome = apply(host, &policy(&[Topology::REFUSED], UNGUARDED));
    assert_eq!(outcome["flows_cleared"], 1, "{outcome}");
    assert_eq!(client.echo(), Answer::Answered);
}

/// An established connection to the published port.
#[track_caller]
fn open(from: &Namespace, source: &str, target: &str) -> Connection {
    let open = || Connection::open(from, source, target, 8080).ok();
    let mut connection = wait_for("a connection", open).expecting_silence();
    assert_eq!(connection.echo(), Answer::Answered, "from {source} to {target}");
    connection
}

#[test]
fn established_connections_are_kept_or_cut() {
    let site = site(&WITHOUT_PROXY);
    site.publish_web();
    site.expect(Topology::REFUSED, 8080, Answer::Answered);
    let Topology { host, client } = &site.topology;
    apply(host, &policy(&[Topology::ALLOWED, Topology::REFUSED], CUT));
    let mut revoked = open(client, Topology::REFUSED, Topology::HOST);
    let mut allowed = open(client, Topology::ALLOWED, Topology::HOST);

    let outcome = apply(host, &policy(&[Topology::ALLOWED], KEEP));
    assert_eq!(outcome["flows_terminated"], 0, "{outcome}");
    assert_eq!(revoked.echo(), Answer::Answered);

    let outcome = apply(host, &policy(&[Topology::ALLOWED], CUT));
    assert_ne!(outcome["flows_terminated"], 0, "{outcome}");
    assert_ne!(revoked.echo(), Answer::Answered);
    assert_eq!(allowed.echo(), Answer::Answered);
}

/// Over IPv6 docker-proxy accepts every client, whatever the policy says.
#[test]
fn a_connection_through_docker_proxy_is_never_cleared_but_can_be_cut() {
    let site = site(&[]);
    site.publish_web();
    expect(&site.topology, Topology::REFUSED6, Topology::HOST6, 8080, Answer::Answered);
    let Topology { host, client } = &site.topology;
    let container = site.docker.namespace("web");
    let mut revoked = open(client, Topology::REFUSED6, Topology::HOST6);
    let mut allowed = open(client, Topology::ALLOWED6, Topology::HOST6);
    let mut unaffected = [
        open(host, Topology::HOST6, Topology::HOST6),
        open(host, Topology::HOST, Topology::HOST),
        open(host, "127.0.0.1", "127.0.0.1"),
        open(&container, "172.17.0.2", Topology::HOST),
    ];
    let mut expect_unaffected = |what: &str| {
        assert_eq!(allowed.echo(), Answer::Answered, "{what}");
        for (number, connection) in unaffected.iter_mut().enumerate() {
            assert_eq!(connection.echo(), Answer::Answered, "{what}: {number}");
        }
    };

    let outcome = apply(host, &policy(&[Topology::ALLOWED6, Topology::REFUSED6], CUT));
    assert_eq!(outcome["flows_cleared"], 0, "{outcome}");
    assert_eq!(outcome["flows_terminated"], 0, "{outcome}");
    expect_unaffected("all allowed");
    assert_eq!(revoked.echo(), Answer::Answered);

    apply(host, &policy(&[Topology::ALLOWED6], KEEP));
    assert_eq!(revoked.echo(), Answer::Answered);
    let outcome = apply(host, &policy(&[Topology::ALLOWED6], CUT));
    assert_ne!(outcome["flows_terminated"], 0, "{outcome}");
    assert_ne!(revoked.echo(), Answer::Answered);
    expect_unaffected("one cut");
}

#[test]
fn an_established_udp_flow_is_kept_or_cut() {
    let site = site(&WITHOUT_PROXY);
    let _server = site.publish_udp();
    let host = &site.topology.host;
    apply(host, &policy(&[Topology::ALLOWED], KEEP));
    site.answers_over_udp(Topology::ALLOWED);
    let client = Datagrams::open(&site.topology.client, Topology::ALLOWED, Topology::HOST, 8080);
    assert_eq!(client.echo(), Answer::Answered);

    let outcome = apply(host, &policy(&[Topology::REFUSED], KEEP));
    assert_eq!(outcome["flows_terminated"], 0, "{outcome}");
    assert_eq!(client.echo(), Answer::Answered);

    let outcome = apply(host, &policy(&[Topology::REFUSED], CUT));
    assert!(outcome["flows_terminated"].as_u64() >= Some(1), "{outcome}");
    assert_ne!(client.echo(), Answer::Answered);
}
