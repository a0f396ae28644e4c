//! Policies of many ports: maps lead to the rules for each port.

use std::fmt::Write;

use super::support::{
    Answer, Namespace, Topology, UNGUARDED, apply, dwnl, plan, saved, state, tcp, tcp_echo,
};

const TABLE: [&str; 3] = ["table", "inet", "dwnl"];

/// Entries for one port each, and for one of many ports.
fn entries(number: usize) -> String {
    let mut text = String::new();
    for n in 0..number {
        write!(text, "[[allow]]\nname = 'e{n}'\nports = ['{}']\n", 20_000 + 3 * n).expect("text");
        writeln!(text, "from = ['192.0.2.{}', '2001:db8::{n:x}']", n % 250).expect("text");
    }
    let ports: Vec<String> = (0..30).map(|n| format!("{}/udp", 40_000 + n * n)).collect();
    text + &format!("[[allow]]\nname = 'many'\nports = {ports:?}\n")
}

/// The same with ranges that overlap, with limits and schedules among them.
fn scattered(number: usize) -> String {
    entries(number)
        + "[[allow]]\nname = 'a range'\nports = ['20001-20010', '20100-20199']\nlimit = '20/second'\n\
           [[allow]]\nports = ['20050-20150']\nhours = ['08:00-17:00']\nfrom = ['198.51.100.0/24']\n\
           [[allow]]\nports = ['65535', '1']\n"
}

/// Entries that deny ports, which a map leads to as well.
fn denied(number: usize) -> String {
    let entry = |n| format!("[[deny]]\nports = ['{}']\nfrom = ['192.0.2.{n}']\n", 20_000 + 2 * n);
    (0..number).map(entry).collect()
}

#[test]
fn nft_loads_the_printed_maps_identically() {
    let (host, reference) = (Namespace::new(), Namespace::new());
    let policy = scattered(100) + &denied(80);
    apply(&host, &policy);
    let text = dwnl(&host, &["rules", "--nft", "-f", "-"], &policy).succeeded();
    reference.try_run(&["nft", "-f", "-"], &text).succeeded();
    let maps = |namespace: &Namespace| {
        let listed = namespace.run(&["nft", "list", "maps", "inet"]);
        assert!(listed.starts_with("table inet dwnl {"), "{listed}");
        listed
    };
    let listed = maps(&host);
    assert_eq!(listed, maps(&reference));
    for element in ["20000 : goto denied-.20000-tcp", "1 : goto allowed-.1-tcp"] {
        assert!(listed.contains(element), "{element}: {listed}");
    }
    let chain = |namespace: &Namespace, chain| {
        namespace.run(&[&["nft", "list", "chain"][..], &TABLE[1..], &[chain]].concat())
    };
    for name in ["allowed", "admitted", "allowed-e7.20021-tcp", "denied-.20020-tcp"] {
        assert_eq!(chain(&host, name), chain(&reference, name), "{name}");
    }
}

#[test]
fn a_changed_entry_changes_its_own_chain() {
    let host = Namespace::new();
    apply(&host, &scattered(100));
    let before = state(&host);
    let changed = scattered(100).replace("'192.0.2.7'", "'192.0.2.251'");
    let outcome = apply(&host, &changed);
    let counts = ["rules_added", "rules_removed", "elements_added", "elements_removed"];
    assert_eq!(counts.map(|count| outcome[count].as_u64()), [1, 1, 0, 0].map(Some), "{outcome}");
    let outcome = apply(&host, &scattered(101));
    let added = outcome["rules_added"].as_u64().expect("a number");
    assert!(added < 8 && outcome["elements_added"] == 1, "{outcome}");
    apply(&host, &scattered(100));
    let has_chain = |state: &[serde_json::Value], name: &str| {
        state.iter().any(|it| it["chain"]["name"] == *name)
    };
    assert!(!has_chain(&state(&host), "allowed-e100.20300-tcp"));
    assert_eq!(state(&host).len(), before.len());
}

#[test]
fn policies_switch_between_rules_and_maps() {
    let host = Namespace::new();
    let unguarded = entries(120) + UNGUARDED;
    let denying = entries(120) + &denied(80) + UNGUARDED;
    for policy in [
        scattered(5),
        scattered(80),
        unguarded,
        scattered(80) + &denied(80),
        denying,
        entries(5) + UNGUARDED,
        denied(80),
        scattered(5),
    ] {
        apply(&host, &policy);
        assert_eq!(plan(&host, &policy)["has_changes"], false);
        let reference = Namespace::new();
        apply(&reference, &policy);
        assert_eq!(state(&host), state(&reference));
        assert_eq!(saved(&host), saved(&reference));
    }
    dwnl(&host, &["remove"], "").succeeded();
    assert_eq!(host.run(&["nft", "list", "tables"]), "");
}

/// nft commands, each line in a transaction of its own.
const DAMAGE: [&str; 12] = [
    "add element inet dwnl allowed-tcp { 9999 : accept }",
    "add element inet dwnl allowed-tcp { 9999 : goto inside }",
    "add element inet dwnl allowed-tcp { 9999 : jump allowed-e7.20021-tcp }",
    "delete element inet dwnl allowed-tcp { 20021 }",
    "delete element inet dwnl allowed-tcp { 20021 }
     add element inet dwnl allowed-tcp { 20021 : goto allowed-e8.20024-tcp }",
    "flush map inet dwnl allowed-tcp",
    "flush chain inet dwnl allowed-e7.20021-tcp",
    "add rule inet dwnl allowed-e7.20021-tcp accept",
    "flush chain inet dwnl allowed",
    "flush chain inet dwnl allowed
     delete map inet dwnl allowed-tcp",
    "flush chain inet dwnl allowed
     delete map inet dwnl allowed-tcp
     add set inet dwnl allowed-tcp { type inet_service; flags interval; elements = { 1-7 }; }",
    "add map inet dwnl foreign { type inet_service : verdict; flags interval; elements = { 7 : goto inside }; }
     add chain inet dwnl allowed-foreign
     add rule inet dwnl allowed tcp dport vmap @foreign",
];

