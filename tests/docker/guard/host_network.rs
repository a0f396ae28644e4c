//! Containers in the host's network namespace (`--network=host`), which publish no port.

use super::super::site::Site;
use super::super::support::{Topology, Watch, apply, remove, tcp_echo};
use super::{ALL, Answer, NONE, ONLY_ALLOWED, answered, becomes, expect_both, expect_both6, tcp};

const POLICY: &str = r#"
[[allow]]
ports = ["8090/tcp"]
from = ["192.0.2.2", "2001:db8::2"]
"#;

/// Listens on two ports of the host, over both IP versions.
const ECHOES: &str = "nc -ll -p 8090 -e cat & exec nc -ll -p 8091 -e cat";

fn start(site: &Site, name: &str, command: &str) {
    site.docker.run(name, &["--restart=always", "--network=host"], command);
}

#[track_caller]
fn expect_each(site: &Site, port: u16, expected: [Answer; 2]) {
    expect_both(site, Topology::HOST, port, expected);
    expect_both6(site, Topology::HOST6, port, expected);
}

#[test]
fn host_network_ports_are_filtered_if_configured() {
    let mut site = Site::service(&[]);
    start(&site, "own", ECHOES);
    for port in [8090, 8091] {
        expect_each(&site, port, ALL);
    }
    apply(&site.topology.host, &site.policy_with(POLICY, ""));
    for port in [8090, 8091] {
        expect_each(&site, port, ALL);
    }

    let policy = site.policy_with(POLICY, "host-network = true");
    apply(&site.topology.host, &policy);
    expect_each(&site, 8090, ONLY_ALLOWED);
    expect_each(&site, 8091, NONE);
    let host = &site.topology.host;
    answered("the host itself", || tcp(host, "127.0.0.1", "127.0.0.1", 8091));
    // A service of the host itself stays reachable.
    let own = tcp_echo(host, 9000);
    expect_each(&site, 9000, ALL);
    drop(own);

    // A container that is started later, or restarted, has another cgroup.
    site.docker.client(&["rm", "-f", "own"]);
    let _watch = Watch::start(&site.topology.host, &policy);
    start(&site, "own", ECHOES);
    start(&site, "later", "exec nc -ll -p 8092 -e cat");
    for port in [8091, 8092] {
        becomes(&site, Topology::REFUSED, port, Answer::TimedOut);
        expect_each(&site, port, NONE);
    }
    expect_each(&site, 8090, ONLY_ALLOWED);
    site.docker.restart();
    becomes(&site, Topology::ALLOWED, 8090, Answer::Answered);
    expect_each(&site, 8090, ONLY_ALLOWED);
}

/// Also asserts that `remove` opens the port again.
#[test]
fn containers_older_than_the_first_apply_are_known_by_their_sockets() {
    let site = Site::service(&[]);
    start(&site, "own", ECHOES);
    expect_each(&site, 8090, ALL);
    apply(&site.topology.host, &site.policy_with(POLICY, "host-network = true"));
    expect_each(&site, 8090, ONLY_ALLOWED);
    remove(&site.topology.host);
    expect_each(&site, 8090, ALL);
}
