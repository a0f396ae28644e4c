//! The report of `refused`: sources and ports with the packets that the guard dropped.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use dwnl::model::{
    IpVersion, Protocol, Recording, RefusalFill, RefusalPath, RefusalSet, RefusedPort,
    RefusedReport, RefusedSource,
};
use serde::Serialize;

use super::Report;
use super::count::Thousands;
use super::style::{HEADING, REMARK};

/// What the guard refused.
#[derive(Debug, Serialize)]
pub struct Refused {
    recording: &'static str,
    order: &'static str,
    /// The number of sources, also of those that are not shown.
    source_count: usize,
    sources: Vec<SourceReport>,
    ports: Vec<PortReport>,
    sets: Vec<SetReport>,
    warnings: Vec<String>,
    #[serde(skip)]
    sentence: Option<&'static str>,
    #[serde(skip)]
    port_count: usize,
}

#[derive(Debug, Serialize)]
struct SourceReport {
    path: &'static str,
    source: String,
    port: String,
    packets: u64,
    bytes: u64,
    last_at: String,
    #[serde(skip)]
    words: [String; 2],
}

#[derive(Debug, Serialize)]
struct PortReport {
    path: &'static str,
    port: String,
    packets: u64,
    bytes: u64,
    last_at: String,
    #[serde(skip)]
    words: [String; 2],
}

#[derive(Debug, Serialize)]
struct SetReport {
    path: &'static str,
    holds: &'static str,
    entries: usize,
    capacity: u32,
    is_full: bool,
}

/// A source that was refused while `refused --follow` runs.
#[derive(Debug, Serialize)]
pub struct RefusalEvent {
    path: &'static str,
    source: String,
    port: String,
    /// Packets since the source was recorded.
    pub packets: u64,
    /// Packets since the last line about it.
    pub new_packets: u64,
    last_at: String,
    /// Other sources that were refused at the same time and are left out.
    pub omitted: usize,
    #[serde(skip)]
    words: String,
}

impl Refused {
    /// The first `top` sources and ports of a report that was read at `now`.
    pub fn new(
        report: &RefusedReport,
        top: usize,
        order: &'static str,
        warnings: Vec<String>,
        now: SystemTime,
    ) -> Refused {
        let RefusedReport { recording, sources, ports, fill, .. } = report;
        Refused {
            recording: recording_key(*recording),
            order,
            source_count: sources.len(),
            sources: sources.iter().take(top).map(|it| SourceReport::new(it, now)).collect(),
            ports: ports.iter().take(top).map(|it| PortReport::new(it, now)).collect(),
            sets: fill.iter().map(SetReport::from).collect(),
            warnings,
            sentence: not_recorded(*recording),
            port_count: ports.len(),
        }
    }

    fn write_sources(&self, out: &mut dyn Write) -> io::Result<()> {
        let order = if self.order == "recent" { "the most recent" } else { "the most packets" };
        writeln!(out, "{HEADING}refused sources{HEADING:#}, {order} first:")?;
        let rows = self.sources.iter().map(|it| {
            let [path, last] = it.words.clone();
            [last, it.source.clone(), it.port.clone(), thousands(it.packets), path]
        });
        write_table(out, ["last", "source", "port", "packets", "path"], 3, rows.collect())?;
        write_more(out, self.source_count - self.sources.len())
    }

    fn write_ports(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.ports.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{HEADING}ports{HEADING:#}, with the packets of all sources:")?;
        let rows = self.ports.iter().map(|it| {
            let [path, last] = it.words.clone();
            [last, it.port.clone(), thousands(it.packets), path]
        });
        write_table(out, ["last", "port", "packets", "path"], 2, rows.collect())?;
        write_more(out, self.port_count - self.ports.len())
    }
}

impl Report for Refused {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(sentence) = self.sentence {
            return writeln!(out, "{sentence}");
        }
        if self.sources.is_empty() && self.ports.is_empty() {
            return writeln!(
                out,
                "nothing was refused in the last day, or nothing of what was asked for"
            );
        }
        if !self.sources.is_empty() {
            self.write_sources(out)?;
        }
        self.write_ports(out)
    }
}

