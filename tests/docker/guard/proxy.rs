//! The way through docker-proxy over IPv6, for which Docker itself writes no rules. Docker 20.10.2 to
//! 20.10.5 do not listen there (moby#41858).

use super::super::site::{Site, expect};
use super::super::support::{Answer, Topology, apply, tcp};
use super::flows::outlasts_policies;
use super::{ALL, ALLOWED_ALONE, POLICY, answered, dropped, unguarded};

#[test]
fn the_allowed_alone_get_in_and_the_host_itself() {
    let site = Site::stock();
    let host = &site.topology.host;
    let the_host_is_answered = || {
        for own in ["::1", Topology::HOST6] {
            answered(own, || tcp(host, own, own, 8080));
        }
    };
    expect_both(&site, ALL);
    the_host_is_answered();

    apply(host, &unguarded());
    expect_both(&site, ALL);

    apply(host, POLICY);
    expect_both(&site, ALLOWED_ALONE);
    assert!(dropped(host, "docker-proxy") > 0, "nothing was dropped");
    the_host_is_answered();
}

#[test]
fn a_connection_outlasts_the_first_apply() {
    let site = Site::stock();
    expect_both(&site, ALL);
    outlasts_policies(&site, Topology::REFUSED6, Topology::HOST6);
    expect_both(&site, ALLOWED_ALONE);
}

/// What becomes of both clients' connections.
#[track_caller]
fn expect_both(site: &Site, [allowed, refused]: [Answer; 2]) {
    expect(&site.topology, Topology::ALLOWED6, Topology::HOST6, 8080, allowed);
    expect(&site.topology, Topology::REFUSED6, Topology::HOST6, 8080, refused);
}
