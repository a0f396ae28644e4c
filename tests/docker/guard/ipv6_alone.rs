//! Ports that are published for IPv6 alone, to containers that have IPv4 alone: Docker writes no rule for
//! them, and docker-proxy's socket is all that there is.

use super::super::site::{ECHO, Site};
use super::super::support::{Answer, Topology, apply, remove, tcp, udp_echo};
use super::{ALL, ALLOWED_ALONE, NOBODY, answered, becomes, expect_both6, expect_udp};

/// Lets one client in on these ports, and nobody on 8085.
const POLICY: &str = r#"
[[allow]]
ports = ["8081-8084/tcp", "8081-8084/udp"]
from = ["2001:db8::2"]
"#;

#[test]
fn the_allowed_alone_get_in() {
    let site = Site::service(&[]);
    let host = &site.topology.host;
    let ports = ["-p", "[::]:8081:80", "-p", "[2001:db8::1]:8083:80", "-p", "[::]:8085:80"];
    site.docker.run("web", &ports, ECHO);
    for port in [8081, 8083, 8085] {
        expect_both6(&site, Topology::HOST6, port, ALL);
    }

    apply(host, &site.told(POLICY, ""));
    let known = |port| if port == 8085 { NOBODY } else { ALLOWED_ALONE };
    for port in [8081, 8083, 8085] {
        expect_both6(&site, Topology::HOST6, port, known(port));
    }
    answered("the host itself", || tcp(host, "::1", "::1", 8081));

    // After the apply, with nothing of dwnl's running.
    let ports = ["-p", "[::]:8082:80", "-p", "[2001:db8::1]:8084:80", "-p", "[::]:8086:80"];
    site.docker.run("late", &ports, ECHO);
    for port in [8082, 8084, 8086] {
        answered("the host itself", || tcp(host, Topology::HOST6, Topology::HOST6, port));
        let expected = if port == 8086 { NOBODY } else { ALLOWED_ALONE };
        expect_both6(&site, Topology::HOST6, port, expected);
    }
    remove(host);
    expect_both6(&site, Topology::HOST6, 8086, ALL);
}

#[test]
fn the_allowed_alone_get_in_over_udp() {
    let site = Site::service(&[]);
    let ports = ["-p", "[::]:8081:80/udp", "-p", "[2001:db8::1]:8083:80/udp"];
    site.docker.run("dns", &ports, "exec sleep 1000");
    let _dns = udp_echo(&site.docker.namespace("dns"), 80);
    for port in [8081, 8083] {
        expect_udp(&site, Topology::HOST6, port, ALL);
    }

    apply(&site.topology.host, &site.told(POLICY, ""));
    for port in [8081, 8083] {
        expect_udp(&site, Topology::HOST6, port, ALLOWED_ALONE);
    }
    site.docker.run("late", &["-p", "[::]:8082:80/udp"], "exec sleep 1000");
    let _late = udp_echo(&site.docker.namespace("late"), 80);
    expect_udp(&site, Topology::HOST6, 8082, ALLOWED_ALONE);
}

/// By another address of the host, on the other interface.
#[test]
fn the_second_interface_is_no_way_in() {
    let site = Site::service(&[]);
    let host = &site.topology.host;
    site.docker.run("web", &["-p", "[::]:8081:80"], ECHO);
    // Another prefix than that which the policy allows, on the interface that nobody is allowed on.
    for (namespace, address) in [(host, "fd00:1::1/64"), (&site.topology.client, "fd00:1::2/64")] {
        namespace.run(&["ip", "address", "add", address, "dev", "eth1", "nodad"]);
    }
    let attempt = || tcp(&site.topology.client, "fd00:1::2", "fd00:1::1", 8081);
    answered("the second interface", attempt);
    apply(host, &site.told(POLICY, ""));
    assert_eq!(attempt(), Answer::TimedOut);
    becomes(&site, Topology::ALLOWED6, 8081, Answer::Answered);
}
