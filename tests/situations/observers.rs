//! What the program has seen of a packet: `dwnl trace`, and the kernel's record of what was refused.

use nix::sys::signal::Signal;
use serde_json::Value;

use super::situation::{Parts, Site, Situation};
use super::support::{Answer, Trace, dwnl};

/// A trace of the packet of a situation, and how often it was refused before.
pub struct Observers<'a> {
    site: &'a Site,
    situation: &'a Situation,
    trace: Trace,
    refused_before: u64,
}

impl<'a> Observers<'a> {
    /// Begins to observe.
    pub fn start(site: &'a Site, situation: &'a Situation) -> Observers<'a> {
        let Parts { source, port, protocol, .. } = situation.parts();
        let trace = Trace::start(site.host(), &[source, &format!("{port}/{protocol}")]);
        Observers { site, situation, trace, refused_before: refused(site, situation) }
    }

    /// How that differs from what the packet got.
    pub fn differences(self) -> Vec<String> {
        let Observers { site, situation, trace, refused_before } = self;
        // The kernel does not answer an ARP request without a route back, so that no packet comes in.
        if situation.why == "martian" {
            return Vec::new();
        }
        let packet = trace.packet();
        trace.end(Signal::SIGTERM);
        let fate = fate(&packet);
        let is_refused = refused(site, situation) > refused_before;
        let name = situation.name;
        let traced = (!is_as_expected(situation, &fate))
            .then(|| format!("{name}: trace says `{fate}`: {packet}"));
        let recorded = (is_refused != situation.why.starts_with("dropped: inet dwnl "))
            .then(|| format!("{name}: refused has recorded it: {is_refused}"));
        traced.into_iter().chain(recorded).collect()
    }
}

/// What became of the first packet, and what decided that: `dropped: ip filter DOCKER-USER`.
fn fate(packet: &Value) -> String {
    let fate = packet["fate"].as_str().expect("a fate");
    let part = |key: &str| packet["decision"][key].as_str().expect("a decision");
    match fate {
        "dropped" | "rejected" => {
            format!("{fate}: {} {} {}", part("family"), part("table"), part("chain"))
        }
        _ => fate.to_owned(),
    }
}

/// Whether the fate is that of a packet which got what the situation says.
fn is_as_expected(situation: &Situation, fate: &str) -> bool {
    let (why, _) = situation.why.split_once(" (").unwrap_or((situation.why, ""));
    match (situation.answer, why) {
        (Answer::Answered, _) => ["delivered", "sent"].contains(&fate),
        (_, "nobody_listens") => fate == "delivered",
        (_, refusal) => fate == refusal,
    }
}

/// The packets of the situation's source to its port that the kernel has recorded as refused.
fn refused(site: &Site, situation: &Situation) -> u64 {
    let Parts { source, port, protocol, .. } = situation.parts();
    let port = format!("{port}/{protocol}");
    let args = ["refused", "--json", "--source", source, "--port", &port];
    let report = dwnl(site.host(), &args, "").succeeded();
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let sources = report["sources"].as_array().expect("sources");
    sources.iter().map(|source| source["packets"].as_u64().expect("a number")).sum()
}
