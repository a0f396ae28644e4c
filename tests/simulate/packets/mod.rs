//! What the simulation says becomes of a packet is what becomes of it: random packets through random
//! policies and random rules of other programs.

mod frame;
mod iptables;
mod nft;
mod values;
mod world;

use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;
use std::time::SystemTime;

use dwnl::Engine;
use dwnl::ipnetwork::IpNetwork;
use dwnl::model::{KernelRuleset, Protocol};
use dwnl::simulate::{HostLink, HostView, Outcome, Probe, Route, RouteQuery, simulate};

use super::support::{Namespace, Random, UNGUARDED, dwnl};
use frame::First;
use values::{INTERFACES, PORTS, V4, V6};
use world::{Fate, World};

const SEED: u64 = 14;
/// How many packets are sent, unless `DWNL_SIMULATED_PACKETS` says another number.
const PACKETS: usize = 4000;
/// How many of them pass the same rules.
const PER_RULESET: usize = 50;
/// The first source port; each packet has one of its own.
const FIRST_PORT: u16 = 10_000;

#[test]
fn packets_end_where_the_simulation_says() {
    let seed = number("DWNL_SIMULATED_SEED").unwrap_or(SEED);
    let packets = number("DWNL_SIMULATED_PACKETS").map_or(PACKETS, |it| it as usize);
    let mut random = Random::new(seed);
    let mut tally = Tally::default();
    let mut world = World::new();
    let mut port = FIRST_PORT;
    for ruleset in 0..packets / PER_RULESET {
        if port > u16::MAX - PER_RULESET as u16 {
            (world, port) = (World::new(), FIRST_PORT);
        }
        let rules = load(&world.host, &mut random);
        let mut engine = Engine::open_in(Path::new(&world.host.path())).expect("an engine");
        let kernel = engine.read_ruleset().expect("a ruleset");
        let links = links(&world.host);
        for _ in 0..PER_RULESET {
            port += 1;
            let (interface, first) = values::packet(&mut random, port);
            let fate = world.send(interface, &first);
            let simulated = simulate(&kernel, &view(&links), &probe(interface, &first));
            tally.count(&first, &simulated.outcome, &fate);
            assert!(
                agrees(&simulated.outcome, &fate),
                "seed {seed}, ruleset {ruleset}: {first:?} by {}: {fate:?}, but {simulated:#?}\n{rules}",
                INTERFACES[interface]
            );
        }
    }
    println!("seed {seed}: {tally:?}");
    let Tally { arrived, translated, lost, rejected, unknown } = tally;
    let total = arrived + lost + rejected;
    assert!(arrived > total / 10 && lost > total / 20 && rejected > total / 50, "{tally:?}");
    assert!(translated > total / 20, "{tally:?}");
    assert!(unknown <= total / 50, "too much is unknown: {tally:?}");
}

#[test]
fn without_rules_every_packet_arrives_that_has_a_route() {
    let mut random = Random::new(SEED);
    let mut world = World::new();
    let links = links(&world.host);
    for port in 0..200 {
        let (interface, first) = values::packet(&mut random, FIRST_PORT + port);
        let fate = world.send(interface, &first);
        let simulated =
            simulate(&KernelRuleset::default(), &view(&links), &probe(interface, &first));
        assert!(agrees(&simulated.outcome, &fate), "{first:?}: {fate:?}, but {simulated:#?}");
        let has_route = !matches!(simulated.outcome, Outcome::Unroutable { .. });
        assert_eq!(matches!(fate, Fate::Arrived { .. }), has_route, "{first:?}: {fate:?}");
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}: {error}")))
}

/// What became of the packets.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    arrived: usize,
    translated: usize,
    lost: usize,
    rejected: usize,
    unknown: usize,
}

impl Tally {
    /// Counts a packet.
    fn count(&mut self, sent: &First, outcome: &Outcome, fate: &Fate) {
        match fate {
            Fate::Arrived { address, port, .. } => {
                self.arrived += 1;
                let is_kept = *port == sent.port && address.is_none_or(|it| it == sent.destination);
                self.translated += usize::from(!is_kept);
            }
            Fate::Lost => self.lost += 1,
            Fate::Rejected => self.rejected += 1,
        }
        self.unknown += usize::from(matches!(outcome, Outcome::Unknown(_)));
    }
}

/// Whether the packet ended as simulated, or in one of the ways that the simulation says.
fn agrees(outcome: &Outcome, fate: &Fate) -> bool {
    match (outcome, fate) {
        (
            Outcome::Reaches { address, port, out_interface },
            Fate::Arrived { at, address: to, port: p },
        ) => out_interface.as_deref() == *at && to.is_none_or(|to| to == *address) && port == p,
        (Outcome::Dropped(_), Fate::Lost) | (Outcome::Rejected(_), Fate::Rejected) => true,
        // The host says so, or does not.
        (Outcome::Unroutable { .. }, Fate::Lost | Fate::Rejected) => true,
        (Outcome::Unknown(doubt), _) => match &doubt.alternatives {
            Some((matches, otherwise)) => {
                agrees(&matches.outcome, fate) || agrees(&otherwise.outcome, fate)
            }
            None => true,
        },
        _ => false,
    }
}

