//! The same over IPv6, where Docker has been told to write rules for it.

use super::site::{ECHO, expect, host};
use super::support::{Answer, Docker, Topology, apply, remove};

/// Before Docker 27 this was an experiment.
const IPV6: [&str; 4] =
    ["--experimental", "--ipv6", "--ip6tables", "--fixed-cidr-v6=fd00:db8::/64"];

#[test]
fn only_the_allowed_source_gets_in() {
    let topology = host();
    let docker = Docker::start(&topology.host, &IPV6);
    docker.run("web", &["-p", "8080:80"], ECHO);
    let attempt = |source, answer| expect(&topology, source, Topology::HOST6, 8080, answer);
    attempt(Topology::ALLOWED6, Answer::Answered);
    attempt(Topology::REFUSED6, Answer::Answered);

    let policy = r#"
        [[allow]]
        ports = ["8080/tcp"]
        from = ["2001:db8::2"]
    "#;
    apply(&topology.host, policy);
    attempt(Topology::ALLOWED6, Answer::Answered);
    attempt(Topology::REFUSED6, Answer::TimedOut);
    expect(&topology, Topology::ALLOWED, Topology::HOST, 8080, Answer::TimedOut);

    remove(&topology.host);
    attempt(Topology::REFUSED6, Answer::Answered);
}
