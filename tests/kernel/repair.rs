//! A repair of a flushed ruleset, stage by stage, with real packets.

use std::path::Path;

use dwnl::engine::{Engine, Error};
use dwnl::model::Ruleset;
use dwnl::{Plan, Policy, compile};

use super::flows::site::{FAMILIES, Family, PUBLISHED, Site};
use super::support::Answer::{Answered, TimedOut};
use super::support::{Answer, Connection, Namespace, Topology, dwnl, tcp};

/// More sources than the first stage has room for, with these first.
fn many(first: &[&str]) -> Vec<String> {
    let sources = first.iter().map(|source| (*source).to_owned());
    let others = (0..5000).map(|n| format!("10.{}.{}.7", n / 256, n % 256));
    let others6 = (0..5000).map(|n| format!("fd99::{n:x}"));
    sources.chain(others).chain(others6).collect()
}

/// Clients that are in a large set alone.
const IN_A_SET: [&str; 2] = ["192.0.2.77", "2001:db8::77"];

/// Allows one client of each family by a rule, and another one by a large set.
fn allowing() -> String {
    let (rules, sets) = ([Topology::ALLOWED, Topology::ALLOWED6], many(&IN_A_SET));
    format!(
        "[[allow]]\nports = ['8080']\nfrom = {rules:?}\n[[allow]]\nports = ['8080']\nfrom = {sets:?}\n"
    )
}

/// Denies the refused clients by a large set, and allows everyone else.
fn denying() -> String {
    let denied = many(&[Topology::REFUSED, Topology::REFUSED6]);
    format!("[[deny]]\nfrom = {denied:?}\n[[allow]]\nports = ['8080']\n")
}

fn ruleset(policy: &str) -> Ruleset {
    compile(&Policy::parse(policy, "p", Path::new("")).expect("a policy"))
}

/// A host on which a policy was in force, with clients in a set.
fn site(policy: &str) -> Site {
    let site = Site::new();
    let _ = IN_A_SET.map(|client| site.topology.add_client(client));
    engine(&site).apply(&ruleset(policy)).expect("success");
    site
}

fn engine(site: &Site) -> Engine {
    site.topology.host.inside(Engine::open).expect("an engine")
}

/// Deletes all rules and then, as a restart of Docker would, restores those of Docker.
fn flush(site: &Site) {
    site.topology.host.run(&["nft", "flush", "ruleset"]);
    site.publish();
}

/// The stages of the repair, planned in the host's namespace, because the engine may probe the kernel.
fn stages(site: &Site, engine: &mut Engine, desired: &Ruleset) -> Vec<Plan> {
    site.topology.host.inside(|| engine.repair_stages(desired)).expect("a plan")
}

/// Asserts the answers to the clients that a rule allows, that are in the set, and that are refused.
#[track_caller]
fn expect(site: &Site, what: &str, expected: [Answer; 3]) {
    for (Family { host, client, other, .. }, in_a_set) in FAMILIES.iter().zip(IN_A_SET) {
        let answers =
            [client, in_a_set, other].map(|it| tcp(&site.topology.client, it, host, PUBLISHED));
        assert_eq!(answers, expected, "{what}: {host}");
    }
}

#[test]
fn each_stage_admits_only_allowed_clients() {
    let policy = allowing();
    let (site, desired) = (site(&policy), ruleset(&policy));
    expect(&site, "before", [Answered, Answered, TimedOut]);
    flush(&site);
    expect(&site, "positive control", [Answered; 3]);
    let mut engine = engine(&site);
    let stages = stages(&site, &mut engine, &desired);
    assert_eq!(stages.len(), 3);
    let answers = [
        [Answered, TimedOut, TimedOut],
        [Answered, Answered, TimedOut],
        [Answered, Answered, TimedOut],
    ];
    for (number, (stage, expected)) in stages.iter().zip(answers).enumerate() {
        engine.commit(stage).expect("success");
        expect(&site, &format!("stage {}", number + 1), expected);
    }
    assert!(engine.plan(&desired).expect("a plan").is_empty());
}

