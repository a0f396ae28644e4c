//! Calls to a container's own address in a network that is not routed, where the policy permits them to
//! those whom it allows.

use super::super::site::{ECHO, Site};
use super::super::support::{Topology, apply};
use super::{ALL, ALLOWED_ALONE, NOBODY, address, create_network, expect_both};

/// Lets one client call port 80, which is the container's own.
const POLICY: &str = r#"
[[allow]]
ports = ["80/tcp"]
from = ["192.0.2.2"]
"#;

#[test]
fn the_allowed_alone_may_call_a_container_where_the_policy_permits_it() {
    let site = Site::stock();
    let host = &site.topology.host;
    // From 28 on Docker itself closes the way, unless it is told so.
    create_network(&site, "direct0", "nat-unprotected");
    site.docker.run("direct", &["--network", "direct0", "-p", "8089:80"], ECHO);
    let container = address(&site, "direct");
    expect_both(&site, &container, 80, ALL);

    apply(host, POLICY);
    expect_both(&site, &container, 80, NOBODY);
    apply(host, &format!("{POLICY}[guard]\ndirect-routing = \"allowed\"\n"));
    expect_both(&site, &container, 80, ALLOWED_ALONE);
    expect_both(&site, Topology::HOST, 8089, NOBODY);
    expect_both(&site, Topology::HOST, 8080, NOBODY);
}
