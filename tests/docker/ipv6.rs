//! Published ports over IPv6, where Docker is configured to write rules for it.

use super::site::{ECHO, expect};
use super::support::{Answer, Docker, Topology, apply, remove};

#[test]
fn only_the_allowed_source_gets_in() {
    let topology = Topology::closed();
    let docker = Docker::start(&topology.host, &Docker::IPV6);
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
