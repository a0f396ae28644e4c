//! Own applies, foreign commits and overruns in any order: the cache never holds what the kernel
//! does not.

use dwnl::engine::{Monitor, MonitorEvent};
use dwnl::model::Ruleset;
use nix::sys::socket::{setsockopt, sockopt};

use super::super::POLICY;
use super::super::sets::{hosts, hosts_in};
use super::super::support::{Namespace, Random, state_of};
use super::{desired, is_in_sync, open, policy};

const SEEDS: u64 = 12;
const STEPS: usize = 30;
/// Number of changes in one commit whose notifications overrun the smallest receive buffer.
const FLOOD: usize = 100;
/// In bytes; not more than a process without privileges may set.
const RECEIVE_BUFFER: usize = 200_000;

/// Foreign commands. A command whose object does not exist fails without effect.
const FOREIGN: [&str; 14] = [
    "add element inet dwnl many-4 { 203.0.113.7 }",
    "delete element inet dwnl many-4 { 10.0.0.0 }",
    "flush set inet dwnl many-4",
    "flush chain inet dwnl allowed; flush set inet dwnl many-4; delete set inet dwnl many-4",
    "delete table inet dwnl; add table inet dwnl; \
     add set inet dwnl many-4 { type ipv4_addr; size 128; }",
    "delete table inet dwnl",
    "add table inet dwnl { flags dormant; }",
    "add set inet dwnl mine { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 } }",
    "flush chain inet dwnl allowed",
    "insert rule ip nat PREROUTING accept",
    "flush chain ip nat DOCKER-BLOCK",
    "delete table ip6 nat",
    "add table ip kube; delete table ip kube",
    "flush ruleset",
];

#[test]
fn every_interleaving_ends_as_after_a_fresh_apply() {
    let policies = [
        desired(POLICY),
        desired(&policy(&hosts(100))),
        desired(&policy(&[hosts(90), hosts_in(1, 10)].concat())),
        desired(&policy(&hosts(5_000))),
    ];
    let fresh = policies.each_ref().map(|desired| {
        let host = Namespace::new();
        open(&host).1.apply(desired).expect("success");
        state_of(&host, &["table", "inet", "dwnl"])
    });
    for seed in 0..SEEDS {
        let mut random = Random::new(seed);
        let host = Namespace::new();
        let (mut monitor, mut engine) = open(&host);
        let mut history = Vec::new();
        for _ in 0..STEPS {
            match random.below(8) {
                0..4 => {
                    let command = random.of(&FOREIGN);
                    host.try_run(&["nft", command], "");
                    history.push(command);
                }
                4 => {
                    engine.apply(random_of(&mut random, &policies).1).expect("success");
                    history.push("an apply without observing events");
                }
                5 => {
                    overrun(&host, &mut monitor);
                    history.push("an overrun");
                }
                6 => {
                    monitor.read().expect("monitor events");
                    history.push("observed events");
                }
                _ => {
                    monitor.read().expect("monitor events");
                    let (which, desired) = random_of(&mut random, &policies);
                    engine.apply(desired).expect("success");
                    history.push("an apply");
                    assert!(is_in_sync(&host, desired), "seed {seed}: {history:#?}");
                    let state = state_of(&host, &["table", "inet", "dwnl"]);
                    assert!(state == fresh[which], "seed {seed}: {history:#?}");
                }
            }
        }
    }
}

/// Has the monitor lose the events that are waiting, and more.
fn overrun(host: &Namespace, monitor: &mut Monitor) {
    let buffer = |size: &usize| setsockopt(&*monitor, sockopt::RcvBuf, size).expect("success");
    buffer(&1);
    let sets: String =
        (0..FLOOD).map(|n| format!("add set ip kube s{n} {{ type mark; }}\n")).collect();
    let flood = format!("add table ip kube\n{sets}delete table ip kube\n");
    host.try_run(&["nft", "-f", "-"], &flood).succeeded();
    buffer(&RECEIVE_BUFFER);
    let events = monitor.read().expect("monitor events");
    assert!(matches!(events[..], [.., MonitorEvent::Overrun]), "{events:?}");
}

fn random_of<'p>(random: &mut Random, policies: &'p [Ruleset]) -> (usize, &'p Ruleset) {
    let which = random.below(policies.len());
    (which, &policies[which])
}
