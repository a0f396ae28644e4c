//! Helpers of the reports' tests: reports as plain strings, and a small ruleset built by hand.

use std::io::{self, Write};
use std::sync::Arc;

use anstream::StripStream;
use dwnl::ruleset::{
    BaseChain, Chain, ChainPath, Extent, Family, Location, Match, Origin, Ports, Protocol, Rule,
    Ruleset, TablePath, Verdict, WantedRule,
};
use serde::Serialize;

use super::Report;

pub fn text(report: &impl Report) -> String {
    plain(|out| report.write(out))
}

pub fn plain(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut out = StripStream::new(Vec::new());
    write(&mut out).expect("a vector takes all");
    String::from_utf8(out.into_inner()).expect("reports are UTF-8")
}

pub fn json(report: &impl Serialize) -> String {
    serde_json::to_string(report).expect("reports can be serialized")
}

pub fn path(family: Family, chain: &str) -> Arc<ChainPath> {
    let table = TablePath { family, table: "nat".into() };
    Arc::new(ChainPath { table, chain: chain.into() })
}

/// `-m addrtype --dst-type LOCAL` and the verdict.
pub fn local(verdict: Verdict) -> Rule {
    Rule { matches: [Match::DestinationLocal].into(), ..Rule::new(verdict) }
}

pub fn jump(chain: &str) -> Verdict {
    Verdict::Jump(chain.into())
}

/// Lets a source, or anyone, reach a port.
pub fn allow(source: Option<&str>, port: u16) -> Rule {
    let ports = Ports::new(Protocol::Tcp, port, port).expect("a port");
    Rule {
        source: source.map(|network| network.parse().expect("a network")),
        protocol: Some(Protocol::Tcp),
        matches: [Match::DestinationPorts(ports)].into(),
        ..Rule::new(jump("DOCKER"))
    }
}

pub fn origin() -> Arc<Origin> {
    Arc::new(Origin {
        entry: Some("web".into()),
        at: Some(Location { file: "p.toml".into(), line: 12, column: 1 }),
        group: None,
        source: None,
    })
}

/// The frame in one family, with these rules in the chain that is wholly ours.
pub fn frame(family: Family, rules: Vec<Rule>) -> Ruleset {
    let chain = |name, base, extent, rules: Vec<Rule>| Chain {
        path: path(family, name),
        base,
        extent,
        rules: rules.into_iter().map(|rule| WantedRule { rule, origin: None }).collect(),
    };
    let head = vec![local(jump("DOCKER-BLOCK")), local(Verdict::Return)];
    let nat = Some(BaseChain::NAT_PREROUTING);
    let chains = vec![
        chain("DOCKER", None, Extent::Exists, Vec::new()),
        chain("DOCKER-BLOCK", None, Extent::Whole, rules),
        chain("PREROUTING", nat, Extent::Head, head),
    ];
    Ruleset { chains, ..Ruleset::default() }
}
