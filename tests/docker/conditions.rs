//! Each condition of a policy, tested with connections.

use super::site::{ECHO, POLICY, Site, expect};
use super::support::{Answer, Topology, apply};

#[test]
fn a_udp_port_is_open_to_allowed_clients_only() {
    let site = Site::new();
    let _server = site.publish_udp();
    site.is_open_over_udp();

    apply(&site.topology.host, &POLICY.replace("8080/tcp", "8080/udp"));
    site.is_open_over_udp_to_allowed_only();
}

#[test]
fn a_port_range_is_open_from_first_to_last_port() {
    let site = Site::new();
    site.docker.run("range", &["-p", "8081-8084:8081-8084"], LISTEN);
    let ports = [8081, 8082, 8083, 8084];
    for port in ports {
        site.expect(Topology::ALLOWED, port, Answer::Answered);
    }

    apply(&site.topology.host, &POLICY.replace("8080/tcp", "8082-8083/tcp"));
    for port in ports {
        let is_allowed = matches!(port, 8082..=8083);
        let answer = if is_allowed { Answer::Answered } else { Answer::TimedOut };
        site.expect(Topology::ALLOWED, port, answer);
    }
    site.expect(Topology::REFUSED, 8082, Answer::TimedOut);
}

const LISTEN: &str = "for port in 8081 8082 8083 8084; do nc -ll -p $port -e cat & done; wait";

#[test]
fn a_source_range_is_allowed_from_first_to_last_address() {
    let sources = ["192.0.2.9", "192.0.2.10", "192.0.2.13", "192.0.2.14"];
    only_the_middle_two_get_in(sources, "192.0.2.10-192.0.2.13");
}

#[test]
fn a_prefix_is_allowed_and_its_neighbours_are_not() {
    let sources = ["192.0.2.15", "192.0.2.16", "192.0.2.31", "192.0.2.32"];
    only_the_middle_two_get_in(sources, "192.0.2.16/28");
}

/// All four sources get in at first. Then only the middle two do, which `allowed` starts and ends
/// with.
fn only_the_middle_two_get_in(sources: [&str; 4], allowed: &str) {
    let site = Site::new();
    for source in sources {
        site.topology.add_client(source);
        site.expect(source, 8080, Answer::Answered);
    }

    apply(&site.topology.host, &POLICY.replace("192.0.2.2", allowed));
    site.expect(sources[0], 8080, Answer::TimedOut);
    site.expect(sources[1], 8080, Answer::Answered);
    site.expect(sources[2], 8080, Answer::Answered);
    site.expect(sources[3], 8080, Answer::TimedOut);
}

#[test]
fn clients_get_in_by_the_given_interface_only() {
    let site = Site::new();
    let attempt = |[source, target]: [&str; 2], answer| {
        expect(&site.topology, source, target, 8080, answer);
    };
    let through_eth0 = [Topology::ALLOWED, Topology::HOST];
    let through_eth1 = [Topology::CLIENT_ETH1, Topology::HOST_ETH1];
    attempt(through_eth0, Answer::Answered);
    attempt(through_eth1, Answer::Answered);

    apply(&site.topology.host, &anyone_with("in-interface = \"eth1\""));
    attempt(through_eth0, Answer::TimedOut);
    attempt(through_eth1, Answer::Answered);

    apply(&site.topology.host, &anyone_with("in-interface = \"!eth1\""));
    attempt(through_eth0, Answer::Answered);
    attempt(through_eth1, Answer::TimedOut);

    apply(&site.topology.host, &anyone_with("in-interface = \"eth+\""));
    attempt(through_eth0, Answer::Answered);
    attempt(through_eth1, Answer::Answered);
}

#[test]
fn clients_get_in_by_the_given_destination_only() {
    let site = Site::new();
    let attempt = |target, answer| expect(&site.topology, Topology::ALLOWED, target, 8080, answer);
    attempt(Topology::HOST, Answer::Answered);
    attempt(Topology::HOST_SECOND, Answer::Answered);

    apply(&site.topology.host, &anyone_with("to = [\"192.0.2.3\"]"));
    attempt(Topology::HOST, Answer::TimedOut);
    attempt(Topology::HOST_SECOND, Answer::Answered);
}

/// Allows everyone who meets this condition.
fn anyone_with(condition: &str) -> String {
    format!("[[allow]]\nports = [\"8080/tcp\"]\n{condition}\n")
}

#[test]
fn a_port_published_on_one_address_is_open_to_allowed_clients_only() {
    let site = Site::new();
    site.docker.run("one", &["-p", "192.0.2.3:8085:80"], ECHO);
    let attempt = |source, answer| {
        expect(&site.topology, source, Topology::HOST_SECOND, 8085, answer);
    };
    attempt(Topology::ALLOWED, Answer::Answered);
    attempt(Topology::REFUSED, Answer::Answered);

    apply(&site.topology.host, &POLICY.replace("8080/tcp", "8085/tcp"));
    attempt(Topology::ALLOWED, Answer::Answered);
    attempt(Topology::REFUSED, Answer::TimedOut);
}
