//! Grants and bans by hand, with real packets of both IP versions.

mod command;
mod elements;
mod survival;

use std::path::Path;
use std::time::Duration;

use dwnl::engine::GrantTable;
use dwnl::model::{Grant, GrantAction};
use dwnl::{Engine, Policy};

use super::guard::{behind, is_answered, publish};
use super::support::{Answer, Namespace, Topology, UdpEcho, udp, udp_echo_at, wait_for};
use super::{POLICY, UNGUARDED};

use GrantAction::{Allow, Deny};

/// A host that publishes UDP port 8080 of a container over IPv4, and itself answers UDP port 8080 over
/// IPv6, which the guard judges like docker-proxy's. The policy allows one client of each IP version.
struct Site {
    topology: Topology,
    engine: Engine,
    table: GrantTable,
    _servers: (Namespace, UdpEcho, UdpEcho),
}

const PUBLISHED: &str = "\n[[allow]]\nname = \"echo\"\nports = [\"8080/udp\"]\n\
                         from = [\"192.0.2.2\", \"2001:db8::2\"]\n";

impl Site {
    fn new() -> Site {
        let topology = Topology::new();
        let host = &topology.host;
        let (container, echo) = behind(host, "docker7");
        publish(host, "docker7");
        let proxy = udp_echo_at(host, "::", 8080);
        is_answered(&topology.client, Topology::HOST, 8080);
        let engine = host.inside(Engine::open).expect("an engine");
        let table = host.inside(GrantTable::open).expect("a socket");
        let mut site = Site { topology, engine, table, _servers: (container, echo, proxy) };
        site.apply(PUBLISHED);
        // As if docker-proxy listened there.
        site.nft("add rule inet dwnl input udp dport 8080 counter goto proxied");
        site
    }

    fn apply(&mut self, text: &str) {
        self.engine.apply_policy(&policy(text)).expect("success");
    }

    fn nft(&self, script: &str) {
        self.topology.host.try_run(&["nft", "-f", "-"], script).succeeded();
    }

    fn answer(&self, source: &str) -> Answer {
        let target = if source.contains(':') { Topology::HOST6 } else { Topology::HOST };
        udp(&self.topology.client, source, target, 8080)
    }

    /// Which of the clients get in: the allowed ones of IPv4 and IPv6, then the refused ones.
    fn admitted(&self) -> [bool; 4] {
        let clients =
            [Topology::ALLOWED, Topology::ALLOWED6, Topology::REFUSED, Topology::REFUSED6];
        clients.map(|source| self.answer(source) == Answer::Answered)
    }

    fn list(&mut self) -> Vec<String> {
        let grants = self.table.read().expect("a report").grants;
        let mut words: Vec<String> = grants.iter().map(ToString::to_string).collect();
        words.sort_unstable();
        words
    }
}

fn policy(text: &str) -> Policy {
    Policy::parse(text, "policy.toml", Path::new("")).expect("a policy")
}

fn grant(action: GrantAction, source: &str, ports: Option<&str>, seconds: Option<u64>) -> Grant {
    Grant {
        action,
        source: source.parse().expect("a source"),
        ports: ports.map(|ports| ports.parse().expect("ports")),
        remaining: seconds.map(Duration::from_secs),
        note: Some("a note".into()),
    }
}

/// What the policy alone lets in.
const POLICY_ALONE: [bool; 4] = [true, true, false, false];

#[test]
fn bans_keep_out_and_grants_let_in_over_both_ip_versions() {
    let mut site = Site::new();
    assert_eq!(site.admitted(), POLICY_ALONE);
    let hour = Some(3600);
    let hosts = [
        grant(Deny, Topology::ALLOWED, None, hour),
        grant(Deny, Topology::ALLOWED6, None, None),
        grant(Allow, Topology::REFUSED, Some("8080/udp"), hour),
        grant(Allow, Topology::REFUSED6, Some("8080/udp"), hour),
    ];
    site.table.add(&hosts).expect("success");
    assert_eq!(site.admitted(), [false, false, true, true]);
    let places = hosts.clone().map(|it| (it.source, it.ports));
    // A grant ends by itself only where the ports are its own.
    assert_eq!(site.table.revoke(&places, None).expect("success").len(), 4);
    assert_eq!(site.admitted(), POLICY_ALONE);

    let ranges = [
        grant(Deny, "192.0.2.0-192.0.2.9", None, hour),
        grant(Deny, "2001:db8::/120", Some("8000-8100/udp"), hour),
        grant(Allow, "192.0.2.64/26", Some("8080/udp"), hour),
        grant(Allow, "2001:db8::66", Some("8080-8081/udp"), hour),
    ];
    site.table.add(&ranges).expect("success");
    // A ban beats a grant: 2001:db8::66 is in 2001:db8::/120.
    assert_eq!(site.admitted(), [false, false, true, false]);
    assert_eq!(site.list().len(), 4);
    assert_eq!(site.table.clear().expect("success"), 4);
    assert_eq!(site.admitted(), POLICY_ALONE);
}

#[test]
fn other_ports_and_other_sources_are_not_concerned() {
    let mut site = Site::new();
    site.table
        .add(&[
            grant(Deny, Topology::ALLOWED, Some("8081/udp"), None),
            grant(Deny, Topology::ALLOWED6, Some("8080/tcp"), None),
            grant(Allow, Topology::REFUSED, Some("8080/tcp"), None),
            grant(Allow, "2001:db8::67", Some("8080/udp"), None),
        ])
        .expect("success");
    assert_eq!(site.admitted(), POLICY_ALONE);
}

#[test]
fn the_kernel_ends_them() {
    let mut site = Site::new();
    site.table
        .add(&[
            grant(Deny, Topology::ALLOWED, None, Some(2)),
            grant(Deny, "2001:db8::/126", None, Some(2)),
            grant(Allow, Topology::REFUSED, Some("8080/udp"), Some(2)),
        ])
        .expect("success");
    // Nothing of dwnl runs while they end.
    wait_for("the end", || (site.admitted() == POLICY_ALONE).then_some(()));
    assert_eq!(site.list(), [""; 0]);
}

#[test]
fn without_a_guard_nothing_can_be_done_by_hand() {
    let mut site = Site::new();
    let ban = [grant(Deny, "192.0.2.0/24", None, None), grant(Deny, "192.0.2.1", None, None)];
    for ban in &ban {
        site.table.add(std::slice::from_ref(ban)).expect("success");
    }
    site.apply(UNGUARDED);
    for ban in &ban {
        let error = site.table.add(std::slice::from_ref(ban)).expect_err("no guard").to_string();
        assert!(error.starts_with("the guard is off"), "{error}");
    }
    assert!(site.table.revoke(&[(ban[0].source, None)], None).is_err());
    site.engine.remove().expect("success");
    for ban in &ban {
        let error = site.table.add(std::slice::from_ref(ban)).expect_err("no guard").to_string();
        assert!(error.starts_with("no policy is applied"), "{error}");
    }
    assert_eq!(site.list(), [""; 0]);
    site.apply(POLICY);
    assert_eq!(site.list(), [""; 0], "they ended with the guard");
}
