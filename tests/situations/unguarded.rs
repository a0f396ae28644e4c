//! The guard off: docker-proxy, and `INPUT`.

use super::situation::{Commands, Site, Situation};
use super::support::{Answer, Topology, UNGUARDED};
use Answer::{Answered, Refused, TimedOut};

fn row(
    name: &'static str,
    commands: Commands,
    packet: &str,
    answer: Answer,
    why: &'static str,
) -> Situation {
    let sources = [Topology::ALLOWED, Topology::ALLOWED6];
    let policy = format!("[[allow]]\nports = [\"8080\"]\nfrom = {sources:?}\n{UNGUARDED}");
    Situation::new(name, &policy, commands, packet, answer, why)
}

#[test]
#[rustfmt::skip]
fn docker_proxy_answers() {
    let site = Site::new(&[]);
    site.check(&[
        row("allowed", &[], "192.0.2.2 192.0.2.1 8080/tcp", Answered, "forwarded"),
        row("refused, but docker-proxy", &[], "192.0.2.66 192.0.2.1 8080/tcp", Answered, "process (guard_off)"),
        row("refused by INPUT", &["iptables -A INPUT -p tcp --dport 8080 -j DROP"], "192.0.2.66 192.0.2.1 8080/tcp", TimedOut, "dropped: ip filter INPUT"),
        row("IPv6 by docker-proxy", &[], "2001:db8::66 2001:db8::1 8080/tcp", Answered, "process (guard_off)"),
    ]);
}

#[test]
#[rustfmt::skip]
fn without_docker_proxy_the_host_refuses() {
    // Over IPv4, dockerd itself listens on the port, so that no other program takes it.
    let site = Site::new(&["--userland-proxy=false"]);
    site.check(&[
        row("allowed", &[], "192.0.2.2 192.0.2.1 8080/tcp", Answered, "forwarded"),
        row("IPv6", &[], "2001:db8::2 2001:db8::1 8080/tcp", Refused, "nobody_listens"),
    ]);
}
