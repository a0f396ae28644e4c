//! What the guard refused, in the bounded form of the metrics.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use dwnl::engine::GrantReport;
use dwnl::model::{GrantAction, Protocol, Recording, RefusalFill, RefusalPath, RefusedReport};

use super::exposition::Text;

/// Maximum number of ports with a series of their own, which bounds what Prometheus has to store.
const PORTS_MAX: usize = 100;
/// The label of the ports beyond.
const OTHER: &str = "other";

/// What was refused.
pub struct Refusals {
    is_recorded: bool,
    /// The number of distinct sources.
    sources: usize,
    ports: Vec<PortRefusals>,
    fill: Vec<RefusalFill>,
    /// The number of grants and of bans by hand.
    by_hand: [(&'static str, usize); 2],
}

/// What was refused on one path at one port, or with `None` at all ports beyond the maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PortRefusals {
    path: RefusalPath,
    port: Option<(Protocol, u16)>,
    packets: u64,
}

impl From<RefusedReport> for Refusals {
    fn from(report: RefusedReport) -> Refusals {
        let RefusedReport { recording, sources, ports, fill, .. } = report;
        let distinct: HashSet<_> = sources.iter().map(|it| it.source).collect();
        let ports = ports.iter().map(|it| PortRefusals {
            path: it.path,
            port: Some((it.protocol, it.port)),
            packets: it.packets,
        });
        let is_recorded = recording == Recording::Active;
        let (sources, ports) = (distinct.len(), bounded(ports.collect()));
        Refusals { is_recorded, sources, ports, fill, by_hand: [("allow", 0), ("deny", 0)] }
    }
}

impl Refusals {
    /// The same with the numbers of these grants and bans.
    pub fn with_grants(mut self, report: &GrantReport) -> Refusals {
        let bans = report.grants.iter().filter(|it| it.action == GrantAction::Deny).count();
        self.by_hand = [("allow", report.grants.len() - bans), ("deny", bans)];
        self
    }
}

/// The ports with the most packets, and the sums of the others, one for each path.
fn bounded(mut ports: Vec<PortRefusals>) -> Vec<PortRefusals> {
    // Whoever routes to a container's own address chooses the port, so these come last: they do not
    // displace ports that are published.
    ports
        .sort_by_key(|it| (it.path == RefusalPath::ContainerAddress, Reverse(it.packets), it.port));
    let others = ports.split_off(ports.len().min(PORTS_MAX));
    let mut sums: BTreeMap<RefusalPath, u64> = BTreeMap::new();
    for other in others {
        let packets = sums.entry(other.path).or_default();
        *packets = packets.saturating_add(other.packets);
    }
    ports.extend(sums.into_iter().map(|(path, packets)| PortRefusals {
        path,
        port: None,
        packets,
    }));
    ports
}

impl Refusals {
    /// Writes their metrics.
    pub fn write(&self, text: &mut Text) {
        let labels: Vec<[(&str, String); 3]> =
            self.ports.iter().map(PortRefusals::labels).collect();
        text.flag(
            "refusals_recorded",
            "1 if the kernel records what the guard refuses.",
            self.is_recorded,
        );
        text.counters(
            "refused_packets",
            "Packets refused at a port, as far as they are recorded: for a day after the last one.",
            labels
                .iter()
                .zip(&self.ports)
                .map(|(labels, it)| (labels.each_ref().map(label), it.packets)),
        );
        text.gauge(
            "refused_sources",
            "Sources that were refused within a day of their last packet, as far as they are recorded.",
            self.sources,
        );
        text.gauges(
            "grants",
            "Sources that are allowed or denied by hand; of large sets, only the first are counted.",
            self.by_hand.iter().map(|(action, number)| ([("action", *action)], number)),
        );
        let names: Vec<String> = self.fill.iter().map(|fill| fill.set.to_string()).collect();
        let fill = || names.iter().map(String::as_str).zip(&self.fill);
        text.gauges(
            "refused_set_entries",
            "Entries of a set in which the kernel records refusals.",
            fill().map(|(name, fill)| ([("set", name)], fill.entries)),
        );
        text.gauges(
            "refused_set_capacity",
            "Maximum number of entries of that set; beyond, refusals are not recorded.",
            fill().map(|(name, fill)| ([("set", name)], fill.set.capacity())),
        );
    }
}

impl PortRefusals {
    fn labels(&self) -> [(&'static str, String); 3] {
        let other = || (OTHER.to_owned(), OTHER.to_owned());
        let (protocol, port) = self
            .port
            .map_or_else(other, |(protocol, port)| (protocol.to_string(), port.to_string()));
        [("path", self.path.to_string()), ("protocol", protocol), ("port", port)]
    }
}

fn label<'a>((name, value): &'a (&'static str, String)) -> (&'static str, &'a str) {
    (name, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: RefusalPath, port: u16, packets: u64) -> PortRefusals {
        PortRefusals { path, port: Some((Protocol::Tcp, port)), packets }
    }

    #[test]
    fn a_scan_of_a_container_displaces_no_published_port() {
        let (direct, published) = (RefusalPath::ContainerAddress, RefusalPath::PublishedPort);
        let scan = (0..4_000).map(|port| refused(direct, port, 1_000));
        let few = [refused(published, 80, 1), refused(published, 443, 7)];
        let ports = bounded(scan.chain(few).collect());
        assert_eq!(ports.len(), PORTS_MAX + 1);
        assert_eq!(ports[..2], [refused(published, 443, 7), refused(published, 80, 1)]);
        let sum = PortRefusals { path: direct, port: None, packets: 1_000 * (4_000 + 2 - 100) };
        assert_eq!(ports[PORTS_MAX], sum);
        assert_eq!(sum.labels()[2], ("port", "other".to_owned()));
    }

    #[test]
    fn few_ports_have_no_sum() {
        let ports = vec![refused(RefusalPath::Swarm, 7946, 3)];
        assert_eq!(bounded(ports.clone()), ports);
    }
}
