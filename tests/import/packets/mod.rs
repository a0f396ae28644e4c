//! Whoever gets in under an imported policy got in under the rules; and if every line was translated, the
//! other way round: random rules and real packets.

#[path = "../../simulate/packets/frame.rs"]
mod frame;
mod rules;
#[path = "../../simulate/packets/world.rs"]
mod world;

use std::net::IpAddr;

use serde_json::Value;

use super::support::{Namespace, Random, UNGUARDED, dwnl};
use frame::First;
use rules::Rules;
use world::{Fate, World};

const SEED: u64 = 15;
/// How many rulesets are tried, unless `DWNL_IMPORTED_RULESETS` says another number.
const RULESETS: usize = 40;
/// How many packets pass each.
const PACKETS: usize = 30;
const FIRST_PORT: u16 = 10_000;

/// Addresses of the clients by interface, and of the host.
const SOURCES: [[&[&str]; 2]; 2] = [
    [
        &["192.0.2.2", "10.9.0.1", "10.9.0.2", "10.9.0.9"],
        &["198.51.100.2", "10.10.0.1", "10.9.0.3"],
    ],
    [&["2001:db8::2", "fd09::1", "fd09::2", "fd09::9"], &["2001:db8:1::2", "fd10::1", "fd09::3"]],
];
const HOSTS: [&[&str]; 2] =
    [&["192.0.2.1", "192.0.2.3", "198.51.100.1"], &["2001:db8::1", "2001:db8:1::1"]];

#[test]
fn who_gets_in_under_the_policy_got_in_under_the_rules() {
    let number = |variable: &str| std::env::var(variable).ok().and_then(|it| it.parse().ok());
    let seed = number("DWNL_IMPORTED_SEED").unwrap_or(SEED);
    let rulesets = number("DWNL_IMPORTED_RULESETS").map_or(RULESETS, |it: u64| it as usize);
    let mut random = Random::new(seed);
    let mut worlds = [World::new(), World::new()];
    let mut port = FIRST_PORT;
    let mut tally = Tally::default();
    for ruleset in 0..rulesets {
        if port > u16::MAX - PACKETS as u16 {
            (worlds, port) = ([World::new(), World::new()], FIRST_PORT);
        }
        let rules = Rules::random(&mut random);
        let [before, after] = &worlds;
        load(&before.host, &rules.texts(true));
        load(&after.host, &rules.texts(false));
        let imported = import(&before.host, random.is_one_in(2));
        let policy = imported["policy"].as_str().expect("a policy");
        let guard = if random.is_one_in(2) { UNGUARDED } else { "" };
        dwnl(&after.host, &["apply", "-q", "-f", "-"], &format!("{policy}\n{guard}")).succeeded();
        let is_complete = imported["untranslated"].as_array().expect("a list").is_empty();
        tally.complete += usize::from(is_complete);
        for _ in 0..PACKETS {
            port += 1;
            let (interface, first) = packet(&mut random, port);
            let [was_let_in, is_let_in] =
                worlds.each_mut().map(|world| gets_in(&world.send(interface, &first)));
            tally.before += usize::from(was_let_in);
            tally.after += usize::from(is_let_in);
            let is_right =
                if is_complete { was_let_in == is_let_in } else { was_let_in || !is_let_in };
            assert!(
                is_right,
                "seed {seed}, ruleset {ruleset}: {first:?} by eth{interface}: {was_let_in}, but now \
                 {is_let_in}\n{}\n{policy}{guard}",
                rules.texts(true).join("\n")
            );
        }
    }
    println!("seed {seed}: {tally:?}");
    let packets = rulesets * PACKETS;
    assert!(tally.before > packets / 10 && tally.after > packets / 20, "{tally:?}");
    assert!(tally.complete > rulesets / 5 && tally.complete < rulesets, "{tally:?}");
}

/// How many packets got in, and how many rulesets were translated completely.
#[derive(Debug, Default)]
struct Tally {
    before: usize,
    after: usize,
    complete: usize,
}

/// Whether a packet reached the container.
fn gets_in(fate: &Fate) -> bool {
    matches!(fate, Fate::Arrived { at: Some("docker0"), .. })
}

/// Replaces all rules.
fn load(host: &Namespace, texts: &[String; 2]) {
    host.run(&["nft", "flush", "ruleset"]);
    for (program, text) in ["iptables-restore", "ip6tables-restore"].iter().zip(texts) {
        host.try_run(&[program], text).succeeded();
    }
}

/// Imports the rules from the kernel, or from what iptables-save prints of them.
fn import(host: &Namespace, from_kernel: bool) -> Value {
    let output = match from_kernel {
        true => dwnl(host, &["import", "--json"], ""),
        false => {
            let saved = host.run(&["iptables-save"]) + &host.run(&["ip6tables-save"]);
            dwnl(host, &["import", "--json", "-"], &saved)
        }
    };
    let status = output.status.code();
    assert!(matches!(status, Some(0 | 3)), "{output}");
    let imported: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let is_complete = imported["untranslated"].as_array().is_some_and(Vec::is_empty);
    assert_eq!(is_complete, status == Some(0));
    imported
}

fn packet(random: &mut Random, source_port: u16) -> (usize, First) {
    let (interface, version) = (random.below(2), random.below(2));
    let address = |text: &str| -> IpAddr { text.parse().expect("an address") };
    let first = First {
        is_udp: random.is_one_in(3),
        source: address(random.of(SOURCES[version][interface])),
        source_port,
        destination: address(random.of(HOSTS[version])),
        port: random.of(&rules::PUBLISHED).1,
    };
    (interface, first)
}
