//! The matches and statements of nft rules, with nft as the oracle: it lists dwnl's rules in the
//! text that dwnl prints, and dwnl reads what nft loads from that text as its own rules.

use std::sync::Arc;

use dwnl::model::{
    CgroupMatch, Chain, ChainPath, DesiredRule, Family, Name, NftMatch, NftRule, NftStatement,
    Ownership, Protocol, Rule, RuleContent, Ruleset, Set, SetKind, SetPath, SetUpdate, TablePath,
    UpdateKey,
};
use dwnl::{Engine, Policy, compile};

use super::support::{Cgroup, Namespace, expressions};

pub const SET: &str = "ports-seen";
const CHAIN: &str = "conditions";

fn table() -> TablePath {
    TablePath { family: Family::Inet, table: "dwnl".into() }
}

/// `CONDITIONS counter STATEMENT`
pub fn rule(conditions: impl IntoIterator<Item = NftMatch>, statement: NftStatement) -> Rule {
    NftRule::new(conditions, statement).into()
}

pub fn update(protocol: Protocol, seconds: u32) -> NftStatement {
    let timeout = seconds.try_into().expect("a time");
    NftStatement::UpdateSet(SetUpdate { set: SET.into(), key: UpdateKey::Port(protocol), timeout })
}

/// Every match that only the guard uses, and the statement that updates a set.
fn rules() -> Vec<Rule> {
    let conditions = [
        NftMatch::CtStateEstablished,
        NftMatch::InBridge,
        NftMatch::SocketWildcard(false),
        NftMatch::SocketWildcard(true),
        NftMatch::SocketTransparent(false),
        NftMatch::SocketTransparent(true),
    ];
    let set = || Name::from(SET);
    let of = |protocol| {
        let seen = NftMatch::PortSet(protocol, set());
        let all = [NftMatch::Protocol(protocol), seen.clone()];
        [rule([all[0].clone()], NftStatement::Accept), rule([seen], NftStatement::Drop)]
    };
    let alone = conditions.into_iter().map(|condition| rule([condition], NftStatement::Drop));
    let updates = [(Protocol::Tcp, 3600), (Protocol::Udp, 90), (Protocol::Sctp, 93_784)]
        .map(|(protocol, seconds)| rule([NftMatch::Protocol(protocol)], update(protocol, seconds)));
    let reset = rule([NftMatch::Protocol(Protocol::Tcp)], NftStatement::RejectWithReset);
    let seen = NftMatch::PortSet(Protocol::Tcp, set());
    let again = rule([NftMatch::InBridge, seen], update(Protocol::Tcp, 1));
    alone
        .chain(Protocol::ALL.into_iter().flat_map(of))
        .chain(updates)
        .chain([again, reset])
        .collect()
}

/// Rules that match this cgroup.
fn cgroup_rules(id: u64) -> Vec<Rule> {
    let matches = [(1, false), (2, true), (0, false)];
    let cgroup = |(level, negated)| NftMatch::Cgroup(CgroupMatch { level, id, negated });
    matches.map(|it| rule([cgroup(it)], NftStatement::Drop)).into()
}

/// The ruleset of an empty policy, with a chain of these rules and the set that they look up.
pub fn ruleset(rules: &[Rule]) -> Ruleset {
    let mut ruleset = compile(&Policy::default());
    let desired = |rule: &Rule| DesiredRule { rule: rule.clone(), origin: None };
    ruleset.chains.push(Chain {
        path: Arc::new(ChainPath { table: table(), chain: CHAIN.into() }),
        base: None,
        ownership: Ownership::Exclusive,
        rules: Arc::new(rules.iter().map(desired).collect()),
        retired: Vec::new(),
    });
    ruleset.sets.push(Set {
        path: Arc::new(SetPath { table: table(), set: SET.into() }),
        kind: SetKind::DynamicPorts,
        elements: Arc::default(),
        origin: "ports".into(),
    });
    ruleset
}

/// Loads the rules with dwnl, and their text with nft, and compares what the kernel holds. `to_nft`
/// converts dwnl's text into nft's.
#[track_caller]
fn nft_and_dwnl_agree(rules: &[Rule], to_nft: impl Fn(String) -> String) {
    let (dwnl_host, nft_host) = (Namespace::new(), Namespace::new());
    let mut engine = dwnl_host.inside(Engine::open).expect("an engine");
    let desired = ruleset(rules);
    engine.apply(&desired).expect("success");
    assert!(engine.plan(&desired).expect("a plan").is_empty());

    let text: Vec<String> = rules.iter().map(|rule| to_nft(rule.to_string())).collect();
    let file = format!(
        "table inet dwnl {{\n set {SET} {{\n{}\n}}\n chain {CHAIN} {{\n{}\n}}\n}}",
        SetKind::DynamicPorts,
        text.join("\n"),
    );
    nft_host.try_run(&["nft", "-f", "-"], &file).succeeded();
    let list =
        |host: &Namespace, what| host.run(&["nft", "list", what, "inet", "dwnl", name(what)]);
    for what in ["set", "chain"] {
        assert_eq!(list(&dwnl_host, what), list(&nft_host, what));
    }
    let listing = list(&dwnl_host, "chain").replace("counter packets 0 bytes 0", "counter");
    let listed: Vec<&str> = listing.lines().skip(2).map(str::trim).collect();
    assert_eq!(listed[..text.len()], text[..]);
    let of_chain = |host: &Namespace| {
        let all = expressions(host, ["inet", "dwnl"]).into_iter();
        all.filter(|(chain, _)| chain == CHAIN).collect::<Vec<_>>()
    };
    assert_eq!(of_chain(&dwnl_host), of_chain(&nft_host));

    let read = nft_host.inside(Engine::open).expect("an engine").snapshot().expect("a snapshot");
    let read = &read.tables[&table()];
    assert_eq!(read.sets[SET].kind, Some(SetKind::DynamicPorts));
    let read = read.chains[CHAIN].rules.iter().map(|rule| rule.content.clone());
    let known = rules.iter().cloned().map(RuleContent::Known);
    assert!(read.eq(known));
}

fn name(what: &str) -> &'static str {
    if what == "set" { SET } else { CHAIN }
}

#[test]
fn nft_lists_and_loads_the_matches_and_statements_of_the_guard() {
    nft_and_dwnl_agree(&rules(), |text| text);
}

/// A kernel without this match rejects the rule, whether nft or dwnl adds it.
#[test]
fn nft_lists_and_loads_socket_cgroup_matches() {
    let cgroup = Cgroup::new();
    let host = Namespace::new();
    if !host.inside(Engine::open).expect("an engine").loads_cgroup().expect("an answer") {
        let rule = format!("add rule inet t c socket cgroupv2 level 1 \"{}\"", cgroup.nft_path());
        host.run(&["nft", "add table inet t; add chain inet t c"]);
        host.try_run(&["nft", &rule], "").failed(1);
        return;
    }
    let (id, path) = (cgroup.id().to_string(), format!("\"{}\"", cgroup.nft_path()));
    nft_and_dwnl_agree(&cgroup_rules(cgroup.id()), |text| text.replace(&id, &path));
}
