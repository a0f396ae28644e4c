//! The policy that the Debian package installs.

use super::super::site::{ECHO, Site, expect};
use super::super::support::{Answer, Topology, apply, remove, tcp};
use super::{ALL, POLICY, address, create_network, expect_both};

#[test]
fn the_packaged_policy_blocks_nothing() {
    let site = Site::stock();
    let host = &site.topology.host;
    create_network(&site, "direct0", "nat-unprotected");
    site.docker.run("direct", &["--network", "direct0", "-p", "8089:80"], ECHO);
    let container = address(&site, "direct");
    let _dns = site.publish_udp();

    // Control: the policy of the other tests blocks all of these paths.
    apply(host, POLICY);
    assert_eq!(attempt(&site, Topology::HOST, 8089), Answer::TimedOut);
    assert_eq!(attempt(&site, &container, 80), Answer::TimedOut);
    assert_eq!(site.attempt_over_udp(Topology::ALLOWED), Answer::TimedOut);
    remove(host);

    apply(host, include_str!("../../../packaging/policy.toml"));
    for port in [8080, 8089] {
        expect_both(&site, Topology::HOST, port, ALL);
        for client in [Topology::ALLOWED6, Topology::REFUSED6] {
            expect(&site.topology, client, Topology::HOST6, port, Answer::Answered);
        }
    }
    expect_both(&site, &container, 80, ALL);
    site.is_open_over_udp();
}

fn attempt(site: &Site, target: &str, port: u16) -> Answer {
    tcp(&site.topology.client, Topology::REFUSED, target, port)
}
