//! A set that packets update: its elements belong to the kernel and survive reloads.

use std::slice::from_ref;

use dwnl::Engine;
use dwnl::engine::Monitor;
use dwnl::model::{BaseChain, NftMatch, NftStatement, Protocol, Rule, Ruleset};
use dwnl::plan::Change;

use super::super::native::{SET, rule, ruleset, update};
use super::super::support::{self, Answer, Topology, tcp, tcp_echo};

/// Rules at the input hook.
fn at_input(rules: &[Rule]) -> Ruleset {
    let mut ruleset = ruleset(rules);
    let chain = ruleset.chains.last_mut().expect("the chain of the rules");
    chain.base = Some(BaseChain::INPUT);
    ruleset
}

#[test]
fn elements_added_by_packets_survive_reloads() {
    let Topology { host, client } = Topology::new();
    let recording = rule([NftMatch::Protocol(Protocol::Tcp)], update(Protocol::Tcp, 3600));
    let seen = rule([NftMatch::PortSet(Protocol::Udp, SET.into())], NftStatement::Accept);
    let desired = at_input(from_ref(&recording));
    let mut engine = host.inside(Engine::open).expect("an engine");
    engine.apply(&desired).expect("success");

    let mut nft = support::Monitor::new(&host);
    let mut monitor = host.inside(Monitor::open).expect("a monitor");
    let _server = tcp_echo(&host, 8080);
    assert_eq!(tcp(&client, Topology::REFUSED, Topology::HOST, 8080), Answer::Answered);
    let listing = || host.run(&["nft", "list", "set", "inet", "dwnl", SET]);
    let holds_the_port = || listing().contains("elements = { 8080 timeout 1h expires ");
    assert!(holds_the_port(), "{}", listing());
    assert!(
        monitor.read().expect("monitor events").is_empty(),
        "updates by packets are not announced"
    );
    assert_eq!(nft.events(), "");

    let snapshot = engine.snapshot().expect("a snapshot");
    let sets = snapshot.tables.values().flat_map(|table| &table.sets);
    assert!(
        sets.map(|(_, set)| set.elements.len()).all(|count| count == 0),
        "dynamic elements are not read"
    );
    for engine in [&mut engine, &mut host.inside(Engine::open).expect("an engine")] {
        assert!(engine.plan(&desired).expect("a plan").is_empty());
    }
    let more = at_input(&[recording, seen]);
    let plan = engine.apply(&more).expect("success").plan;
    assert!(matches!(plan.changes[..], [Change::AddRule { .. }]), "{plan:?}");
    assert!(holds_the_port(), "{}", listing());

    let mut without = at_input(&[]);
    without.sets.retain(|set| &*set.path.set != SET);
    let plan = engine.apply(&without).expect("success").plan;
    assert!(matches!(plan.changes[..], [.., Change::DeleteSet { .. }]), "{plan:?}");
    engine.apply(&more).expect("success");
    assert!(!listing().contains("8080"), "created again: {}", listing());
    engine.remove().expect("success");
    assert_eq!(host.run(&["nft", "list", "ruleset"]), "");
}