#[test]
fn nobody_is_allowed_while_denied_sources_are_missing() {
    let policy = denying();
    let (site, desired) = (site(&policy), ruleset(&policy));
    flush(&site);
    expect(&site, "positive control", [Answered; 3]);
    let mut engine = engine(&site);
    let answers = [[TimedOut; 3], [Answered, Answered, TimedOut], [Answered, Answered, TimedOut]];
    let stages = stages(&site, &mut engine, &desired);
    assert_eq!(stages.len(), answers.len());
    for (stage, expected) in stages.iter().zip(answers) {
        engine.commit(stage).expect("success");
        expect(&site, "denying", expected);
    }
}

/// A flow that Docker translated goes on after the first stage. Before it, the host would take the packets
/// for its own and reset the connection.
#[test]
fn established_flows_continue_after_the_first_stage() {
    let policy = allowing();
    let desired = ruleset(&policy);
    for Family { host, client, .. } in FAMILIES {
        let site = site(&policy);
        let connect = || Connection::open(&site.topology.client, client, host, PUBLISHED);
        let (mut control, mut flow) = (connect().expect("a flow"), connect().expect("a flow"));
        assert_eq!((control.echo(), flow.echo()), (Answered, Answered));
        // Docker's rules stay away, too.
        site.topology.host.run(&["nft", "flush", "ruleset"]);
        assert_eq!(control.echo(), Answer::Refused, "positive control");
        let mut engine = engine(&site);
        let stages = stages(&site, &mut engine, &desired);
        engine.commit(&stages[0]).expect("success");
        assert_eq!(flow.echo(), Answered, "{client}");
        site.topology.host.inside(|| engine.repair(&desired)).expect("success");
        assert_eq!(flow.echo(), Answered, "{client}");
    }
}

/// Another commit after the first stage, or the end of the program there.
#[test]
fn what_begins_after_the_first_stage_completes_the_repair() {
    let policy = allowing();
    let (site, desired) = (site(&policy), ruleset(&policy));
    let host = &site.topology.host;
    let is_in_force = |host: &Namespace| {
        let plan = dwnl(host, &["plan", "--exit-code", "-f", "-"], &policy);
        plan.status.success()
    };
    for by_a_process in [false, true] {
        flush(&site);
        let mut engine = engine(&site);
        let stages = stages(&site, &mut engine, &desired);
        engine.commit(&stages[0]).expect("success");
        host.run(&["nft", "add", "table", "inet", "other"]);
        let conflict = engine.commit(&stages[1]).expect_err("another program's commit");
        assert!(matches!(conflict, Error::Conflict { .. }), "{conflict}");
        assert!(!is_in_force(host));
        match by_a_process {
            true => drop(dwnl(host, &["apply", "-q", "-f", "-"], &policy).succeeded()),
            false => drop(host.inside(|| engine.repair(&desired)).expect("success")),
        }
        assert!(is_in_force(host));
        expect(&site, "afterwards", [Answered, Answered, TimedOut]);
    }
}

/// Nothing but the jumps and rules of the nat tables is missing: the guard does not depend on them.
#[test]
fn without_the_nat_rules_the_guard_admits_only_allowed_clients() {
    let site = site(&allowing());
    for command in [
        &["iptables", "-t", "nat", "-F", "DOCKER-BLOCK"][..],
        &["ip6tables", "-t", "nat", "-F", "DOCKER-BLOCK"],
        &["iptables", "-t", "nat", "-D", "PREROUTING", "1"],
        &["ip6tables", "-t", "nat", "-D", "PREROUTING", "1"],
        &["iptables", "-t", "nat", "-D", "PREROUTING", "1"],
        &["ip6tables", "-t", "nat", "-D", "PREROUTING", "1"],
    ] {
        site.topology.host.run(command);
        for Family { host, other, .. } in FAMILIES {
            let answer = tcp(&site.topology.client, other, host, PUBLISHED);
            assert_ne!(answer, Answered, "{command:?}: {host}");
        }
    }
    expect(&site, "Docker's rules alone", [Answered, Answered, TimedOut]);
}
