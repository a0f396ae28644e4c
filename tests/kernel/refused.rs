//! What the kernel remembers of refused packets, with real packets.

use std::path::Path;

use dwnl::model::{Protocol, Recording, RefusalPath, RefusedPort, RefusedReport, RefusedSource};
use dwnl::{Engine, Policy};

use super::guard::{behind, is_answered, publish};
use super::support::{Answer, Namespace, Topology, UdpEcho, udp};
use super::{POLICY, UNGUARDED};

/// A host that publishes UDP port 8080 of a container, and a client.
struct Site {
    topology: Topology,
    engine: Engine,
    _container: (Namespace, UdpEcho),
}

impl Site {
    fn new() -> Site {
        let topology = Topology::new();
        let host = &topology.host;
        let container = behind(host, "docker7");
        publish(host, "docker7");
        is_answered(&topology.client, Topology::HOST, 8080);
        let engine = host.inside(Engine::open).expect("an engine");
        Site { topology, engine, _container: container }
    }

    fn apply(&mut self, text: &str) {
        let policy = Policy::parse(text, "policy.toml", Path::new("")).expect("a policy");
        self.engine.apply_policy(&policy).expect("success");
    }

    fn refused(&mut self) -> RefusedReport {
        self.engine.refused().expect("a report")
    }

    #[track_caller]
    fn send(&self, source: &str, target: &str, flows: usize) {
        for _ in 0..flows {
            assert_eq!(udp(&self.topology.client, source, target, 8080), Answer::TimedOut);
        }
    }
}

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
    let published = RefusalPath::PublishedPort;
    assert_eq!(sources(&report), [(published, "192.0.2.66 8080/udp".into(), 2)]);
    assert_eq!(ports(&report), [(published, "8080/udp".into(), 2)]);
    let [source] = &report.sources[..] else { panic!("{report:?}") };
    assert_eq!(source.bytes, 2 * (20 + 8 + 4));
    assert!(source.last.as_secs() < 30, "{report:?}");
    assert_eq!(source.protocol, Protocol::Udp);
}
