//! A group that is large enough for a set.

use super::site::{POLICY, Site};
use super::support::{Answer, Connection, Topology, apply};

/// The policy with additional unrelated sources, which turn the group into a set.
fn large() -> String {
    let unrelated: String = (0..100).map(|n| format!("\"203.0.113.{n}\", ")).collect();
    POLICY.replace("from = [", &format!("from = [{unrelated}"))
}

/// Whether there is a set of sources besides those that the kernel itself fills.
fn has_set(site: &Site) -> bool {
    let listing = site.topology.host.run(&["nft", "list", "sets"]);
    let mut names = listing.lines().filter_map(|line| line.trim().strip_prefix("set "));
    const FIXED: [&str; 4] = ["refused-", "docker-", "banned-", "granted-"];
    names.any(|name| !FIXED.iter().any(|fixed| name.starts_with(fixed)))
}

#[test]
fn only_the_sources_in_the_set_get_in() {
    let site = Site::new();
    site.is_open();
    apply(&site.topology.host, &large());
    assert!(has_set(&site));
    site.is_open_to_allowed_only();

    apply(&site.topology.host, &large().replace("192.0.2.2", "192.0.2.66"));
    site.expect(Topology::REFUSED, 8080, Answer::Answered);
    site.expect(Topology::ALLOWED, 8080, Answer::TimedOut);
}

#[test]
fn only_the_sources_in_the_set_get_in_over_udp() {
    let site = Site::new();
    let _server = site.publish_udp();
    site.is_open_over_udp();

    apply(&site.topology.host, &large().replace("8080/tcp", "8080/udp"));
    assert!(has_set(&site));
    site.is_open_over_udp_to_allowed_only();
}

#[test]
fn a_connection_survives_changes_between_rules_and_a_set() {
    let site = Site::new();
    let host = &site.topology.host;
    apply(host, POLICY);
    site.is_open_to_allowed_only();
    let client = &site.topology.client;
    let open = || Connection::open(client, Topology::ALLOWED, Topology::HOST, 8080);
    let mut connections = vec![open().expect("a connection")];
    for policy in [large(), POLICY.to_owned(), large(), POLICY.to_owned(), String::new()] {
        apply(host, &policy);
        assert_eq!(has_set(&site), policy.contains("203.0.113"));
        for connection in &mut connections {
            assert_eq!(connection.echo(), Answer::Answered, "{policy}");
        }
        if !policy.is_empty() {
            connections.push(open().expect("a connection"));
        }
    }
    site.expect(Topology::ALLOWED, 8080, Answer::TimedOut);
}
