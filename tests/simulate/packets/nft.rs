//! Random tables of nft.

use super::super::support::Random;
use super::values::{Addresses, PORTS, V4, V6};

/// The hooks of base chains, with some of their priorities.
const FILTERS: [(&str, &[i32]); 4] = [
    ("prerouting", &[-310, -250, -150, -99, -50, 0]),
    ("input", &[-150, 0, 5, 50, 150]),
    ("forward", &[-150, 0, 5, 50]),
    ("postrouting", &[-150, 0, 150]),
];

/// A table with sets, chains that others jump to, base chains and nat chains.
pub fn ruleset(random: &mut Random, name: &str) -> String {
    let family = random.of(&["inet", "inet", "ip", "ip6"]);
    let mut text = format!("table {family} {name} {{\n{SETS}");
    for (chain, jumps) in [("two", false), ("one", true)] {
        text += &format!("chain {chain} {{\n");
        for _ in 0..random.below(4) {
            text += &rule(random, family, "any", jumps.then_some("two"));
        }
        text += "}\n";
    }
    for index in 0..1 + random.below(4) {
        let (hook, priorities) = random.of(&FILTERS);
        let priority = random.of(priorities);
        let policy = if random.is_one_in(6) && hook != "postrouting" { "drop" } else { "accept" };
        text += &format!(
            "chain base{index} {{\ntype filter hook {hook} priority {priority}; policy {policy};\n"
        );
        // The raw packet has no flow yet.
        let place = if priority < -200 { "raw" } else { hook };
        for _ in 0..1 + random.below(4) {
            let jump = Some(random_jump(index)).filter(|_| hook != "postrouting");
            text += &rule(random, family, place, jump);
        }
        text += "}\n";
    }
    for index in 0..random.below(3) {
        let priority = random.of(&[-110, -105, -95, 0]);
        text += &format!("chain nat{index} {{\ntype nat hook prerouting priority {priority};\n");
        for _ in 0..1 + random.below(3) {
            text += &translation(random, family);
        }
        text += "}\n";
    }
    text + "}\n"
}

fn random_jump(index: usize) -> &'static str {
    ["one", "two"][index % 2]
}

const SETS: &str = "
    set ports { type inet_service; flags interval; elements = { 80, 5000-5001 } }
    set times { typeof meta time; flags interval; elements = { 1767225600-4070908800 } }
    set sources4 { type ipv4_addr; flags interval; elements = { 10.9.0.0/30, 198.51.100.2 } }
    set hosts4 { type ipv4_addr; elements = { 10.9.0.1, 192.0.2.2 } }
    set pairs4 { type ipv4_addr . inet_service; flags interval; elements = { 10.9.0.0/16 . 5000-5001, 192.0.2.2 . 80 } }
    set triples4 { type ipv4_addr . inet_proto . inet_service; elements = { 192.0.2.1 . tcp . 80, 192.0.2.1 . udp . 5000 } }
    set sources6 { type ipv6_addr; flags interval; elements = { fd09::/126, 2001:db8:1::2 } }
    set hosts6 { type ipv6_addr; elements = { fd09::1, 2001:db8::2 } }
    set pairs6 { type ipv6_addr . inet_service; flags interval; elements = { fd09::/16 . 5000-5001, 2001:db8::2 . 80 } }
    set triples6 { type ipv6_addr . inet_proto . inet_service; elements = { 2001:db8::1 . tcp . 80 } }
    map targets4 { type inet_service : ipv4_addr; elements = { 80 : 172.17.0.2, 5000 : 192.0.2.3 } }
    map targets6 { type inet_service : ipv6_addr; elements = { 80 : fd17::2, 5000 : 2001:db8::1 } }
    map marks { type inet_service : mark; elements = { 80 : 0x1, 5000 : 0x4 } }
";

/// The version of IP that a rule in this family may be about.
fn version(random: &mut Random, family: &str) -> (&'static str, &'static str, &'static Addresses) {
    match family {
        "ip" => ("ip", "4", &V4),
        "ip6" => ("ip6", "6", &V6),
        _ => random.of(&[("ip", "4", &V4), ("ip6", "6", &V6)]),
    }
}

fn rule(random: &mut Random, family: &str, place: &str, jump: Option<&str>) -> String {
    let mut words = Vec::new();
    for _ in 0..1 + random.below(2) {
        words.push(condition(random, family, place));
    }
    words.push(statement(random, place, jump));
    words.join(" ") + "\n"
}

