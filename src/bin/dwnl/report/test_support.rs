//! Helpers of the reports' tests: reports as plain strings, and a small ruleset built by hand.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use anstream::StripStream;
use dwnl::Plan;
use dwnl::engine::Outcome;
use dwnl::model::{
    BaseChain, Chain, ChainPath, DesiredRule, Family, Interval, IpVersion, IptablesRule, Location,
    Match, NftMatch, NftRule, NftStatement, Origin, Ownership, Ports, Protocol, RefusalPath,
    RefusedSource, Rule, Ruleset, Set, SetKind, SetPath, TablePath, Verdict,
};
use dwnl::plan::Change;
use serde::Serialize;

use super::Report;

pub fn text(report: &impl Report) -> String {
    plain(|out| report.write(out))
}

pub fn plain(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut out = StripStream::new(Vec::new());
    write(&mut out).expect("a vector accepts all bytes");
    String::from_utf8(out.into_inner()).expect("reports are UTF-8")
}

pub fn json(report: &impl Serialize) -> String {
    serde_json::to_string(report).expect("reports can be serialized")
}

/// A source 192.0.2.N that was refused at 8080/udp three seconds ago.
pub fn refused_source(number: u8, packets: u64) -> RefusedSource {
    RefusedSource {
        path: RefusalPath::PublishedPort,
        source: [192, 0, 2, number].into(),
        protocol: Protocol::Udp,
        port: 8080,
        packets,
        bytes: 50 * packets,
        last: Duration::from_secs(3),
    }
}

pub fn path(family: Family, chain: &str) -> Arc<ChainPath> {
    let table = TablePath { family, table: "nat".into() };
    Arc::new(ChainPath { table, chain: chain.into() })
}

/// `-m addrtype --dst-type LOCAL` and the verdict.
pub fn local(verdict: Verdict) -> Rule {
    let rule = IptablesRule { matches: [Match::DstTypeLocal].into(), ..IptablesRule::new(verdict) };
    rule.into()
}

pub fn jump(chain: &str) -> Verdict {
    Verdict::Jump(chain.into())
}

/// Allows a source, or everyone, to reach a port.
pub fn allow(source: Option<&str>, port: u16) -> Rule {
    let ports = Ports::new(Protocol::Tcp, port, port).expect("a port");
    let rule = IptablesRule {
        source: source.map(|network| network.parse().expect("a network")),
        protocol: Some(Protocol::Tcp),
        matches: [Match::DestinationPorts(ports)].into(),
        ..IptablesRule::new(jump("DOCKER"))
    };
    rule.into()
}

pub fn origin() -> Arc<Origin> {
    Arc::new(Origin {
        entry: Some("web".into()),
        at: Some(Location { file: "p.toml".into(), line: 12, column: 1 }),
        ..Origin::default()
    })
}

/// The chains of every policy in one family, with these rules in the exclusive chain.
pub fn frame(family: Family, rules: Vec<Rule>) -> Ruleset {
    let chain = |name, base, extent, rules: Vec<Rule>| Chain {
        path: path(family, name),
        base,
        ownership: extent,
        rules: Arc::new(rules.into_iter().map(desired).collect()),
        retired: Vec::new(),
    };
    let head = vec![local(jump("DOCKER-BLOCK")), local(Verdict::Return)];
    let nat = Some(BaseChain::NAT_PREROUTING);
    let chains = vec![
        chain("DOCKER", None, Ownership::Referenced, Vec::new()),
        chain("DOCKER-BLOCK", None, Ownership::Exclusive, rules),
        chain("PREROUTING", nat, Ownership::Leading, head),
    ];
    Ruleset { chains, ..Ruleset::default() }
}

/// The path of a chain in the table of large groups.
pub fn own_path(chain: &str) -> Arc<ChainPath> {
    let table = TablePath { family: Family::Inet, table: "dwnl".into() };
    Arc::new(ChainPath { table, chain: chain.into() })
}

pub fn set_path(set: &str) -> Arc<SetPath> {
    Arc::new(SetPath { table: own_path("").table.clone(), set: set.into() })
}

pub const HOSTS: SetKind = SetKind::Hosts { version: IpVersion::V4, capacity: 1024 };
pub const NETWORKS: SetKind = SetKind::Intervals { version: IpVersion::V6 };

/// `203.0.113.0` and the following addresses.
pub fn hosts(number: u8) -> Vec<Interval> {
    let first = u128::from(u32::from_be_bytes([203, 0, 113, 0]));
    let addresses = (first..).take(number.into());
    addresses.map(|address| Interval { first: address, last: address }).collect()
}

/// `tcp dport 443 ip saddr @SET fib daddr type local counter ct mark set ct mark | 0x2000`
pub fn lookup(version: IpVersion, set: &str) -> Rule {
    let ports = Ports::new(Protocol::Tcp, 443, 443).expect("a port");
    let matches = [
        NftMatch::NfProto(version),
        NftMatch::Ports(ports),
        NftMatch::SourceSet(version, set.into()),
        NftMatch::DstTypeLocal,
    ];
    NftRule::new(matches, NftStatement::SetCtMark(0x2000)).into()
}

/// The chains of IPv4, and the table of a large group with sources of both families.
pub fn large_group() -> Ruleset {
    let last = u128::from(u16::MAX);
    let set = |set, kind, elements: Vec<Interval>| Set {
        path: set_path(set),
        kind,
        elements: elements.into(),
        origin: "group `cdn`".into(),
    };
    let rules = [(IpVersion::V4, "cdn-4"), (IpVersion::V6, "cdn-6-intervals")];
    let own = Chain {
        path: own_path("allow"),
        base: Some(BaseChain::BEFORE_NAT_PREROUTING),
        ownership: Ownership::Exclusive,
        rules: Arc::new(rules.map(|(version, set)| desired(lookup(version, set))).into()),
        retired: Vec::new(),
    };
    let mark = IptablesRule {
        matches: [Match::Connmark(0x2000)].into(),
        ..IptablesRule::new(jump("DOCKER"))
    };
    Ruleset {
        chains: [own].into_iter().chain(frame(Family::Ip, vec![mark.into()]).chains).collect(),
        sets: vec![
            set("cdn-4", HOSTS, hosts(2)),
            set("cdn-6-intervals", NETWORKS, vec![Interval { first: 0, last }]),
        ],
        owned_tables: vec![own_path("").table.clone()],
        ..Ruleset::default()
    }
}

fn desired(rule: Rule) -> DesiredRule {
    DesiredRule { rule, origin: None }
}

/// The outcome of these changes to generation 16.
pub fn outcome(changes: Vec<Change>, attempts: u32) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.plan = Plan { generation: 16, changes, unchanged: 40, ..Plan::default() };
    (outcome.generation, outcome.attempts) = (17, attempts);
    outcome
}
