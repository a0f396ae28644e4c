//! A node of a real Swarm. `tests/docker/guard` has services and overlay networks.

use super::document::recipe;
use super::site::{POLICY, Site};
use super::support::{Connection, Topology, apply, wait_for};

/// Management, and the gossip of the nodes.
const PORTS: [u16; 2] = [2377, 7946];

#[test]
fn the_recipe_admits_peers_alone() {
    let site = Site::new();
    site.docker.client(&["swarm", "init", "--advertise-addr", Topology::HOST]);
    let connects = |source: &str, port: u16| {
        Connection::open(&site.topology.client, source, Topology::HOST, port).is_ok()
    };
    for port in PORTS {
        for source in [Topology::ALLOWED, Topology::REFUSED] {
            wait_for("dockerd", || connects(source, port).then_some(()));
        }
    }
    site.protect();
    assert_eq!(site.found("swarm").as_deref(), Some("note"));

    apply(site.host(), &format!("{POLICY}{}", recipe("Docker Swarm", "toml")));
    for port in PORTS {
        assert!(connects(Topology::ALLOWED, port), "a peer, port {port}");
        assert!(!connects(Topology::REFUSED, port), "a stranger, port {port}");
    }
    site.decides();
}
