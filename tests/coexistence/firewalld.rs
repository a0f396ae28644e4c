//! A real firewalld.

use super::document::recipe;
use super::site::{POLICY, Site};
use super::support::{Answer, Firewalld, Topology, Watch, plan, wait_for};

#[test]
fn the_policy_decides_and_a_reload_opens_nothing() {
    let mut site = Site::new();
    site.protect();
    let firewalld = Firewalld::start(&site.topology.host);
    // firewalld flushes the rules of iptables when it starts, Docker's as well.
    site.docker.restart();
    assert_eq!(site.found("firewalld").as_deref(), Some("warning"), "no watch");
    let watch = Watch::start(&site.topology.host, POLICY);
    site.decides();
    assert_eq!(site.found("firewalld").as_deref(), Some("note"));

    assert_eq!(site.answer(Topology::ALLOWED6), Answer::Refused, "firewalld rejects it");
    firewalld.shell(&recipe("firewalld", "sh"));
    site.decides_on_ipv6();

    firewalld.reload();
    // dockerd is not on this bus, and does not restore its rules.
    for source in [Topology::REFUSED, Topology::REFUSED6] {
        assert_ne!(site.answer(source), Answer::Answered);
    }
    wait_for("the repair", || (plan(site.host(), POLICY)["has_changes"] == false).then_some(()));
    watch.logged("repaired ip nat ");
    site.docker.restart();
    site.decides();
    site.decides_on_ipv6();
}
