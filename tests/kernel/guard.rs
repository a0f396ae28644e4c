//! The guard on hosts without a dockerd: what it leaves alone, and how it is repaired.

use std::net::UdpSocket;
use std::time::Duration;

use super::support::{
    Answer, Namespace, Topology, UdpEcho, apply, remove, udp, udp_echo, wait_for,
};
use super::{POLICY, UNGUARDED, ruleset};

/// A namespace behind a bridge of the host, with the address 10.1.1.2, that echoes UDP on port 80.
pub fn behind(host: &Namespace, bridge: &str) -> (Namespace, UdpEcho) {
    let inner = Namespace::new();
    host.run(&["ip", "link", "add", bridge, "type", "bridge"]);
    let peer = ["peer", "name", "eth0", "netns", &inner.path()];
    host.run(&[&["ip", "link", "add", "veth0123456", "type", "veth"], &peer[..]].concat());
    host.run(&["ip", "link", "set", "veth0123456", "master", bridge, "up"]);
    host.run(&["ip", "link", "set", bridge, "up"]);
    host.run(&["ip", "address", "add", "10.1.1.1/24", "dev", bridge]);
    inner.run(&["ip", "address", "add", "10.1.1.2/24", "dev", "eth0"]);
    inner.run(&["ip", "link", "set", "eth0", "up"]);
    inner.run(&["ip", "route", "add", "default", "via", "10.1.1.1"]);
    host.run(&["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    let echo = udp_echo(&inner, 80);
    (inner, echo)
}

#[track_caller]
pub fn is_answered(client: &Namespace, target: &str, port: u16) {
    let attempt = || udp(client, Topology::REFUSED, target, port);
    let what = format!("an answer from {target}, port {port}");
    wait_for(&what, || (attempt() == Answer::Answered).then_some(()));
}

/// An operator's port forward.
const FORWARD: &str = "
    table ip forward {
        chain prerouting {
            type nat hook prerouting priority dstnat; policy accept;
            ip daddr 192.0.2.1 udp dport 9000 dnat to 10.1.1.2:80
        }
    }";

/// Adds Docker's rules for a published port of the container 10.1.1.2 behind a bridge.
pub fn publish(host: &Namespace, bridge: &str) {
    for rule in [
        "-N DOCKER",
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
        &format!("-A DOCKER -i {bridge} -j RETURN"),
        &format!(
            "-A DOCKER ! -i {bridge} -p udp -m udp --dport 8080 -j DNAT --to-destination 10.1.1.2:80"
        ),
    ] {
        let words: Vec<&str> =
            ["iptables", "-t", "nat"].into_iter().chain(rule.split(' ')).collect();
        host.run(&words);
    }
}

#[test]
fn a_router_forwards_as_before() {
    let Topology { host, client } = Topology::new();
    let (_lan, _echo) = behind(&host, "br-lan");
    host.try_run(&["nft", "-f", "-"], FORWARD).succeeded();
    client.run(&["ip", "route", "add", "10.1.1.0/24", "via", Topology::HOST]);
    publish(&host, "docker7");
    let is_a_router = || {
        is_answered(&client, "10.1.1.2", 80);
        is_answered(&client, Topology::HOST, 9000);
    };
    is_a_router();
    apply(&host, POLICY);
    is_a_router();
    // An operator's rule in Docker's chain does not make a bridge Docker's.
    host.run(&["iptables", "-t", "nat", "-I", "DOCKER", "-i", "br-lan", "-j", "RETURN"]);
    apply(&host, POLICY);
    is_a_router();
    // Control: the guard blocks the forwards if the bridge is Docker's.
    host.run(&["iptables", "-N", "DOCKER"]);
    host.run(&["iptables", "-A", "FORWARD", "-o", "br-lan", "-j", "DOCKER"]);
    apply(&host, POLICY);
    for (target, port) in [("10.1.1.2", 80), (Topology::HOST, 9000)] {
        assert_eq!(udp(&client, Topology::REFUSED, target, port), Answer::TimedOut);
    }
}

/// Sets all bits of the mark except the guard's before nat, and counts the packets that later have
/// exactly these.
const MARKED: &str = "
    table inet marked {
        chain before {
            type filter hook prerouting priority mangle; policy accept;
            ct state new ct mark set 0xffffdfff
        }
        chain forwarded {
            type filter hook postrouting priority 0; policy accept;
            oifname docker7 ct mark 0xffffdfff counter
        }
        chain delivered {
            type filter hook input priority 0; policy accept;
            udp dport 9001 ct mark 0xffffdfff counter
        }
    }";

#[test]
fn the_guard_bit_is_cleared_and_other_mark_bits_are_kept() {
    let Topology { host, client } = Topology::new();
    let (_container, _echo) = behind(&host, "docker7");
    let _service = udp_echo(&host, 9001);
    publish(&host, "docker7");
    let attempt = |source| udp(&client, source, Topology::HOST, 8080);
    wait_for("an answer", || (attempt(Topology::REFUSED) == Answer::Answered).then_some(()));

    apply(&host, &POLICY.replace("tcp", "udp"));
    host.try_run(&["nft", "-f", "-"], MARKED).succeeded();
    assert_eq!(attempt(Topology::ALLOWED), Answer::Answered);
    assert_eq!(attempt(Topology::REFUSED), Answer::TimedOut);
    is_answered(&client, Topology::HOST, 9001);
    let sets = (0..70).map(|n| format!("\"203.0.113.{n}\", ")).collect::<String>();
    // An entry that uses a set marks an allowed flow until it reaches the guard.
    let policy = POLICY.replace("tcp", "udp").replace("from = [", &format!("from = [{sets}"));
    apply(&host, &policy);
    assert_eq!(attempt(Topology::ALLOWED), Answer::Answered);
    let listing = host.run(&["nft", "list", "table", "inet", "marked"]);
    let counted = listing.lines().filter(|line| line.contains("counter packets"));
    let counted: Vec<bool> = counted.map(|line| !line.contains("packets 0 ")).collect();
    assert_eq!(counted, [true, true], "{listing}");
    assert!(listing.contains("0xffffdfff counter packets 2"), "both allowed flows: {listing}");
}

/// A dropped packet leaves no conntrack entry.
#[test]
fn a_rejected_flow_is_admitted_once_allowed() {
    let Topology { host, client } = Topology::new();
    let (_container, _echo) = behind(&host, "docker7");
    publish(&host, "docker7");
    apply(&host, "");
    let flow = client.inside(|| UdpSocket::bind((Topology::ALLOWED, 0))).expect("a UDP socket");
    flow.connect((Topology::HOST, 8080)).expect("to connect a UDP socket");
    let answer = |timeout_ms| {
        flow.set_read_timeout(Some(Duration::from_millis(timeout_ms))).expect("a time-out");
        flow.send(b"ping").is_ok() && flow.recv(&mut [0; 8]).is_ok()
    };
    assert!(!answer(500), "no source is allowed");
    apply(&host, &POLICY.replace("tcp", "udp"));
    wait_for("an answer on the same port", || answer(100).then_some(()));
}

/// Damage that other programs may do to the guard.
const DAMAGES: [&str; 9] = [
    "flush chain inet dwnl forward",
    "flush chain inet dwnl input",
    "flush chain inet dwnl inside",
    "insert rule inet dwnl forward accept",
    "add rule inet dwnl allowed accept",
    "delete table inet dwnl",
    "flush chain ip nat DOCKER-BLOCK-GUARD",
    "insert rule ip6 nat DOCKER-BLOCK-GUARD counter return",
    "flush ruleset",
];

#[test]
fn the_next_apply_repairs_the_guard() {
    let host = Namespace::new();
    apply(&host, POLICY);
    let without_handles = || {
        let listing = ruleset(&host);
        let lines = listing.lines().map(|line| line.split(" # handle").next().unwrap_or(line));
        lines.map(String::from).collect::<Vec<_>>()
    };
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let intact = sorted(without_handles());
    for damage in DAMAGES {
        host.run(&["nft", damage]);
        assert_ne!(sorted(without_handles()), intact, "no damage: {damage}");
        assert_eq!(apply(&host, POLICY)["has_changes"], true, "{damage}");
        assert_eq!(sorted(without_handles()), intact, "{damage}");
        assert_eq!(apply(&host, POLICY)["has_changes"], false, "{damage}");
    }
}

#[test]
fn disabling_the_guard_removes_all_of_it() {
    let (host, fresh) = (Namespace::new(), Namespace::new());
    let policy = format!("{UNGUARDED}{POLICY}");
    apply(&fresh, &policy);
    apply(&host, POLICY);
    assert!(ruleset(&host).contains("DOCKER-BLOCK-GUARD"));
    apply(&host, &policy);
    let plain = |host: &Namespace| host.run(&["nft", "list", "ruleset"]);
    assert_eq!(plain(&host), plain(&fresh));
    assert!(!plain(&host).contains("dwnl") && !plain(&host).contains("GUARD"));
    remove(&host);
    assert_eq!(plain(&host), "");
}

/// Operators save the ruleset and load it at boot.
#[test]
fn nft_can_reload_its_listing_of_the_guard() {
    let (host, other) = (Namespace::new(), Namespace::new());
    apply(&host, POLICY);
    let listing = host.run(&["nft", "list", "table", "inet", "dwnl"]);
    other.try_run(&["nft", "-f", "-"], &listing).succeeded();
    assert_eq!(other.run(&["nft", "list", "table", "inet", "dwnl"]), listing);
}