#[test]
fn the_next_apply_repairs_maps_and_their_chains() {
    let host = Namespace::new();
    let policy = scattered(80);
    apply(&host, &policy);
    let intact = (state(&host), saved(&host));
    for damage in DAMAGE {
        for line in damage.lines() {
            host.try_run(&["nft", "-f", "-"], line).succeeded();
        }
        assert_ne!(state(&host), intact.0, "no damage: {damage}");
        assert_eq!(apply(&host, &policy)["has_changes"], true, "{damage}");
        assert_eq!((state(&host), saved(&host)), intact, "{damage}");
        assert_eq!(apply(&host, &policy)["has_changes"], false, "{damage}");
    }
}

/// Docker's rules for these ports, in a chain that packets of other interfaces meet.
fn publish(host: &Namespace, ports: [u16; 2], condition: [&str; 2], target: [&str; 4]) {
    host.run(&["iptables", "-t", "nat", "-N", "DOCKER"]);
    for port in ports {
        let port = port.to_string();
        let docker = ["iptables", "-t", "nat", "-A", "DOCKER"].into_iter().chain(condition);
        let docker = docker.chain(["-p", "tcp", "--dport", &port]).chain(target);
        host.run(&docker.collect::<Vec<_>>());
    }
}

#[test]
fn without_the_guard_maps_decide_in_front_of_prerouting() {
    let topology = Topology::new();
    let host = &topology.host;
    let _server = tcp_echo(host, 8080);
    let ports = [20_201, 20_204];
    publish(host, ports, ["-i", "eth0"], ["-j", "REDIRECT", "--to-ports", "8080"]);
    let to_docker = "-t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER";
    host.run(&[&["iptables"], &to_docker.split(' ').collect::<Vec<_>>()[..]].concat());
    let (allowed, refused) = (Topology::ALLOWED, Topology::REFUSED);
    let attempt = |source, port| tcp(&topology.client, source, Topology::HOST, port);
    let all = [(allowed, 20_201), (allowed, 20_204), (refused, 20_201), (refused, 20_204)];
    let answers = || all.map(|(source, port)| attempt(source, port) == Answer::Answered);
    assert_eq!(answers(), [true; 4], "nothing blocks yet");
    let denied = format!("[[deny]]\nports = ['20201']\nfrom = ['{allowed}']\n{}", denied(70));
    let open = format!("[[allow]]\nports = ['20201', '20204']\nfrom = ['{allowed}']\n");
    let policy = entries(120) + &open;
    apply(host, &(policy.clone() + UNGUARDED));
    assert_eq!(answers(), [true, true, false, false]);
    apply(host, &(policy.clone() + &denied + UNGUARDED));
    assert_eq!(answers(), [false, true, false, false], "denied by an entry");
    let rules = host.run(&["iptables", "-t", "nat", "-S", "DOCKER-BLOCK"]);
    assert_eq!(rules.lines().count(), 2, "{rules}");
    let explained =
        dwnl(host, &["explain", allowed, "20204", "-f", "-"], &(policy + &denied + UNGUARDED));
    assert!(explained.succeeded().contains("allowed"));
    apply(host, &(entries(120) + UNGUARDED));
    assert_eq!(answers(), [false; 4]);
}

#[test]
fn grants_and_bans_by_hand_hold_with_maps() {
    let topology = Topology::new();
    // Listeners on published ports, as docker-proxy has them.
    let ports = [20_201, 20_204];
    let _servers = ports.map(|port| tcp_echo(&topology.host, port));
    let target = ["-j", "DNAT", "--to-destination", "172.17.0.2:80"];
    publish(&topology.host, ports, ["-i", "docker0"], target);
    let allowed = Topology::ALLOWED;
    let denied = format!(
        "{}[[deny]]\nports = ['20201']\nfrom = ['{allowed}']\n[[allow]]\nports = ['20201', '20204']\n\
         from = ['{allowed}']\n",
        self::denied(70)
    );
    apply(&topology.host, &(scattered(80) + &denied));
    let attempt = |source, port| tcp(&topology.client, source, Topology::HOST, port);
    let refused = Topology::REFUSED;
    let by_hand = |verb: &str, source: &str, port: &str| {
        dwnl(&topology.host, &[verb, source, port, "--for", "1h"], "").succeeded();
    };
    assert_eq!(attempt(allowed, 20_204), Answer::Answered);
    assert_eq!(attempt(allowed, 20_201), Answer::TimedOut, "denied by an entry");
    assert_eq!(attempt(refused, 20_204), Answer::TimedOut);
    by_hand("allow", allowed, "20201/tcp");
    by_hand("allow", refused, "20204/tcp");
    assert_eq!(attempt(allowed, 20_201), Answer::TimedOut, "an entry that denies wins");
    assert_eq!(attempt(refused, 20_204), Answer::Answered, "granted by hand");
    dwnl(&topology.host, &["deny", allowed], "").succeeded();
    assert_eq!(attempt(allowed, 20_204), Answer::TimedOut, "banned by hand");
    let shown = dwnl(&topology.host, &["show", "-v"], "").succeeded();
    assert!(shown.contains("\n20204 : goto allowed-"), "{shown}");
    let of_port = dwnl(&topology.host, &["show", "20009"], "").succeeded();
    assert!(of_port.contains("inet dwnl allowed-"), "{of_port}");
    assert!(!of_port.contains("allowed-e7."), "{of_port}");
}
