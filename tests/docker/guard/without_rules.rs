//! A dockerd that writes no rules (`--iptables=false`): docker-proxy accepts both IP versions.

use super::super::site::{ECHO, Site};
use super::super::support::{Topology, apply, tcp, udp_echo};
use super::{ALL, NONE, ONLY_ALLOWED, answered, expect_both, expect_both6, expect_udp};

const POLICY: &str = r#"
[[allow]]
ports = ["8080-8082/tcp", "8080/udp"]
from = ["192.0.2.2", "2001:db8::2"]
"#;

#[test]
fn only_allowed_clients_get_in() {
    let site = Site::service(&["--iptables=false"]);
    let host = &site.topology.host;
    let ports = ["-p", "8080:80", "-p", "8080:80/udp", "-p", "192.0.2.3:8081:80", "-p", "8090:80"];
    site.docker.run("web", &ports, ECHO);
    let _dns = udp_echo(&site.docker.namespace("web"), 80);
    let each = |expected, port, target| {
        expect_both(&site, target, port, expected);
    };
    each(ALL, 8081, Topology::HOST_SECOND);
    for port in [8080, 8090] {
        each(ALL, port, Topology::HOST);
        expect_both6(&site, Topology::HOST6, port, ALL);
    }
    for target in [Topology::HOST, Topology::HOST6] {
        expect_udp(&site, target, 8080, ALL);
    }

    apply(host, &site.policy_with(POLICY, ""));
    each(ONLY_ALLOWED, 8081, Topology::HOST_SECOND);
    for (port, expected) in [(8080, ONLY_ALLOWED), (8090, NONE)] {
        each(expected, port, Topology::HOST);
        expect_both6(&site, Topology::HOST6, port, expected);
    }
    for target in [Topology::HOST, Topology::HOST6] {
        expect_udp(&site, target, 8080, ONLY_ALLOWED);
    }

    site.docker.run("late", &["-p", "8082:80", "-p", "8091:80"], ECHO);
    for (port, expected) in [(8082, ONLY_ALLOWED), (8091, NONE)] {
        answered("the host itself", || tcp(host, Topology::HOST, Topology::HOST, port));
        each(expected, port, Topology::HOST);
        expect_both6(&site, Topology::HOST6, port, expected);
    }
}
