//! What was refused at the published ports.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use dwnl::model::{
    Docker, Protocol, PublishedPort, Recording, RefusalPath, RefusedPort, RefusedReport,
    RefusedSource,
};
use ipnetwork::IpNetwork;
use serde::Serialize;

use super::super::refused::time;

/// What the guard refused, on a host with these routed networks.
pub struct Refusals<'a> {
    report: &'a RefusedReport,
    ports: BTreeMap<(Protocol, u16), Vec<&'a RefusedPort>>,
    sources: BTreeMap<(Protocol, u16), Vec<&'a RefusedSource>>,
    /// When it was read.
    now: SystemTime,
    /// The containers' addresses in routed networks.
    routed: BTreeSet<IpNetwork>,
}

/// What was refused at a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PortRefusals {
    pub packets: u64,
    /// The source that was refused last, when, and how many seconds ago.
    pub last_source: Option<String>,
    pub last_at: Option<String>,
    #[serde(skip)]
    pub last_seconds: Option<u64>,
}

impl<'a> Refusals<'a> {
    /// `None` if refusals are not recorded.
    pub fn new(
        report: &'a RefusedReport,
        docker: &Docker,
        now: SystemTime,
    ) -> Option<Refusals<'a>> {
        if report.recording != Recording::Active {
            return None;
        }
        let (mut ports, mut sources) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for port in &report.ports {
            ports.entry((port.protocol, port.port)).or_default().push(port);
        }
        for source in &report.sources {
            sources.entry((source.protocol, source.port)).or_default().push(source);
        }
        let routed = docker.routed_ports.iter().filter_map(|it| it.address).collect();
        Some(Refusals { report, ports, sources, now, routed })
    }

    /// What was refused at a published port, whatever the destination address was.
    pub fn at(&self, published: &PublishedPort) -> PortRefusals {
        let is_routed = published.address.is_some_and(|address| self.routed.contains(&address));
        let is_there = |path| (path == RefusalPath::ContainerAddress) == is_routed;
        let (first, last) = (published.ports.first(), published.ports.last());
        let protocol = published.ports.protocol();
        let range = (protocol, first)..=(protocol, last);
        let ports = self.ports.range(range.clone()).flat_map(|(_, ports)| ports);
        let ports = ports.filter(|it| is_there(it.path));
        let sources = self.sources.range(range).flat_map(|(_, sources)| sources);
        let sources = sources.filter(|it| is_there(it.path));
        let last = sources.min_by_key(|it| it.last);
        PortRefusals {
            packets: ports.map(|it| it.packets).fold(0, u64::saturating_add),
            last_source: last.map(|it| it.source.to_string()),
            last_at: last.map(|it| time(self.now, it.last)),
            last_seconds: last.map(|it| it.last).as_ref().map(Duration::as_secs),
        }
    }

    /// Whether sources that are refused now may not be recorded.
    pub fn is_full(&self) -> bool {
        self.report.fill.iter().any(dwnl::model::RefusalFill::is_full)
    }
}

impl PortRefusals {
    /// What was refused at several ports; `None` if it is recorded at none.
    pub fn sum<'a>(all: impl Iterator<Item = &'a PortRefusals>) -> Option<PortRefusals> {
        all.cloned().reduce(|sum, other| {
            let packets = sum.packets.saturating_add(other.packets);
            let age = |it: &PortRefusals| it.last_seconds.unwrap_or(u64::MAX);
            let latest = if age(&other) < age(&sum) { other } else { sum };
            PortRefusals { packets, ..latest }
        })
    }

    /// When the last source was refused: `3m`, at most three columns wide.
    pub fn ago(&self) -> Option<String> {
        self.last_seconds.map(short)
    }
}

/// A duration in its largest unit: `59s`, `3m`, `2h`, `5d`.
fn short(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}
