//! Connections to a container's own address in a network that is not routed, where the policy
//! permits them to allowed clients.

use super::super::site::{ECHO, Site};
use super::super::support::{Topology, apply};
use super::{ALL, NONE, ONLY_ALLOWED, address, create_network, expect_both};

/// Allows one client on port 80, the container's own port.
const POLICY: &str = r#"
[[allow]]
ports = ["80/tcp"]
from = ["192.0.2.2"]
"#;

#[test]
fn only_allowed_clients_reach_a_container_directly() {
    let site = Site::stock();
    let host = &site.topology.host;
    // Docker 28 and later block this path themselves unless the network has this gateway mode.
    create_network(&site, "direct0", "nat-unprotected");
    site.docker.run("direct", &["--network", "direct0", "-p", "8089:80"], ECHO);
    let container = address(&site, "direct");
    expect_both(&site, &container, 80, ALL);

    apply(host, POLICY);
    expect_both(&site, &container, 80, NONE);
    apply(host, &format!("{POLICY}[guard]\ndirect-routing = \"allowed\"\n"));
    expect_both(&site, &container, 80, ONLY_ALLOWED);
    expect_both(&site, Topology::HOST, 8089, NONE);
    expect_both(&site, Topology::HOST, 8080, NONE);
}
