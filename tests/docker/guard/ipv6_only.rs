//! Ports that are published for IPv6 only, by containers with IPv4 only. Docker writes no rule for
//! them; docker-proxy's socket is the only sign of them.

use super::super::site::{ECHO, Site};
use super::super::support::{Answer, Topology, apply, remove, tcp, udp_echo};
use super::{ALL, NONE, ONLY_ALLOWED, answered, becomes, expect_both6, expect_udp};

/// Allows one client on these ports, and none on 8085.
const POLICY: &str = r#"
[[allow]]
ports = ["8081-8084/tcp", "8081-8084/udp"]
from = ["2001:db8::2"]
"#;

#[test]
fn only_allowed_clients_get_in() {
    let site = Site::service(&[]);
    let host = &site.topology.host;
    let ports = ["-p", "[::]:8081:80", "-p", "[2001:db8::1]:8083:80", "-p", "[::]:8085:80"];
    site.docker.run("web", &ports, ECHO);
    for port in [8081, 8083, 8085] {
        expect_both6(&site, Topology::HOST6, port, ALL);
    }

    apply(host, &site.policy_with(POLICY, ""));
    let known = |port| if port == 8085 { NONE } else { ONLY_ALLOWED };
    for port in [8081, 8083, 8085] {
        expect_both6(&site, Topology::HOST6, port, known(port));
    }
    answered("the host itself", || tcp(host, "::1", "::1", 8081));

    // Published after the apply, while no dwnl process is running.
    let ports = ["-p", "[::]:8082:80", "-p", "[2001:db8::1]:8084:80", "-p", "[::]:8086:80"];
    site.docker.run("late", &ports, ECHO);
    for port in [8082, 8084, 8086] {
        answered("the host itself", || tcp(host, Topology::HOST6, Topology::HOST6, port));
        let expected = if port == 8086 { NONE } else { ONLY_ALLOWED };
        expect_both6(&site, Topology::HOST6, port, expected);
    }
    remove(host);
    expect_both6(&site, Topology::HOST6, 8086, ALL);
}

#[test]
fn only_allowed_clients_get_in_over_udp() {
    let site = Site::service(&[]);
    let ports = ["-p", "[::]:8081:80/udp", "-p", "[2001:db8::1]:8083:80/udp"];
    site.docker.run("dns", &ports, "exec sleep 1000");
    let _dns = udp_echo(&site.docker.namespace("dns"), 80);
    for port in [8081, 8083] {
        expect_udp(&site, Topology::HOST6, port, ALL);
    }

    apply(&site.topology.host, &site.policy_with(POLICY, ""));
    for port in [8081, 8083] {
        expect_udp(&site, Topology::HOST6, port, ONLY_ALLOWED);
    }
    site.docker.run("late", &["-p", "[::]:8082:80/udp"], "exec sleep 1000");
    let _late = udp_echo(&site.docker.namespace("late"), 80);
    expect_udp(&site, Topology::HOST6, 8082, ONLY_ALLOWED);
}

/// The client uses another address of the host, on the other interface.
#[test]
fn the_second_interface_is_blocked() {
    let site = Site::service(&[]);
    let host = &site.topology.host;
    site.docker.run("web", &["-p", "[::]:8081:80"], ECHO);
    // A prefix that the policy does not allow, on an interface without allowed clients.
    for (namespace, address) in [(host, "fd00:1::1/64"), (&site.topology.client, "fd00:1::2/64")] {
        namespace.run(&["ip", "address", "add", address, "dev", "eth1", "nodad"]);
    }
    let attempt = || tcp(&site.topology.client, "fd00:1::2", "fd00:1::1", 8081);
    answered("the second interface", attempt);
    apply(host, &site.policy_with(POLICY, ""));
    assert_eq!(attempt(), Answer::TimedOut);
    becomes(&site, Topology::ALLOWED6, 8081, Answer::Answered);
}
