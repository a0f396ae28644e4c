//! The reports of `trace`: its start, a packet each, and its end.

mod packet;
mod sentences;
#[cfg(test)]
mod tests;
mod text;

use std::io::{self, Write};
use std::time::Duration;

use dwnl::engine::TraceEvent;
use dwnl::model::{Family, Name, TraceFilter};
use serde::Serialize;

use super::count::{Count, Thousands};
use super::format::{Elapsed, join_and};
use super::{Report, write_warning};
use packet::PacketReport;

/// An event of a trace.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TraceReport<'a> {
    /// The trace begins: packets that come in from now on are traced.
    Start {
        /// The network that they come from.
        source: String,
        /// The ports that they are for; `None`: any.
        ports: Option<String>,
        /// How long the trace goes on.
        duration_ms: u64,
        /// Warnings for the operator.
        warnings: Vec<String>,
    },
    /// A packet.
    Packet(Box<PacketReport<'a>>),
    /// Messages of the kernel were lost, and with them packets.
    Overrun,
    /// The trace has ended.
    End {
        /// The same as at the start.
        #[serde(skip)]
        filter: &'a TraceFilter,
        /// Packets that were reported.
        packets: u64,
        /// Packets that came in, traced or not.
        packets_matched: u64,
        /// How long the trace went on.
        elapsed_ms: u64,
    },
}

impl<'a> TraceReport<'a> {
    /// The start of a trace. `legacy`: the tables of iptables-legacy that hold rules.
    pub fn start(
        filter: &TraceFilter,
        duration: Duration,
        legacy: &[(Family, Name)],
    ) -> TraceReport<'static> {
        TraceReport::Start {
            source: sentences::source(filter),
            ports: filter.ports().map(|ports| ports.to_string()),
            duration_ms: millis(duration),
            warnings: legacy_warning(legacy).into_iter().collect(),
        }
    }

    /// An event. `number`: that of the packet, from 1.
    pub fn event(event: &'a TraceEvent, number: u64, is_verbose: bool) -> Option<TraceReport<'a>> {
        match event {
            TraceEvent::Packet(packet) => {
                let report = PacketReport::new(packet, number, is_verbose);
                Some(TraceReport::Packet(report.into()))
            }
            TraceEvent::Overrun => Some(TraceReport::Overrun),
            _ => None,
        }
    }

    /// The end of a trace.
    pub fn end(
        filter: &'a TraceFilter,
        packets: u64,
        packets_matched: u64,
        elapsed: Duration,
    ) -> TraceReport<'a> {
        TraceReport::End { filter, packets, packets_matched, elapsed_ms: millis(elapsed) }
    }

    /// The warnings of a start.
    pub fn warnings(&self) -> &[String] {
        match self {
            TraceReport::Start { warnings, .. } => warnings,
            _ => &[],
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn legacy_warning(tables: &[(Family, Name)]) -> Option<String> {
    let names: Vec<String> =
        tables.iter().map(|(family, table)| format!("{family} {table}")).collect();
    (!names.is_empty()).then(|| {
        format!(
            "rules of iptables-legacy do not appear in the trace, and may drop packets: there are \
             some in {}",
            join_and(&names)
        )
    })
}

impl Report for TraceReport<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            TraceReport::Start { source, ports, duration_ms, .. } => {
                let ports = ports.as_ref().map(|ports| format!(" to {ports}")).unwrap_or_default();
                let duration = humantime::format_duration(Duration::from_millis(*duration_ms));
                writeln!(out, "tracing up to 20 packets/s from {source}{ports} for {duration}")
            }
            TraceReport::Packet(packet) => text::write(packet, out),
            TraceReport::Overrun => {
                write_warning(out, "messages about packets were lost (buffer overrun)")
            }
            TraceReport::End { filter, packets, packets_matched, elapsed_ms } => {
                let elapsed = Elapsed(Duration::from_millis(*elapsed_ms));
                match (*packets, *packets_matched) {
                    (0, 0) => write!(out, "{}", sentences::nothing(filter, &elapsed)),
                    (packets, matched) if matched > packets => writeln!(
                        out,
                        "{} of {} packets in {elapsed}",
                        Thousands(packets as usize),
                        Thousands(matched as usize),
                    ),
                    (packets, _) => {
                        writeln!(out, "{} in {elapsed}", Count(packets as usize, "packet"))
                    }
                }
            }
        }
    }
}
