//! Many published ports: the guard looks them up in sets, with real packets and nft as the oracle.

use super::POLICY;
use super::support::{
    Answer, Namespace, Topology, apply, dwnl, plan, show, udp, udp_echo, udp_echo_at,
    uncovered_ports,
};

/// Docker's rules for these published ports, as `-A DOCKER` continues. None matches a packet, so that
/// what is not dropped reaches a service of the host, as if it were docker-proxy.
fn publish(host: &Namespace, iptables: &str, rules: impl Iterator<Item = String>) {
    let mut text = String::from("*nat\n:DOCKER - [0:0]\n");
    for rule in rules {
        let container = if iptables == "iptables" { "10.1.1.2:80" } else { "[fd00::2]:80" };
        text += &format!("-A DOCKER -i none0 {rule} -j DNAT --to-destination {container}\n");
    }
    host.try_run(&[&format!("{iptables}-restore"), "--noflush"], &(text + "COMMIT\n")).succeeded();
}

/// `-p udp -m udp --dport PORT`
fn udp_port(port: u16) -> String {
    format!("-p udp -m udp --dport {port}")
}

/// Ports of which no two are consecutive.
fn scattered(first: u16, number: u16) -> impl Iterator<Item = u16> {
    (0..number).map(move |index| first + 2 * index)
}

/// A host that publishes many ports everywhere, many on its second address, and many over IPv6 alone.
fn host() -> Topology {
    let topology = Topology::new();
    let everywhere = scattered(8080, 100).map(udp_port);
    let bound = scattered(9080, 40)
        .map(|port| format!("-d {}/32 {}", Topology::HOST_SECOND, udp_port(port)));
    publish(&topology.host, "iptables", everywhere.chain(bound));
    publish(&topology.host, "ip6tables", scattered(7080, 40).map(udp_port));
    topology
}

/// The elements of a set, sorted: the kernel lists them by their hashes.
fn elements(host: &Namespace, set: &str) -> Vec<String> {
    let listing = host.run(&["nft", "list", "set", "inet", "dwnl", set]);
    let elements = listing.split_once("elements = {").and_then(|(_, rest)| rest.split_once('}'));
    let (elements, _) = elements.expect("elements");
    let mut elements: Vec<String> = elements.split(',').map(|it| it.trim().to_owned()).collect();
    elements.sort();
    elements
}

const SETS: [&str; 3] = ["docker-ports", "docker-ports-ip6", "docker-bound-ip"];

#[test]
fn ports_in_sets_are_open_to_allowed_clients_only() {
    use Topology as T;
    let T { host, client } = host();
    let _services = [8080, 8180, 9080, 7080, 8081].map(|port| udp_echo(&host, port));
    let _second = udp_echo_at(&host, T::HOST_SECOND, 9082);
    let cases = [
        // Published everywhere, over both IP versions.
        (T::REFUSED, T::HOST, 8180, false),
        (T::REFUSED6, T::HOST6, 8180, false),
        (T::ALLOWED, T::HOST, 8080, true),
        (T::ALLOWED6, T::HOST6, 8080, true),
        (T::REFUSED, T::HOST, 8080, false),
        // Published on the second address.
        (T::REFUSED, T::HOST_SECOND, 9082, false),
        (T::REFUSED, T::HOST, 9080, true),
        // Published over IPv6 alone.
        (T::REFUSED6, T::HOST6, 7080, false),
        (T::REFUSED, T::HOST, 7080, true),
        // Not published.
        (T::REFUSED, T::HOST, 8081, true),
    ];
    let answer = |(source, target, port, _)| udp(&client, source, target, port);
    for case in cases {
        assert_eq!(answer(case), Answer::Answered, "{case:?}");
    }
    let policy = POLICY.replace("tcp", "udp");
    assert_eq!(uncovered_ports(&apply(&host, &policy)).len(), 179);
    for case in cases {
        let expected = if case.3 { Answer::Answered } else { Answer::TimedOut };
        assert_eq!(answer(case), expected, "{case:?}");
    }
    // The listing shows the rules as dwnl prints them, and nft can load it.
    let listing = host.run(&["nft", "list", "table", "inet", "dwnl"]);
    let rules = listing.replace("counter packets 0 bytes 0", "counter");
    for rule in [
        "meta nfproto ipv6 meta l4proto . th dport @docker-ports-ip6",
        "ip daddr . meta l4proto . th dport @docker-bound-ip",
        "meta l4proto . th dport @docker-ports",
    ] {
        assert!(rules.lines().any(|line| line.trim().starts_with(rule)), "{rule}\n{rules}");
    }
    let other = Namespace::new();
    other.try_run(&["nft", "-f", "-"], &listing).succeeded();
    for set in SETS {
        assert_eq!(elements(&other, set), elements(&host, set));
    }
    let explained = dwnl(&host, &["explain", "-f", "-", T::REFUSED, "8180/udp"], &policy);
    assert!(explained.stdout.contains("inet dwnl proxied: drop"), "{}", explained.stdout);
}

