//! Random rules of iptables, in the form of iptables-restore.

use super::super::support::Random;
use super::values::{Addresses, PORTS};

/// A chain, and whether rules in it may look at the interface by which packets go out.
const BASES: [(&str, &str, bool); 9] = [
    ("raw", "PREROUTING", false),
    ("mangle", "PREROUTING", false),
    ("mangle", "INPUT", false),
    ("mangle", "FORWARD", true),
    ("nat", "PREROUTING", false),
    ("nat", "PREROUTING", false),
    ("filter", "INPUT", false),
    ("filter", "FORWARD", true),
    ("filter", "FORWARD", true),
];

/// Rules for some chains, and chains that these jump to.
pub fn ruleset(random: &mut Random, addresses: &Addresses) -> String {
    let mut text = String::new();
    for table in ["raw", "mangle", "nat", "filter"] {
        text += &format!("*{table}\n");
        if table == "filter" {
            for chain in ["INPUT", "FORWARD"] {
                let policy = if random.is_one_in(5) { "DROP" } else { "ACCEPT" };
                text += &format!(":{chain} {policy} [0:0]\n");
            }
        }
        text += ":ONE - [0:0]\n:TWO - [0:0]\n";
        if table == "nat" {
            text += ":DOCKER - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n";
            for port in [80, 5000, 5001] {
                for protocol in ["tcp", "udp"] {
                    let to = addresses.targets[0];
                    let to = if to.contains(':') { format!("[{to}]") } else { to.to_owned() };
                    text += &format!(
                        "-A DOCKER ! -i docker0 -p {protocol} -m {protocol} --dport {port} -j DNAT --to-destination {to}:80\n"
                    );
                }
            }
        }
        let bases: Vec<_> = BASES.iter().filter(|(it, ..)| *it == table).collect();
        for (chain, base, has_out) in [("ONE", true), ("TWO", false)]
            .into_iter()
            .map(|(chain, jumps)| (chain, jumps, false))
            .flat_map(|(chain, jumps, out)| (0..random.below(3)).map(move |_| (chain, jumps, out)))
            .collect::<Vec<_>>()
        {
            text += &rule(random, addresses, table, chain, has_out, base);
        }
        for (_, chain, has_out) in bases {
            for _ in 0..random.below(4) {
                text += &rule(random, addresses, table, chain, *has_out, true);
            }
        }
        text += "COMMIT\n";
    }
    text
}

/// `jumps`: whether it may jump to other chains.
fn rule(
    random: &mut Random,
    addresses: &Addresses,
    table: &str,
    chain: &str,
    has_out: bool,
    jumps: bool,
) -> String {
    let protocol = random.of(&["tcp", "udp", "", ""]);
    let mut words = vec![format!("-A {chain}")];
    if !protocol.is_empty() {
        words.push(format!("-p {protocol}"));
    }
    for _ in 0..1 + random.below(2) {
        words.push(condition(random, addresses, table, protocol, has_out));
    }
    words.push(target(random, addresses, table, protocol, (chain, jumps)));
    words.join(" ") + "\n"
}

fn negation(random: &mut Random) -> &'static str {
    if random.is_one_in(3) { "! " } else { "" }
}

fn ports(random: &mut Random) -> String {
    match random.below(3) {
        0 => random.of(&PORTS).to_string(),
        1 => "5000:5001".to_owned(),
        _ => "80:5002".to_owned(),
    }
}

