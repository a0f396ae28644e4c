//! A rule that is not understood leaves the outcome open only where it matters.

use std::path::Path;

use dwnl::Engine;
use dwnl::model::Protocol;
use dwnl::simulate::{HostView, Outcome, Probe, Route, Simulation, simulate};

use super::support::Namespace;

/// What becomes of a packet to the host, with these rules in `INPUT`.
fn simulated(rules: &[&str]) -> Simulation {
    let host = Namespace::new();
    for rule in rules {
        let args = ["iptables", "-A", "INPUT"].into_iter().chain(rule.split(' '));
        host.run(&args.collect::<Vec<_>>());
    }
    let mut engine = Engine::open_in(Path::new(&host.path())).expect("an engine");
    let ruleset = engine.read_ruleset().expect("a ruleset");
    let view =
        HostView { links: &[], local: &[], route: &|_| Route::Local, sockets: None, now: None };
    let probe = Probe {
        protocol: Protocol::Tcp,
        source: "192.0.2.2".parse().expect("an address"),
        source_port: None,
        destination: "192.0.2.1".parse().expect("an address"),
        port: 80,
        in_interface: "eth0".into(),
    };
    simulate(&ruleset, &view, &probe)
}

const RANDOM: &str = "-m statistic --mode random --probability 0.5";

#[test]
fn a_doubt_names_the_rule_and_both_outcomes() {
    let Outcome::Unknown(doubt) = simulated(&[&format!("{RANDOM} -j DROP")]).outcome else {
        panic!("nothing is certain");
    };
    assert_eq!(doubt.text, "-m [statistic] -j DROP");
    assert_eq!(doubt.reason, "-m statistic");
    let (matches, otherwise) = doubt.alternatives.expect("both ways");
    assert_eq!(matches.outcome, Outcome::Dropped(0));
    assert!(matches!(otherwise.outcome, Outcome::Reaches { out_interface: None, .. }));
}

#[test]
fn a_rule_that_changes_nothing_leaves_no_doubt() {
    for rules in [
        vec![format!("{RANDOM} -j LOG")],
        vec![format!("{RANDOM} -j DROP"), "-j DROP".to_owned()],
        vec![format!("{RANDOM} -p udp -j ACCEPT"), "-j DROP".to_owned()],
        vec!["-m limit --limit 1/sec -j RETURN".to_owned()],
    ] {
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let outcome = simulated(&rules).outcome;
        assert!(!matches!(outcome, Outcome::Unknown(_)), "{rules:?}: {outcome:?}");
    }
}

#[test]
fn a_source_port_that_is_not_known_matters_only_to_rules_about_it() {
    let outcome = |rule| simulated(&[rule]).outcome;
    assert!(matches!(outcome("-p tcp --dport 80 -j DROP"), Outcome::Dropped(0)));
    assert!(matches!(outcome("-p tcp --sport 1000 -j DROP"), Outcome::Unknown(_)));
}