impl SourceReport {
    fn new(it: &RefusedSource, now: SystemTime) -> SourceReport {
        SourceReport {
            path: path_key(it.path),
            source: it.source.to_string(),
            port: port(it.port, it.protocol),
            packets: it.packets,
            bytes: it.bytes,
            last_at: time(now, it.last),
            words: [it.path.to_string(), ago(it.last)],
        }
    }
}

impl PortReport {
    fn new(it: &RefusedPort, now: SystemTime) -> PortReport {
        PortReport {
            path: path_key(it.path),
            port: port(it.port, it.protocol),
            packets: it.packets,
            bytes: it.bytes,
            last_at: time(now, it.last),
            words: [it.path.to_string(), ago(it.last)],
        }
    }
}

impl From<&RefusalFill> for SetReport {
    fn from(fill: &RefusalFill) -> SetReport {
        let RefusalSet { path, version, .. } = fill.set;
        SetReport {
            path: path_key(path),
            holds: match version {
                Some(IpVersion::V4) => "ipv4_sources",
                Some(IpVersion::V6) => "ipv6_sources",
                None => "ports",
            },
            entries: fill.entries,
            capacity: fill.set.capacity(),
            is_full: fill.is_full(),
        }
    }
}

impl RefusalEvent {
    /// A source that was refused again, or for the first time.
    pub fn new(it: &RefusedSource, new_packets: u64, now: SystemTime) -> RefusalEvent {
        RefusalEvent {
            path: path_key(it.path),
            source: it.source.to_string(),
            port: port(it.port, it.protocol),
            packets: it.packets,
            new_packets,
            last_at: time(now, it.last),
            omitted: 0,
            words: it.path.to_string(),
        }
    }
}

impl Report for RefusalEvent {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let RefusalEvent { source, port, packets, new_packets, last_at, words, .. } = self;
        write!(out, "{REMARK}{last_at}{REMARK:#}  {source:<15}  {port:<9}  {words}")?;
        match packets == new_packets {
            true if *packets == 1 => writeln!(out)?,
            true => writeln!(out, ", {packets} packets")?,
            false => writeln!(out, ", +{new_packets} ({packets} packets)")?,
        }
        match self.omitted {
            0 => Ok(()),
            omitted => writeln!(out, "{REMARK}and {} other sources{REMARK:#}", Thousands(omitted)),
        }
    }
}

/// Why nothing is recorded, if it is not.
pub fn not_recorded(recording: Recording) -> Option<&'static str> {
    match recording {
        Recording::Active => None,
        Recording::NotInstalled => Some("nothing is recorded: no policy is applied"),
        Recording::GuardOff => {
            Some("nothing is recorded: the guard is off, and only the guard knows what it drops")
        }
        _ => Some(
            "nothing is recorded: an older version of dwnl installed the guard; run `dwnl apply`",
        ),
    }
}

/// What it means that sets are full.
pub fn set_warnings(fill: &[RefusalFill]) -> Vec<String> {
    let full = fill.iter().filter(|fill| fill.is_full());
    full.map(|RefusalFill { set, .. }| {
        let size = Thousands(set.capacity() as usize);
        let (what, instead) = match set.version {
            Some(IpVersion::V4) => ("IPv4 sources", "packets of others are only counted by port"),
            Some(IpVersion::V6) => ("IPv6 sources", "packets of others are only counted by port"),
            None => ("ports", "packets to others are only counted by the rule that drops them"),
        };
        format!(
            "the kernel remembers {size} {what} on the path `{}` and no more: {instead}, until an \
             entry expires a day after its last packet; all are dropped as before",
            set.path
        )
    })
    .collect()
}

fn recording_key(recording: Recording) -> &'static str {
    match recording {
        Recording::Active => "active",
        Recording::GuardOff => "guard_off",
        Recording::NotInstalled => "not_installed",
        _ => "outdated",
    }
}

pub(super) fn path_key(path: RefusalPath) -> &'static str {
    match path {
        RefusalPath::PublishedPort => "published_port",
        RefusalPath::DockerProxy => "docker_proxy",
        RefusalPath::ContainerAddress => "container_address",
        RefusalPath::Swarm => "swarm",
        RefusalPath::HostNetwork => "host_network",
        _ => "other",
    }
}

fn port(port: u16, protocol: Protocol) -> String {
    format!("{port}/{protocol}")
}

