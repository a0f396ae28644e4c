//! The verdict on a packet depends neither on whether a group is compiled to rules or to a set, nor
//! on whether `DOCKER-BLOCK` or the guard decides.

mod model;
mod range;
mod schedule;

use std::path::Path;

use dwnl::{Engine, compile};

use super::UNGUARDED;
use super::support::{Random, apply, plan};
use model::{Packet, Policy};
use range::{PUBLISHED, Range, TRANSLATED};

const SEED: u64 = 3;
const POLICIES: usize = 24;
const PACKETS: usize = 60;
/// Numbers of unrelated addresses added to each group: enough for one set, and for one set per
/// shard.
const PADDINGS: [usize; 2] = [70, 9000];

#[test]
fn rules_and_sets_let_the_same_packets_in() {
    let mut range = Range::new(&TRANSLATED);
    range.observe();
    let mut random = Random::new(SEED);
    for _ in 0..20 {
        let packet = Packet::random(&mut random);
        assert!(range.is_let_in(&packet), "without dwnl: {packet:?}");
    }
    let (mut let_in, mut kept_out) = (0, 0);
    for number in 0..POLICIES {
        let policy = Policy::random(&mut random);
        let packets: Vec<Packet> = (0..PACKETS).map(|_| Packet::random(&mut random)).collect();
        // Loading one shard of a large group takes longer than sending all packets.
        for padding in [0, PADDINGS[usize::from(number % 6 == 5)]] {
            apply(&range.topology.host, &format!("{UNGUARDED}{}", policy.text(padding)));
            assert_eq!(range.has_sets(), padding > 0, "{policy:?}");
            for packet in &packets {
                let expected = policy.lets_in(packet);
                assert_eq!(Policy::is_admitted(&policy.text(0), packet), expected, "{packet:?}");
                let found = range.is_let_in(packet);
                assert_eq!(
                    found,
                    expected,
                    "seed {SEED}, policy {number}, padding {padding}: {packet:?}\n{}",
                    policy.text(0)
                );
                *if found { &mut let_in } else { &mut kept_out } += 1;
            }
        }
    }
    let total = let_in + kept_out;
    assert!(let_in > total / 10 && kept_out > total / 10, "{let_in} in, {kept_out} out: {SEED}");
}

/// Entries for other ports, so many that maps lead to the rules for each port: ranges that overlap, and
/// single ports, of entries that allow and, if `denies`, of entries that deny.
fn other_ports(denies: bool) -> String {
    let entry = |key: &str, n: usize| {
        let ports = format!("'{}/tcp', '{}-{}/udp'", 20_000 + 7 * n, 6000 + 5 * n, 6008 + 5 * n);
        format!("[[{key}]]\nports = [{ports}]\nfrom = ['10.9.0.{n}', 'fd09::{n:x}']\n")
    };
    let allow: String = (1..40).map(|n| entry("allow", n)).collect();
    let deny = (1..40).map(|n| entry("deny", n));
    if denies { allow + &deny.collect::<String>() } else { allow }
}

#[test]
fn maps_let_the_same_packets_in() {
    let mut range = Range::new(&PUBLISHED);
    let mut random = Random::new(SEED);
    let (mut let_in, mut kept_out) = (0, 0);
    for number in 0..POLICIES {
        let policy = Policy::random(&mut random);
        let text = policy.text(0) + &other_ports(number % 2 == 1);
        assert_eq!(apply(&range.topology.host, &text)["has_changes"], true);
        assert_eq!(plan(&range.topology.host, &text)["has_changes"], false, "{text}");
        let maps = range.topology.host.run(&["nft", "list", "maps"]);
        assert!(maps.contains("allowed-tcp") && maps.contains("allowed-udp"), "{maps}");
        assert_eq!(maps.contains("denied-tcp"), number % 2 == 1, "{maps}");
        range.answer_refusals();
        for packet in (0..PACKETS).map(|_| Packet::random(&mut random)) {
            let found = range.is_accepted(&packet);
            let expected = policy.lets_in(&packet);
            assert_eq!(found, expected, "seed {SEED}, policy {number}: {packet:?}\n{text}");
            *if found { &mut let_in } else { &mut kept_out } += 1;
        }
    }
    let total = let_in + kept_out;
    assert!(let_in > total / 10 && kept_out > total / 10, "{let_in} in, {kept_out} out: {SEED}");
}

#[test]
fn the_guard_lets_the_same_packets_in() {
    let mut range = Range::new(&PUBLISHED);
    let mut random = Random::new(SEED);
    let (mut let_in, mut kept_out) = (0, 0);
    for _ in 0..POLICIES {
        let policy = Policy::random(&mut random);
        for padding in [0, PADDINGS[0]] {
            apply(&range.topology.host, &policy.text(padding));
            range.answer_refusals();
            for packet in (0..PACKETS).map(|_| Packet::random(&mut random)) {
                let found = range.is_accepted(&packet);
                assert_eq!(
                    found,
                    policy.lets_in(&packet),
                    "seed {SEED}, padding {padding}: {packet:?}\n{}",
                    policy.text(0)
                );
                *if found { &mut let_in } else { &mut kept_out } += 1;
            }
        }
    }
    let total = let_in + kept_out;
    assert!(let_in > total / 10 && kept_out > total / 10, "{let_in} in, {kept_out} out: {SEED}");
}

/// Policies whose repair is tested, and how many unrelated addresses every third list has: too many for
/// the first stage.
const REPAIRED: usize = 10;
const HELD_BACK: usize = 5000;

#[test]
fn the_first_stage_of_a_repair_lets_no_other_packets_in() {
    let mut range = Range::new(&PUBLISHED);
    let mut random = Random::new(SEED);
    let (mut let_in, mut kept_out, mut waiting) = (0, 0, 0);
    for _ in 0..REPAIRED {
        let policy = Policy::random(&mut random);
        let text = policy.text_padding_every(3, HELD_BACK);
        let desired = compile(&dwnl::Policy::parse(&text, "p", Path::new("")).expect("a policy"));
        let host = &range.topology.host;
        apply(host, &text);
        host.run(&["nft", "delete", "table", "inet", "dwnl"]);
        host.run(&["iptables", "-t", "nat", "-F", "PREROUTING"]);
        let stages = host.inside(|| {
            let mut engine = Engine::open().expect("an engine");
            let stages = engine.repair_stages(&desired).expect("a plan");
            engine.commit(&stages[0]).expect("success");
            stages
        });
        assert_eq!(stages.len(), 3);
        range.answer_refusals();
        for packet in (0..PACKETS).map(|_| Packet::random(&mut random)) {
            let (found, expected) = (range.is_accepted(&packet), policy.lets_in(&packet));
            assert!(
                !found || expected,
                "seed {SEED}, only the policy keeps out {packet:?}\n{}",
                policy.text(0)
            );
            let count = match (found, expected) {
                (true, _) => &mut let_in,
                (false, true) => &mut waiting,
                (false, false) => &mut kept_out,
            };
            *count += 1;
        }
        let host = &range.topology.host;
        host.inside(|| Engine::open().and_then(|mut it| it.repair(&desired))).expect("success");
        range.answer_refusals();
        for packet in (0..PACKETS).map(|_| Packet::random(&mut random)) {
            assert_eq!(range.is_accepted(&packet), policy.lets_in(&packet), "{packet:?}");
        }
    }
    let counts = [let_in, waiting, kept_out];
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}: seed {SEED}");
}