#[test]
fn damaged_sets_are_repaired() {
    let Topology { host, .. } = host();
    apply(&host, POLICY);
    let all = || SETS.map(|set| elements(&host, set));
    let intact = all();
    assert_eq!(apply(&host, POLICY)["has_changes"], false);
    for damage in [
        "delete element inet dwnl docker-ports { udp . 8080 }",
        "add element inet dwnl docker-ports { tcp . 4242 }",
        "add element inet dwnl docker-ports { icmp . 8 }",
        "add element inet dwnl docker-bound-ip { 192.0.2.1 . sctp . 4242 }",
        "flush set inet dwnl docker-bound-ip",
        "flush set inet dwnl docker-ports-ip6",
        "flush chain inet dwnl input",
    ] {
        host.run(&["nft", damage]);
        assert_eq!(apply(&host, POLICY)["has_changes"], true, "{damage}");
        assert_eq!(all(), intact, "{damage}");
        assert_eq!(apply(&host, POLICY)["has_changes"], false, "{damage}");
    }
    // Few ports are rules again, and without ports nothing remains.
    host.run(&["iptables", "-t", "nat", "-F", "DOCKER"]);
    publish(&host, "iptables", [8080, 8090].map(udp_port).into_iter());
    host.run(&["ip6tables", "-t", "nat", "-F", "DOCKER"]);
    apply(&host, POLICY);
    let table = host.run(&["nft", "list", "table", "inet", "dwnl"]);
    assert!(table.contains("udp dport 8090 "), "{table}");
    assert!(SETS.iter().all(|set| !table.contains(&format!("set {set} "))), "{table}");
}

/// A port is remembered for as long as a socket listens that may be docker-proxy's.
#[test]
fn a_port_in_a_set_is_known_until_its_socket_is_closed() {
    let Topology { host, .. } = host();
    let proxy = udp_echo(&host, 8180);
    apply(&host, POLICY);
    host.run(&["iptables", "-t", "nat", "-F", "DOCKER"]);
    publish(&host, "iptables", scattered(8080, 20).map(udp_port));
    apply(&host, POLICY);
    let known = || {
        let elements = elements(&host, "docker-ports");
        (elements.len(), elements.contains(&"udp . 8180".to_owned()))
    };
    assert_eq!(known(), (21, true));
    drop(proxy);
    apply(&host, POLICY);
    assert_eq!(known(), (20, false));
}

/// Docker may publish thousands of ports. What people read stays short, and programs get all of it.
#[test]
fn reports_about_many_ports_are_short() {
    const PORTS: u16 = 3000;
    let host = Namespace::new();
    publish(&host, "iptables", scattered(1025, PORTS).map(udp_port));
    for args in [["plan", "-f", "-"], ["apply", "-f", "-"], ["apply", "-f", "-"]] {
        let text = dwnl(&host, &args, POLICY).succeeded();
        assert!(text.lines().count() <= 20, "{text}");
        assert!(text.contains("3,000 ports that no policy entry covers"), "{text}");
    }
    let summary = "1025/udp, 1027/udp, 1029/udp, 1031/udp, 1033/udp and 2,995 more";
    let text = dwnl(&host, &["apply", "-f", "-"], POLICY).succeeded();
    assert!(text.contains(summary), "{text}");
    let report = plan(&host, POLICY);
    assert_eq!(uncovered_ports(&report).len(), usize::from(PORTS));
    assert_eq!(report["has_changes"], false);
    let directory = tempfile::TempDir::new().expect("a directory");
    let policy = directory.path().join("policy.toml").to_string_lossy().into_owned();
    std::fs::write(&policy, POLICY).expect("a policy file");
    let status = dwnl(&host, &["status", "-f", &policy], "").succeeded();
    assert!(status.lines().count() <= 40, "{status}");
    assert!(status.contains("3,000 ports; -v lists them"), "{status}");
    let sets = show(&host)["tables"].to_string();
    assert!(sets.contains(r#""element_count":3000"#), "{sets}");
}
