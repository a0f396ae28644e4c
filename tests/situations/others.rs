//! A real firewalld, and the rules of Docker's nftables backend.

use super::situation::{ECHO, Site, Situation};
use super::support::{Answer, Docker, Firewalld, Topology, tcp_echo};
use Answer::{Answered, Refused, TimedOut};

/// The tables of Docker 29, which no Debian suite has yet.
const DOCKER_29: &str = include_str!("../fixtures/docker-29/nftables.nft");

const POLICY: &str = "[[allow]]
ports = [\"8080-8081\"]
from = [\"192.0.2.2\", \"2001:db8::2\"]
";

fn row(name: &'static str, packet: &str, answer: Answer, why: &'static str) -> Situation {
    Situation::new(name, POLICY, &[], packet, answer, why)
}

#[test]
#[rustfmt::skip]
fn firewalld_decides_at_a_later_priority() {
    let topology = Topology::new();
    let docker = Docker::start(&topology.host, &[]);
    docker.run("web", &["--restart=always", "-p", "8080:80"], ECHO);
    let mut site = Site { topology, docker };
    // It flushes Docker's rules when it starts.
    let _firewalld = Firewalld::start(&site.topology.host);
    site.docker.restart();
    let _service = tcp_echo(site.host(), 9000);
    site.check(&[
        row("published, allowed", "192.0.2.2 192.0.2.1 8080/tcp", Answered, "forwarded"),
        row("published, refused", "192.0.2.66 192.0.2.1 8080/tcp", TimedOut, "dropped: inet dwnl translated"),
        row("docker-proxy", "2001:db8::2 2001:db8::1 8080/tcp", Refused, "rejected: inet firewalld filter_IN_public (other_program)"),
        row("a service", "192.0.2.2 192.0.2.1 9000/tcp", Refused, "rejected: inet firewalld filter_IN_public"),
    ]);
}

#[test]
#[rustfmt::skip]
fn dockers_nftables_backend_is_understood() {
    let topology = Topology::new();
    let flags = ["--iptables=false", "--ip6tables=false", "--ipv6", "--fixed-cidr-v6=fd00:db8::/64"];
    let docker = Docker::start(&topology.host, &flags);
    docker.run("web", &["-p", "8080:80", "-p", "192.0.2.3:8081:80"], ECHO);
    let site = Site { topology, docker };
    let format = "{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}";
    let address6 = site.docker.client(&["inspect", "-f", format, "web"]);
    let rules = [("WEB4", &*site.address("web")), ("WEB6", address6.trim()), ("NAMED4", "10.78.0.2"), ("ROUTED4", "10.77.0.2"), ("DIRECT4", "10.79.0.2")]
        .iter()
        .fold(DOCKER_29.to_owned(), |text, (name, address)| text.replace(name, address));
    site.host().try_run(&["nft", "-f", "-"], &rules).succeeded();
    let refused = "dropped: inet dwnl translated";
    site.check(&[
        row("allowed", "192.0.2.2 192.0.2.1 8080/tcp", Answered, "forwarded"),
        row("refused", "192.0.2.66 192.0.2.1 8080/tcp", TimedOut, refused),
        row("at one address, allowed", "192.0.2.2 192.0.2.3 8081/tcp", Answered, "forwarded"),
        row("at one address, refused", "192.0.2.66 192.0.2.3 8081/tcp", TimedOut, refused),
        row("IPv6, allowed", "2001:db8::2 2001:db8::1 8080/tcp", Answered, "forwarded"),
        row("IPv6, refused", "2001:db8::66 2001:db8::1 8080/tcp", TimedOut, refused),
    ]);
}
