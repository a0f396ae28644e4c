//! The path through docker-proxy over IPv6, for which Docker itself writes no rules. Docker 20.10.2
//! to 20.10.5 do not listen there (moby#41858).

use super::super::site::Site;
use super::super::support::{Topology, apply, tcp};
use super::flows::survives_policies;
use super::{ALL, ONLY_ALLOWED, POLICY, answered, dropped, expect_both6, unguarded};

#[test]
fn only_allowed_clients_and_the_host_get_in() {
    let site = Site::stock();
    let host = &site.topology.host;
    let the_host_is_answered = || {
        for own in ["::1", Topology::HOST6] {
            answered(own, || tcp(host, own, own, 8080));
        }
    };
    expect_both6(&site, Topology::HOST6, 8080, ALL);
    the_host_is_answered();

    apply(host, &unguarded());
    expect_both6(&site, Topology::HOST6, 8080, ALL);

    apply(host, POLICY);
    expect_both6(&site, Topology::HOST6, 8080, ONLY_ALLOWED);
    assert!(dropped(host, "docker-proxy") > 0, "nothing was dropped");
    the_host_is_answered();
}

#[test]
fn a_connection_survives_the_first_apply() {
    let site = Site::stock();
    expect_both6(&site, Topology::HOST6, 8080, ALL);
    survives_policies(&site, Topology::REFUSED6, Topology::HOST6);
    expect_both6(&site, Topology::HOST6, 8080, ONLY_ALLOWED);
}