/// Replaces all rules by random ones, and returns them in words.
fn load(host: &Namespace, random: &mut Random) -> String {
    host.run(&["nft", "flush", "ruleset"]);
    let mut rules = String::new();
    if !random.is_one_in(4) {
        for (program, addresses) in [("iptables-restore", &V4), ("ip6tables-restore", &V6)] {
            let text = load_text(host, &[program], &iptables::ruleset(random, addresses));
            writeln!(rules, "--- {program}\n{text}").expect("text");
        }
    }
    for table in 0..random.below(3) {
        let text = nft::ruleset(random, &format!("table{table}"));
        let text = load_text(host, &["nft", "-f", "-"], &text);
        writeln!(rules, "--- nft\n{text}").expect("text");
    }
    if random.is_one_in(2) {
        let text = policy(random);
        dwnl(host, &["apply", "-q", "-f", "-"], &text).succeeded();
        writeln!(rules, "--- policy\n{text}").expect("text");
    }
    rules
}

/// Loads rules without those that contradict themselves, which the program rejects by their lines,
/// and returns them.
fn load_text(host: &Namespace, command: &[&str], text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    loop {
        let text = lines.join("\n") + "\n";
        let loaded = host.try_run(command, &text);
        if loaded.status.success() {
            return text;
        }
        let mut rejected: Vec<usize> = loaded.stderr.lines().filter_map(rejected_line).collect();
        rejected.sort_unstable();
        rejected.dedup();
        assert!(!rejected.is_empty(), "{loaded}\n{text}");
        rejected.into_iter().rev().for_each(|line| {
            lines.remove(line - 1);
        });
    }
}

/// `/dev/stdin:17:16-24: Error`, `Error occurred at line: 14`, `line 4: RULE_APPEND failed`.
fn rejected_line(message: &str) -> Option<usize> {
    let places = ["/dev/stdin:", "occurred at line: ", "line "];
    let (_, number) = places.iter().find_map(|place| message.split_once(place))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Always open or closed.
const SCHEDULES: [&str; 6] =
    ["", "", "", "until = 2026-01-01\n", "until = 2099-01-01\n", "days = [\"mon-sun\"]\n"];

/// A random policy of dwnl, with or without the guard.
fn policy(random: &mut Random) -> String {
    let guard = random.of(&[UNGUARDED, ""]);
    let mut text = guard.to_owned();
    for entry in 0..random.below(4) {
        let (port, protocol) = (random.of(&PORTS), random.of(&["tcp", "udp"]));
        let networks =
            [random.of(&["10.9.0.0/30", "192.0.2.2"]), random.of(&["fd09::/126", "2001:db8::2"])];
        writeln!(text, "[[allow]]\nname = \"entry{entry}\"\nports = [\"{port}/{protocol}\"]")
            .expect("text");
        writeln!(text, "from = {networks:?}").expect("text");
        if guard.is_empty() {
            text += random.of(&SCHEDULES);
        }
        if random.is_one_in(4) {
            writeln!(text, "in-interface = {:?}", random.of(&INTERFACES)).expect("text");
        }
    }
    text
}

fn probe(interface: usize, first: &First) -> Probe {
    Probe {
        protocol: if first.is_udp { Protocol::Udp } else { Protocol::Tcp },
        source: first.source,
        source_port: Some(first.source_port),
        destination: first.destination,
        port: first.port,
        in_interface: INTERFACES[interface].into(),
    }
}

/// The host's interfaces, as `ip` lists them.
fn links(host: &Namespace) -> Vec<HostLink> {
    let listing = host.run(&["ip", "-d", "-j", "address"]);
    let listing: serde_json::Value = serde_json::from_str(&listing).expect("JSON");
    let links = listing.as_array().expect("a list of links").iter();
    let link = |link: &serde_json::Value| HostLink {
        name: link["ifname"].as_str().expect("a name").into(),
        index: link["ifindex"].as_u64().expect("an index") as u32,
        kind: link["linkinfo"]["info_kind"].as_str().map(Into::into),
        addresses: link["addr_info"].as_array().expect("addresses").iter().map(network).collect(),
    };
    links.map(link).collect()
}

fn network(address: &serde_json::Value) -> IpNetwork {
    let ip: IpAddr = address["local"].as_str().expect("an address").parse().expect("an address");
    let prefix = address["prefixlen"].as_u64().expect("a prefix length") as u8;
    IpNetwork::new(ip, prefix).expect("a network")
}

fn view(links: &[HostLink]) -> HostView<'_> {
    HostView { links, local: &[], route: &route, sockets: None, now: Some(SystemTime::now()) }
}

/// The routes of the host.
fn route(query: &RouteQuery) -> Route {
    const LOCAL: [&str; 8] = [
        "192.0.2.1",
        "192.0.2.3",
        "198.51.100.1",
        "172.17.0.1",
        "2001:db8::1",
        "2001:db8:1::1",
        "fd17::1",
        "127.0.0.1",
    ];
    const ROUTES: [(&str, &str); 10] = [
        ("192.0.2.0/24", "eth0"),
        ("10.9.0.0/24", "eth0"),
        ("198.51.100.0/24", "eth1"),
        ("10.10.0.0/24", "eth1"),
        ("172.17.0.0/16", "docker0"),
        ("2001:db8::/64", "eth0"),
        ("fd09::/64", "eth0"),
        ("2001:db8:1::/64", "eth1"),
        ("fd10::/64", "eth1"),
        ("fd17::/64", "docker0"),
    ];
    let to = query.destination;
    if LOCAL.iter().any(|address| address.parse() == Ok(to)) {
        return Route::Local;
    }
    let is_to = |(network, _): &&(&str, &str)| {
        network.parse::<IpNetwork>().expect("a network").contains(to)
    };
    ROUTES.iter().find(is_to).map_or(Route::Unreachable, |(_, name)| Route::Via((*name).into()))
}
