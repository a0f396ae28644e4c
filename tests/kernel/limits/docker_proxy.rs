//! Limits where docker-proxy answers: the packets pass `input`, not `forward`.

use super::super::support::{Topology, udp_echo_at};
use super::site::Site;
use super::{BOTH, entry};

#[test]
fn flows_to_docker_proxy_are_counted_once() {
    let mut site = Site::new();
    let host = &site.topology.host;
    // Docker's rule makes the port known; the packets are not translated.
    for iptables in ["iptables", "ip6tables"] {
        host.run(&[iptables, "-t", "nat", "-I", "DOCKER", "-j", "RETURN"]);
    }
    let _proxies = [Topology::HOST, Topology::HOST6].map(|at| udp_echo_at(host, at, 8080));
    site.apply(&entry("limit = '3/day per source'"));
    for (source, target) in BOTH {
        site.expect(source, target, 5, 3);
    }
}
