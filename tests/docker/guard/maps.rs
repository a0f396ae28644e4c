//! So many entries for other ports that maps lead to the rules for each port, and `DOCKER-BLOCK` lists no
//! sources.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::super::site::{ECHO, Site};
use super::super::support::{Connection, Topology, apply, remove, tcp};
use super::{
    ALL, Answer, NONE, ONLY_ALLOWED, POLICY, address, create_network, expect_both, expect_both6,
};

/// The policy with entries for other ports, of those that deny too if `denies`.
fn scattered(denies: bool) -> String {
    let entry = |key: &str, n: u32| {
        let from = "['203.0.113.9', '2001:db8:1::9']";
        format!("[[{key}]]\nports = ['{}', '{}/udp']\nfrom = {from}\n", 8000 + 7 * n, 8001 + 7 * n)
    };
    let allow: String = (0..60).map(|n| entry("allow", n)).collect();
    let deny: String = (0..60).map(|n| entry("deny", n)).collect();
    if denies { format!("{POLICY}{allow}{deny}") } else { format!("{POLICY}{allow}") }
}

#[test]
fn no_path_is_open_to_the_refused_client_with_maps() {
    let site = Site::stock();
    let host = &site.topology.host;
    create_network(&site, "direct0", "nat-unprotected");
    site.docker.run("direct", &["--network", "direct0", "-p", "8089:80"], ECHO);
    let container = address(&site, "direct");
    expect_both(&site, Topology::HOST, 8080, ALL);
    expect_both6(&site, Topology::HOST6, 8080, ALL);
    expect_both(&site, &container, 80, ALL);
    for denies in [false, true] {
        apply(host, &scattered(denies));
        assert_eq!(apply(host, &scattered(denies))["has_changes"], false);
        assert_eq!(
            host.run(&["iptables", "-t", "nat", "-S", "DOCKER-BLOCK"]),
            "-N DOCKER-BLOCK\n-A DOCKER-BLOCK -g DOCKER-BLOCK-GUARD\n"
        );
        expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
        expect_both(&site, Topology::HOST_SECOND, 8080, ONLY_ALLOWED);
        expect_both6(&site, Topology::HOST6, 8080, ONLY_ALLOWED);
        expect_both(&site, Topology::HOST, 8089, NONE);
        expect_both(&site, &container, 80, NONE);
    }
    // Without the nat rules docker-proxy accepts what is not translated.
    host.run(&["iptables", "-t", "nat", "-F"]);
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
    remove(host);
    expect_both(&site, Topology::HOST, 8080, ALL);
}

#[test]
fn nothing_opens_or_closes_while_rules_become_maps() {
    /// As many changes as take a few seconds.
    const CHANGES: usize = 12;
    let site = Site::stock();
    let Topology { host, client } = &site.topology;
    apply(host, POLICY);
    expect_both(&site, Topology::HOST, 8080, ONLY_ALLOWED);
    let open = || Connection::open(client, Topology::ALLOWED, Topology::HOST, 8080);
    let mut established = open().expect("a connection");
    let is_over = AtomicBool::new(false);
    let until_over = |source| {
        let mut answers = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            answers.push(tcp(client, source, Topology::HOST, 8080));
        }
        answers
    };
    let (allowed, refused) = thread::scope(|scope| {
        let allowed = scope.spawn(|| until_over(Topology::ALLOWED));
        let refused = scope.spawn(|| until_over(Topology::REFUSED));
        for number in 0..CHANGES {
            let policy = match number % 3 {
                0 => scattered(false),
                1 => scattered(true),
                _ => POLICY.to_owned(),
            };
            assert_eq!(apply(host, &policy)["has_changes"], true);
            assert_eq!(established.echo(), Answer::Answered);
        }
        is_over.store(true, Ordering::Relaxed);
        (allowed.join().expect("answers"), refused.join().expect("answers"))
    });
    assert!(allowed.len() > CHANGES, "{allowed:?}");
    assert!(allowed.iter().all(|answer| *answer == Answer::Answered), "{allowed:?}");
    assert!(!refused.contains(&Answer::Answered), "{refused:?}");
}
