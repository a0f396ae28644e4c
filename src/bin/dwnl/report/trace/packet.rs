//! A traced packet as a report: words and numbers in place of the library's types.

use std::net::IpAddr;

use dwnl::model::{PacketHeader, TraceCause, Transport};
use dwnl::trace::{Fate, Step, TracedPacket, Visit};
use serde::Serialize;

use super::sentences::{self, protocol, verdict};

/// A packet.
#[derive(Debug, Serialize)]
pub struct PacketReport<'a> {
    /// Its number in the trace, from 1.
    pub number: u64,
    /// When it came in.
    pub time: String,
    /// The interface by which it came in.
    pub in_interface: Option<&'a str>,
    /// Its headers as it came in; `None` if they are not understood.
    pub header: Option<HeaderReport>,
    /// The base chains that it passed, in order.
    pub chains: Vec<VisitReport<'a>>,
    /// Its headers at the end of the last hook that it has passed.
    pub last_header: Option<HeaderReport>,
    /// `dropped`, `rejected`, `delivered`, `sent`, `queued`, `stolen` or `lost`.
    pub fate: &'static str,
    /// The interface by which it goes out, of one that is sent.
    pub out_interface: Option<&'a str>,
    /// A sentence for people.
    pub summary: String,
    /// The step that decided.
    pub decision: Option<DecisionReport<'a>>,
    #[serde(skip)]
    pub is_verbose: bool,
}

/// A packet's headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeaderReport {
    pub protocol: String,
    pub source: IpAddr,
    pub source_port: Option<u16>,
    pub destination: IpAddr,
    pub destination_port: Option<u16>,
    pub flags: Option<String>,
    pub length: u32,
}

/// The way through a base chain.
#[derive(Debug, Serialize)]
pub struct VisitReport<'a> {
    pub family: &'a str,
    pub table: &'a str,
    pub chain: &'a str,
    pub hook: Option<String>,
    pub header: Option<HeaderReport>,
    pub out_interface: Option<&'a str>,
    pub path: Vec<&'a str>,
    pub verdict: String,
    pub is_policy: bool,
    pub steps: Vec<StepReport<'a>>,
}

/// A rule that the packet met, or the end of a chain.
#[derive(Debug, Serialize)]
pub struct StepReport<'a> {
    pub chain: &'a str,
    pub handle: Option<u64>,
    pub rule: Option<&'a str>,
    pub verdict: String,
}

/// The step that decided.
#[derive(Debug, Serialize)]
pub struct DecisionReport<'a> {
    pub family: &'a str,
    pub table: &'a str,
    pub chain: &'a str,
    pub handle: Option<u64>,
    pub rule: Option<&'a str>,
}

impl<'a> PacketReport<'a> {
    /// A packet with its number, from 1.
    pub fn new(packet: &'a TracedPacket, number: u64, is_verbose: bool) -> PacketReport<'a> {
        let (fate, out_interface) = match &packet.fate {
            Fate::Dropped => ("dropped", None),
            Fate::Rejected => ("rejected", None),
            Fate::Delivered => ("delivered", None),
            Fate::Sent { out_interface } => ("sent", out_interface.as_deref()),
            Fate::Queued => ("queued", None),
            Fate::Stolen => ("stolen", None),
            _ => ("lost", None),
        };
        PacketReport {
            number,
            time: humantime::format_rfc3339_millis(packet.time).to_string(),
            in_interface: packet.in_interface.as_deref(),
            header: packet.header.as_ref().map(HeaderReport::from),
            chains: packet.visits.iter().map(VisitReport::from).collect(),
            last_header: packet.last_header.as_ref().map(HeaderReport::from),
            fate,
            out_interface,
            summary: sentences::summary(packet),
            decision: packet.decision().map(|(visit, step)| DecisionReport::new(visit, step)),
            is_verbose,
        }
    }
}

impl<'a> DecisionReport<'a> {
    fn new(visit: &'a Visit, step: &'a Step) -> DecisionReport<'a> {
        DecisionReport {
            family: &visit.chain.family,
            table: &visit.chain.table,
            chain: &step.chain,
            handle: handle(step),
            rule: step.rule.as_deref(),
        }
    }
}

impl From<&PacketHeader> for HeaderReport {
    fn from(header: &PacketHeader) -> HeaderReport {
        let ports = header.transport.ports();
        HeaderReport {
            protocol: protocol(header.protocol),
            source: header.source,
            source_port: ports.map(|(source, _)| source),
            destination: header.destination,
            destination_port: ports.map(|(_, port)| port),
            flags: match header.transport {
                Transport::Tcp { flags, .. } => Some(sentences::flags(flags)),
                _ => None,
            },
            length: header.length,
        }
    }
}

impl<'a> From<&'a Visit> for VisitReport<'a> {
    fn from(visit: &'a Visit) -> VisitReport<'a> {
        let last = visit.steps.last();
        VisitReport {
            family: &visit.chain.family,
            table: &visit.chain.table,
            chain: &visit.chain.chain,
            hook: visit.hook.map(|hook| hook.to_string()),
            header: visit.header.as_ref().map(HeaderReport::from),
            out_interface: visit.out_interface.as_deref(),
            path: visit.path().into_iter().map(AsRef::as_ref).collect(),
            verdict: last.map_or_else(String::new, |step| verdict(&step.verdict)),
            is_policy: last.is_some_and(|step| step.cause == TraceCause::Policy),
            steps: visit.steps.iter().map(StepReport::from).collect(),
        }
    }
}

impl<'a> From<&'a Step> for StepReport<'a> {
    fn from(step: &'a Step) -> StepReport<'a> {
        StepReport {
            chain: &step.chain,
            handle: handle(step),
            rule: step.rule.as_deref(),
            verdict: verdict(&step.verdict),
        }
    }
}

fn handle(step: &Step) -> Option<u64> {
    match step.cause {
        TraceCause::Rule(handle) => Some(handle),
        TraceCause::End | TraceCause::Policy => None,
    }
}