fn condition(random: &mut Random, family: &str, place: &str) -> String {
    let (ip, digit, addresses) = version(random, family);
    let not = if random.is_one_in(3) { "!= " } else { "" };
    let end = random.of(&["saddr", "daddr"]);
    let protocol = random.of(&["tcp", "udp"]);
    let has_flow = place != "raw" && place != "any";
    match random.below(25) {
        0 | 1 => format!("{ip} {end} {not}{}", addresses.network(random)),
        2 => format!("{ip} saddr {not}@{}{digit}", random.of(&["sources", "hosts"])),
        3 => {
            format!("{ip} {end} {not}{{ {}, {} }}", addresses.sources[0][0], addresses.ranges[0].0)
        }
        4 => {
            let (first, last) = random.of(addresses.ranges);
            format!("{ip} {end} {not}{first}-{last}")
        }
        5 => format!("{ip} saddr . {protocol} dport {not}@pairs{digit}"),
        6 => format!("{ip} daddr . meta l4proto . th dport {not}@triples{digit}"),
        7 => format!("{protocol} dport {not}{}", random.of(&PORTS)),
        8 => format!("{protocol} dport {not}@ports"),
        9 => format!("{protocol} dport {not}{{ 80, 5001-5002 }}"),
        10 => format!("th dport {not}5000-5001"),
        11 => format!("th sport {} 20000", random.of(&["<", ">="])),
        12 => format!(
            "iifname {not}{}",
            random.of(&["\"eth0\"", "\"eth*\"", "{ \"eth1\", \"docker0\" }"])
        ),
        13 if place == "forward" || place == "postrouting" => {
            format!("oifname {not}{}", random.of(&["\"docker0\"", "\"eth1\""]))
        }
        14 => format!("meta mark {not}{}", random.of(&["0x1", "0x0", "{ 0x1, 0x4 }"])),
        15 => format!("meta mark & 0x5 {} 0x1", random.of(&["==", "!="])),
        16 => format!("meta l4proto {not}{}", random.of(&["tcp", "{ tcp, udp }"])),
        17 => format!(
            "fib daddr {}type {not}{}",
            random.of(&["", "", ". iif "]).trim_start(),
            "local"
        ),
        18 if has_flow => format!(
            "ct state {not}{}",
            random.of(&["new", "established,related", "invalid", "untracked"])
        ),
        19 if has_flow => format!("ct mark & 0x4 {} 0x4", random.of(&["==", "!="])),
        20 if has_flow => format!("ct original {ip} daddr {not}{}", addresses.network(random)),
        21 if has_flow && place != "prerouting" => {
            format!("ct status {}", random.of(&["dnat", "snat", "! dnat"]))
        }
        22 if has_flow => {
            format!("meta l4proto {protocol} ct original proto-dst {not}{}", random.of(&PORTS))
        }
        23 => random
            .of(&[
                "tcp flags syn / syn,ack",
                "tcp flags & (fin | rst) == 0",
                "meta nfproto ipv4",
                "meta iifkind \"bridge\"",
                "oifname \"\"",
            ])
            .to_owned(),
        24 => random
            .of(&[
                "meta time @times",
                "meta time != @times",
                "meta time < \"2026-01-01 00:00:00\"",
                "meta time \"2026-01-01 00:00:00\"-\"2099-01-01 00:00:00\"",
                "meta hour \"00:00\"-\"23:59:59\"",
            ])
            .to_owned(),
        _ => "meta pkttype host".to_owned(),
    }
}

fn statement(random: &mut Random, place: &str, jump: Option<&str>) -> String {
    let has_flow = place != "raw" && place != "any";
    match random.below(14) {
        0 | 1 => jump.map_or("accept".to_owned(), |chain| {
            format!("{} {chain}", random.of(&["jump", "goto"]))
        }),
        2 => "return".to_owned(),
        3 => "counter".to_owned(),
        4 => "meta mark set meta mark | 0x1".to_owned(),
        5 => random.of(&["meta mark set 0x4", "meta mark set tcp dport map @marks"]).to_owned(),
        6 if has_flow => random
            .of(&["ct mark set ct mark | 0x4", "ct mark set meta mark", "ct mark set 0x1"])
            .to_owned(),
        7 if has_flow => "meta mark set ct mark".to_owned(),
        4..=7 if place == "raw" => "notrack".to_owned(),
        8 if place != "postrouting" => random
            .of(&[
                "tcp dport vmap { 80 : drop, 5000 : accept, 5002 : return }",
                "log group 9",
                "meta l4proto vmap { tcp : accept }",
            ])
            .to_owned(),
        9 if has_flow && place != "postrouting" => {
            "ct state vmap { new : accept, invalid : drop }".to_owned()
        }
        10 if place == "input" || place == "forward" => {
            random.of(&["reject", "meta l4proto tcp reject with tcp reset"]).to_owned()
        }
        11 if place != "postrouting" && place != "prerouting" => "drop".to_owned(),
        // What the host answers passes it too.
        11 if place == "postrouting" => {
            "oifname \"docker0\" meta l4proto { tcp, udp } drop".to_owned()
        }
        11 => "meta l4proto { tcp, udp } drop".to_owned(),
        _ => "accept".to_owned(),
    }
}

fn translation(random: &mut Random, family: &str) -> String {
    let (ip, digit, addresses) = version(random, family);
    let family = if family == "inet" { format!("{ip} ") } else { String::new() };
    let protocol = random.of(&["tcp", "udp"]);
    let port = random.of(&PORTS);
    let to = random.of(addresses.targets);
    let bracketed = if digit == "6" { format!("[{to}]") } else { to.to_owned() };
    let network = addresses.network(random);
    match random.below(7) {
        0 => format!(
            "{ip} daddr {network} {protocol} dport {port} dnat {family}to {bracketed}:5003\n"
        ),
        1 => format!("{ip} saddr {network} {protocol} dport {port} dnat {family}to {to}\n"),
        2 => format!(
            "{ip} daddr {network} {protocol} dport {port} redirect to :{}\n",
            random.of(&PORTS)
        ),
        3 => format!(
            "{protocol} dport {{ 80, 5000 }} dnat {family}to {protocol} dport map @targets{digit}\n"
        ),
        4 => format!("meta nfproto ipv{digit} {protocol} dport {port} accept\n"),
        5 => format!("{ip} daddr {network} meta mark set 0x2\n"),
        _ => format!(
            "{ip} daddr {network} {protocol} dport @ports dnat {family}to {protocol} dport map {{ 80 : {to}, 5001 : {to} }}\n"
        ),
    }
}