fn condition(
    random: &mut Random,
    addresses: &Addresses,
    table: &str,
    protocol: &str,
    has_out: bool,
) -> String {
    let not = negation(random);
    match random.below(17) {
        0 | 1 => format!("{not}-s {}", addresses.network(random)),
        2 | 3 => format!("{not}-d {}", addresses.network(random)),
        4 => format!("{not}-i {}", random.of(&["eth0", "eth1", "eth+", "docker0"])),
        5 if has_out => format!("{not}-o {}", random.of(&["eth1", "docker0", "eth+"])),
        6 | 7 if !protocol.is_empty() => format!("-m {protocol} {not}--dport {}", ports(random)),
        8 if !protocol.is_empty() => {
            format!("-m {protocol} {not}--sport {}", random.of(&["1:30000", "20000"]))
        }
        9 if !protocol.is_empty() => {
            let option = random.of(&["--dports", "--ports"]);
            format!("-m multiport {not}{option} 80,5000:5001")
        }
        10 => {
            let kind = random.of(&["--dst-type LOCAL", "--src-type UNICAST", "--dst-type UNICAST"]);
            let limit = if kind.starts_with("--dst") && random.is_one_in(3) {
                " --limit-iface-in"
            } else {
                ""
            };
            format!("-m addrtype {not}{kind}{limit}")
        }
        11 if table != "raw" => {
            let states =
                ["NEW", "RELATED,ESTABLISHED", "INVALID", "DNAT", "UNTRACKED", "NEW,INVALID"];
            format!("-m conntrack {not}--ctstate {}", random.of(&states))
        }
        12 if table != "raw" => match random.below(4) {
            0 => format!("-m conntrack {not}--ctorigdst {}", addresses.network(random)),
            1 => format!("-m conntrack {not}--ctorigdstport {}", random.of(&PORTS)),
            2 => "-m conntrack --ctdir ORIGINAL".to_owned(),
            _ => format!("-m conntrack {not}--ctreplsrc {}", addresses.network(random)),
        },
        13 => format!("-m mark {not}--mark {}", random.of(&["0x1/0x1", "0x2", "0x0/0x3"])),
        14 if table != "raw" => {
            format!("-m connmark {not}--mark {}", random.of(&["0x4/0x4", "0x0", "0x5"]))
        }
        15 => {
            let (first, last) = random.of(addresses.ranges);
            format!("-m iprange {not}--{}-range {first}-{last}", random.of(&["src", "dst"]))
        }
        16 if protocol == "tcp" => {
            random.of(&["--syn", "! --syn", "--tcp-flags ACK,RST NONE"]).to_owned()
        }
        _ => "-m comment --comment \"any packet\"".to_owned(),
    }
}

fn target(
    random: &mut Random,
    addresses: &Addresses,
    table: &str,
    protocol: &str,
    (chain, jumps): (&str, bool),
) -> String {
    let mark =
        |random: &mut Random| random.of(&["0x1/0x1", "0x2/0xffffffff", "0x0/0x1", "0x5/0x7"]);
    let next = if chain == "ONE" { "TWO" } else { random.of(&["ONE", "TWO"]) };
    match random.below(12) {
        0 | 1 if jumps => format!("{} {next}", random.of(&["-j", "-j", "-g"])),
        2 => "-j RETURN".to_owned(),
        3 => random.of(&["-j LOG", "-j NFLOG --nflog-group 9"]).to_owned(),
        4 | 5 if table == "mangle" => format!("-j MARK --set-xmark {}", mark(random)),
        6 | 7 if table == "mangle" => match random.below(3) {
            0 => format!("-j CONNMARK --set-xmark {}", mark(random)),
            1 => "-j CONNMARK --save-mark --nfmask 0x3 --ctmask 0x7".to_owned(),
            _ => "-j CONNMARK --restore-mark --nfmask 0x5 --ctmask 0x5".to_owned(),
        },
        4 | 5 if table == "raw" => "-j CT --notrack".to_owned(),
        4..=9
            if table == "nat"
                && !protocol.is_empty()
                && (chain == "PREROUTING" || random.is_one_in(2)) =>
        {
            let port = random.of(&PORTS);
            let to = random.of(addresses.targets);
            let bracketed = if to.contains(':') { format!("[{to}]") } else { to.to_owned() };
            match random.below(4) {
                0 => format!("-j REDIRECT --to-ports {port}"),
                1 => format!("-j DNAT --to-destination {to}"),
                2 => format!("-j DNAT --to-destination {bracketed}:5000-5002"),
                _ => format!("-j DNAT --to-destination {bracketed}:{port}"),
            }
        }
        4 | 5 if table == "filter" => match protocol {
            "tcp" => "-j REJECT --reject-with tcp-reset".to_owned(),
            _ => "-j REJECT".to_owned(),
        },
        6..=8 if table != "nat" && random.is_one_in(if table == "filter" { 1 } else { 4 }) => {
            "-j DROP".to_owned()
        }
        _ => "-j ACCEPT".to_owned(),
    }
}
