//! What the kernel remembers of refused packets, with real packets.

mod command;
mod flood;
mod full;
mod log;

use std::path::Path;

use dwnl::engine::Monitor;
use dwnl::model::{Protocol, Recording, RefusalPath, RefusedPort, RefusedReport, RefusedSource};
use dwnl::{Engine, Policy};

use super::guard::{behind, is_answered, publish};
use super::support::{Answer, Namespace, Topology, UdpEcho, udp};
use super::{POLICY, UNGUARDED};

const PUBLISHED: RefusalPath = RefusalPath::PublishedPort;

/// A host that publishes UDP port 8080 of a container, and a client.
struct Site {
    topology: Topology,
    engine: Engine,
    container: (Namespace, UdpEcho),
}

impl Site {
    /// The site without a policy: every client is answered.
    fn new() -> Site {
        let topology = Topology::new();
        let host = &topology.host;
        let container = behind(host, "docker7");
        publish(host, "docker7");
        is_answered(&topology.client, Topology::HOST, 8080);
        let engine = host.inside(Engine::open).expect("an engine");
        Site { topology, engine, container }
    }

    /// The site with a policy that allows nobody to reach the port.
    fn closed() -> Site {
        let mut site = Site::new();
        site.apply(POLICY);
        site
    }

    fn apply(&mut self, text: &str) {
        self.engine.apply_policy(&policy(text)).expect("success");
    }

    fn refused(&mut self) -> RefusedReport {
        self.engine.refused().expect("a report")
    }

    /// Sends datagrams that nobody answers.
    #[track_caller]
    fn send(&self, source: &str, target: &str, flows: usize) {
        for _ in 0..flows {
            assert_eq!(udp(&self.topology.client, source, target, 8080), Answer::TimedOut);
        }
    }

    fn nft(&self, script: &str) {
        self.topology.host.try_run(&["nft", "-f", "-"], script).succeeded();
    }
}

fn policy(text: &str) -> Policy {
    Policy::parse(text, "policy.toml", Path::new("")).expect("a policy")
}

/// Path, source, port and packets, as they are sorted.
fn sources(report: &RefusedReport) -> Vec<(RefusalPath, String, u64)> {
    let words = |RefusedSource { path, source, protocol, port, packets, .. }: &RefusedSource| {
        (*path, format!("{source} {port}/{protocol}"), *packets)
    };
    report.sources.iter().map(words).collect()
}

fn ports(report: &RefusedReport) -> Vec<(RefusalPath, String, u64)> {
    let words = |RefusedPort { path, protocol, port, packets, .. }: &RefusedPort| {
        (*path, format!("{port}/{protocol}"), *packets)
    };
    report.ports.iter().map(words).collect()
}

#[test]
fn refused_sources_are_recorded_with_port_path_and_number() {
    let mut site = Site::new();
    assert_eq!(site.refused().recording, Recording::NotInstalled);
    site.apply(UNGUARDED);
    assert_eq!(site.refused().recording, Recording::GuardOff);
    site.apply(POLICY);
    let empty = site.refused();
    assert_eq!((empty.recording, empty.sources.len()), (Recording::Active, 0));
    assert!(empty.fill.len() >= 9 && empty.fill.iter().all(|fill| fill.entries == 0));

    site.send(Topology::REFUSED, Topology::HOST, 2);
    let report = site.refused();
    assert_eq!(sources(&report), [(PUBLISHED, "192.0.2.66 8080/udp".into(), 2)]);
    assert_eq!(ports(&report), [(PUBLISHED, "8080/udp".into(), 2)]);
    let [source] = &report.sources[..] else { panic!("{report:?}") };
    assert_eq!(source.bytes, 2 * (20 + 8 + 4));
    assert!(source.last.as_secs() < 30, "{report:?}");
    assert_eq!(source.protocol, Protocol::Udp);
}

#[test]
fn each_path_is_recorded_for_itself_and_the_most_recent_comes_first() {
    let mut site = Site::closed();
    let client = &site.topology.client;
    client.run(&["ip", "route", "add", "10.1.1.0/24", "via", Topology::HOST]);
    // The container's own address, a published port, and IPv6 in front of docker-proxy.
    site.send(Topology::REFUSED, "10.1.1.2", 1);
    site.send(Topology::ALLOWED, Topology::HOST, 1);
    site.nft("add rule inet dwnl input udp dport 8080 counter goto proxied");
    site.send(Topology::REFUSED6, Topology::HOST6, 1);
    assert_eq!(
        sources(&site.refused()),
        [
            (RefusalPath::DockerProxy, "2001:db8::66 8080/udp".into(), 1),
            (PUBLISHED, "192.0.2.2 8080/udp".into(), 1),
            (RefusalPath::ContainerAddress, "192.0.2.66 8080/udp".into(), 1),
        ]
    );
    assert_eq!(ports(&site.refused()).len(), 3);
}

#[test]
fn records_survive_reloads_and_concern_no_plan() {
    let mut site = Site::closed();
    let mut monitor = site.topology.host.inside(Monitor::open).expect("a monitor");
    site.send(Topology::REFUSED, Topology::HOST, 1);
    assert!(monitor.read().expect("events").is_empty(), "records are not announced");
    let desired = dwnl::compile(&policy(POLICY));
    for engine in [&mut site.engine, &mut site.topology.host.inside(Engine::open).expect("one")] {
        assert!(engine.plan(&desired).expect("a plan").is_empty());
    }
    let before = sources(&site.refused());
    assert_eq!(before.len(), 1);
    site.apply("[[allow]]\nports = ['80']\nfrom = ['203.0.113.1']\n[log]\nrefused = 'nflog:9'\n");
    assert_eq!(sources(&site.refused()), before);

    let point = site.engine.restore_point().expect("a restore point");
    assert_eq!(point.unrestorable(), [""; 0]);
    site.apply(POLICY);
    site.engine.restore(&point).expect("success");
    assert_eq!(sources(&site.refused()), before);

    site.apply(UNGUARDED);
    assert_eq!(site.refused().sources, []);
    site.apply(POLICY);
    site.engine.remove().expect("success");
    assert!(!site.topology.host.run(&["nft", "list", "ruleset"]).contains("refused"));
}

#[test]
fn a_guard_that_does_not_record_is_recognised() {
    let mut site = Site::closed();
    site.nft(
        "flush chain inet dwnl translated; flush chain inet dwnl proxied;
              flush chain inet dwnl bridged",
    );
    for path in ["published", "proxy", "direct"] {
        site.nft(&format!("delete chain inet dwnl refused-{path}"));
        for kind in ["ip", "ip6", "ports"] {
            site.nft(&format!("delete set inet dwnl refused-{path}-{kind}"));
        }
    }
    let recording = site.refused().recording;
    // The path of the host's network depends on the match on sockets.
    assert!([Recording::Outdated, Recording::Active].contains(&recording));
    site.apply(POLICY);
    assert_eq!(site.refused().recording, Recording::Active);
    site.send(Topology::REFUSED, Topology::HOST, 1);
    assert_eq!(site.refused().sources.len(), 1);
}
