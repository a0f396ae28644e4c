//! Connections that stay open while the policy changes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::site::{POLICY, Site};
use super::support::{Answer, Connection, Topology, apply};

const RELOADS: usize = 30;

#[test]
fn reloads_do_not_touch_an_established_connection() {
    let site = Site::new();
    apply(&site.topology.host, POLICY);
    site.is_open_to_allowed_only();
    let client = &site.topology.client;
    let mut connection =
        Connection::open(client, Topology::ALLOWED, Topology::HOST, 8080).expect("a connection");
    assert_eq!(connection.echo(), Answer::Answered);

    // The second policy allows another client, the third none: neither allows this one any more.
    let policies = [POLICY, &POLICY.replace("192.0.2.2", "192.0.2.66"), ""];
    let reloaded = AtomicBool::new(false);
    let echoes = thread::scope(|scope| {
        let echoes = scope.spawn(|| {
            let mut echoes = 0;
            while !reloaded.load(Ordering::Relaxed) {
                assert_eq!(connection.echo(), Answer::Answered, "after {echoes} echoes");
                echoes += 1;
            }
            echoes
        });
        for policy in policies.iter().cycle().skip(1).take(RELOADS) {
            assert_eq!(apply(&site.topology.host, policy)["has_changes"], true);
        }
        reloaded.store(true, Ordering::Relaxed);
        echoes.join().expect("the echoes")
    });
    assert!(echoes > RELOADS, "{echoes} echoes during {RELOADS} reloads prove nothing");

    apply(&site.topology.host, "");
    assert_eq!(connection.echo(), Answer::Answered);
    site.expect(Topology::ALLOWED, 8080, Answer::TimedOut);
}