pub(super) fn time(now: SystemTime, last: Duration) -> String {
    // A clock that was not set yet may be less than a day after the epoch.
    let at =
        now.checked_sub(last).map_or(SystemTime::UNIX_EPOCH, |at| at.max(SystemTime::UNIX_EPOCH));
    humantime::format_rfc3339_seconds(at).to_string()
}

/// `now`, `42s ago`, `17m ago`, `5h ago`
fn ago(last: Duration) -> String {
    match last.as_secs() {
        0 => "now".to_owned(),
        seconds @ 1..60 => format!("{seconds}s ago"),
        seconds @ 60..3600 => format!("{}m ago", seconds / 60),
        seconds => format!("{}h ago", seconds / 3600),
    }
}

fn thousands(number: u64) -> String {
    Thousands(usize::try_from(number).unwrap_or(usize::MAX)).to_string()
}

/// Writes rows below their headings; the column `number` is aligned to the right.
fn write_table<const N: usize>(
    out: &mut dyn Write,
    headings: [&str; N],
    number: usize,
    rows: Vec<[String; N]>,
) -> io::Result<()> {
    let mut widths = headings.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let line = |cells: [&str; N]| {
        let cells = cells.into_iter().zip(widths).enumerate().map(|(index, (cell, width))| {
            if index == number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<String>>().join("  ").trim_end().to_owned()
    };
    writeln!(out, "{REMARK}{}{REMARK:#}", line(headings))?;
    rows.iter().try_for_each(|row| writeln!(out, "{}", line(row.each_ref().map(String::as_str))))
}

fn write_more(out: &mut dyn Write, hidden: usize) -> io::Result<()> {
    match hidden {
        0 => Ok(()),
        hidden => writeln!(out, "{REMARK}and {} more (-v shows all){REMARK:#}", Thousands(hidden)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{json, refused_source, text};
    use super::*;

    fn report() -> RefusedReport {
        let mut report = RefusedReport::default();
        report.recording = Recording::Active;
        report.sources = vec![refused_source(66, 1204), refused_source(7, 2)];
        let set = RefusalSet { path: RefusalPath::Swarm, version: Some(IpVersion::V4) };
        report.fill = vec![RefusalFill { set, entries: 16_384 }];
        report
    }

    #[test]
    fn sources_are_a_table_that_fits_a_terminal() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let refused = Refused::new(&report(), 1, "recent", Vec::new(), now);
        assert_eq!(
            text(&refused),
            "\
refused sources, the most recent first:
last    source      port      packets  path
3s ago  192.0.2.66  8080/udp    1,204  published port
and 1 more (-v shows all)
"
        );
        let json = json(&refused);
        assert!(json.contains(r#""source_count":2,"sources":[{"path":"published_port","source":"192.0.2.66","port":"8080/udp","packets":1204,"bytes":60200,"last_at":"1970-01-01T00:01:37Z"}]"#), "{json}");
        assert!(json.contains(r#""sets":[{"path":"swarm","holds":"ipv4_sources","entries":16384,"capacity":16384,"is_full":true}]"#), "{json}");
    }

    #[test]
    fn a_full_set_is_explained() {
        let warnings = set_warnings(&report().fill);
        assert!(warnings[0].contains("16,384 IPv4 sources on the path `Swarm`"), "{warnings:?}");
    }

    #[test]
    fn what_is_not_recorded_is_said() {
        let report = RefusedReport::default();
        let refused = Refused::new(&report, 9, "recent", Vec::new(), SystemTime::now());
        assert_eq!(text(&refused), "nothing is recorded: no policy is applied\n");
        let mut report = RefusedReport::default();
        report.recording = Recording::Active;
        let refused = Refused::new(&report, 9, "recent", Vec::new(), SystemTime::now());
        assert!(text(&refused).starts_with("nothing was refused"));
    }

    #[test]
    fn a_line_says_how_often() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let line = |packets, new| text(&RefusalEvent::new(&refused_source(66, packets), new, now));
        let start = "1970-01-01T00:01:37Z  192.0.2.66       8080/udp   published port";
        assert_eq!(line(1, 1), format!("{start}\n"));
        assert_eq!(line(5, 5), format!("{start}, 5 packets\n"));
        assert_eq!(line(5, 2), format!("{start}, +2 (5 packets)\n"));
    }
}
