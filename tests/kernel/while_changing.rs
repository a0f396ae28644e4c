//! What clients meet while one policy replaces another: new flows arrive all the time.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::UNGUARDED;
use super::flows::site::Site;
use super::sets::hosts_in;
use super::support::{Namespace, Topology, apply};

/// How long policies replace each other.
const TIME: Duration = Duration::from_secs(3);
/// Pause between two flows: with this, no source port is used twice.
const PAUSE: Duration = Duration::from_micros(20);
/// Minimum number of flows and of applied policies, so that a run says something.
const FLOWS_MIN: u64 = 1_000;
const APPLIES_MIN: usize = 6;

const ALLOWED: &str = Topology::ALLOWED;
const REFUSED: &str = Topology::REFUSED;
/// Prefixes that have these clients.
const OF_ALLOWED: &str = "192.0.2.0/30";
const OF_REFUSED: &str = "192.0.2.64/30";

/// What became of the flows of one client.
#[derive(Debug)]
struct Fate {
    /// How many packets reached the container.
    arrived: u64,
    /// Whether the guard refused any.
    is_refused: bool,
    /// How many packets were not translated, and so reached the host.
    untranslated: u64,
}

/// Opens flows from this source to the published port while the policies replace each other.
fn while_alternating(source: &str, policies: [&str; 2]) -> Fate {
    on_site(&Site::without_servers(), source, policies)
}

fn on_site(site: &Site, source: &str, policies: [&str; 2]) -> Fate {
    let (host, client) = (&site.topology.host, &site.topology.client);
    for (namespace, port) in [(&site.container, "80"), (host, "8080")] {
        let count = ["-A", "INPUT", "-p", "udp", "--dport", port, "-j", "DROP"];
        namespace.run(&[&["iptables"], &count[..]].concat());
    }
    apply(host, policies[0]);
    let (flows, applies) = while_flooding(client, source, |applies| {
        apply(host, policies[applies % 2]);
    });
    assert!(flows >= FLOWS_MIN, "only {flows} flows while {applies} policies were applied");
    let set = ["nft", "list", "set", "inet", "dwnl", "refused-published-ip"];
    let listed = host.try_run(&set, "").stdout;
    Fate {
        arrived: counted(&site.container),
        is_refused: listed.contains(&format!("{source} . udp . 8080 ")),
        untranslated: counted(host),
    }
}

/// Opens flows from this source while `step` is called repeatedly, with the number of calls. Returns how many
/// flows and calls there were.
fn while_flooding(client: &Namespace, source: &str, mut step: impl FnMut(usize)) -> (u64, usize) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let flood = scope.spawn(|| client.inside(|| open_flows(source, &is_over)));
        let start = Instant::now();
        let mut steps = 0;
        while start.elapsed() < TIME || steps < APPLIES_MIN {
            steps += 1;
            step(steps);
        }
        is_over.store(true, Ordering::Relaxed);
        (flood.join().expect("the flows"), steps)
    })
}

/// How many packets the rule in `INPUT` has dropped.
fn counted(namespace: &Namespace) -> u64 {
    let listed = namespace.run(&["iptables", "-nvxL", "INPUT"]);
    let rule = listed.lines().find(|line| line.contains("DROP"));
    rule.and_then(|rule| rule.split_whitespace().next()?.parse().ok()).expect("a counter")
}

/// Sends a packet from one source port after the other, and returns how many.
fn open_flows(source: &str, is_over: &AtomicBool) -> u64 {
    let mut flows = 0;
    for port in 1_024..=u16::MAX {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let socket = UdpSocket::bind((source, port)).expect("a socket");
        if socket.send_to(b"ping", (Topology::HOST, 8080)).is_ok() {
            flows += 1;
        }
        sleep(PAUSE);
    }
    flows
}

/// Rules in this chain that match nothing, so that packets are held up there.
fn hold_up(host: &Namespace, rules: usize, base: &str) {
    let rules = "add rule inet slow c ip ttl 1\n".repeat(rules);
    let text = format!("table inet slow {{\nchain c {{\n{base}\n}}\n}}\n{rules}");
    host.try_run(&["nft", "-f", "-"], &text).succeeded();
}

/// Asserts that a client that both policies allow always gets through.
fn assert_all_arrive(policies: [&str; 2]) {
    let fate = while_alternating(ALLOWED, policies);
    assert!(!fate.is_refused && fate.untranslated == 0, "{fate:?}");
}

/// Asserts that a client that neither policy allows never gets in.
fn assert_none_arrives(policies: [&str; 2]) {
    let fate = while_alternating(REFUSED, policies);
    assert!(fate.is_refused && fate.arrived == 0, "{fate:?}");
}

/// Prefixes of one of 8 disjoint blocks, none of which is adjacent to another.
fn prefixes(block: usize) -> Vec<String> {
    hosts_in(block, 6_000).iter().step_by(2).map(|host| format!("{host}/31")).collect()
}

fn allow(name: &str, port: u16, from: &[String]) -> String {
    format!("[[allow]]\nname = '{name}'\nports = ['{port}/udp']\nfrom = {from:?}\n")
}

fn deny(name: &str, from: &[String]) -> String {
    format!("[[deny]]\nname = '{name}'\nfrom = {from:?}\n")
}

/// Prefixes of a block, and the one of a client's address, so that all are intervals.
fn with(block: usize, prefix: &str) -> Vec<String> {
    [prefixes(block), vec![prefix.to_owned()]].concat()
}

/// Entries for other ports, so many that a map leads to the rules of each port.
fn others() -> String {
    (0..40).map(|n| allow(&format!("e{n}"), 20_000 + 2 * n, &[format!("198.51.100.{n}")])).collect()
}

#[test]
fn nobody_is_lost_while_prefixes_become_a_set() {
    let few = allow("web", 8080, &[ALLOWED.to_owned()]);
    let many = allow("web", 8080, &with(1, OF_ALLOWED));
    assert_all_arrive([&few, &many]);
}

#[test]
fn nobody_is_lost_while_most_prefixes_of_a_set_change() {
    let policies = [1, 2].map(|block| allow("web", 8080, &with(block, OF_ALLOWED)));
    assert_all_arrive([&policies[0], &policies[1]]);
}

#[test]
fn nobody_is_lost_while_ports_get_maps() {
    let web = allow("web", 8080, &[ALLOWED.to_owned()]);
    assert_all_arrive([&web, &(web.clone() + &others())]);
}

#[test]
fn nobody_gets_in_while_a_port_leaves_an_entry_that_gains_a_source() {
    let ports = |own: &str| {
        (0..20).map(|n| format!("'{}/udp', ", 30_000 + 3 * n)).collect::<String>() + own
    };
    // The kernel shows these prefixes before the map, which takes it a moment.
    let many = |block| others() + &allow("many", 9090, &prefixes(block));
    let entry = |ports: &str, from: &str| {
        format!("[[allow]]\nname = 'web'\nports = [{ports}]\nfrom = ['203.0.113.9', {from}]\n")
    };
    let before = many(1) + &entry(&ports("'8080/udp'"), "");
    let after = many(2) + &entry(&ports(""), &format!("'{REFUSED}'"));
    assert_none_arrives([&before, &after]);
}

#[test]
fn nobody_gets_in_while_an_entry_changes_its_ports_and_prefixes() {
    let before = allow("web", 9090, &with(1, OF_REFUSED));
    let after = allow("web", 8080, &prefixes(1));
    assert_none_arrives([&before, &after]);
}

#[test]
fn nobody_gets_in_while_entries_without_names_change_places() {
    let entry =
        |port, from: &[String]| format!("[[allow]]\nports = ['{port}/udp']\nfrom = {from:?}\n");
    let other = entry(9090, &with(1, OF_REFUSED));
    let web = entry(8080, &prefixes(1));
    assert_none_arrives([&(other.clone() + &web), &(web + &other)]);
}

#[test]
fn nobody_gets_in_while_most_prefixes_that_are_denied_change() {
    let open = allow("web", 8080, &["0.0.0.0/0".to_owned()]);
    let policies = [1, 2].map(|block| deny("bans", &with(block, OF_REFUSED)) + &open);
    assert_none_arrives([&policies[0], &policies[1]]);
}

#[test]
fn nobody_gets_in_while_another_set_denies() {
    let open = allow("web", 8080, &["0.0.0.0/0".to_owned()]);
    let policies = ["bans", "feed"].map(|name| deny(name, &with(1, OF_REFUSED)) + &open);
    assert_none_arrives([&policies[0], &policies[1]]);
}

#[test]
fn nobody_gets_in_while_a_ban_moves_from_one_port_to_all() {
    let ban = |ports: &str, block| {
        let from = with(block, OF_REFUSED);
        format!("[[deny]]\nname = 'bans'\n{ports}from = {from:?}\n")
    };
    let open = others() + &allow("web", 8080, &["0.0.0.0/0".to_owned()]);
    let policies = [ban("ports = ['8080/udp']\n", 1), ban("", 2)].map(|ban| ban + &open);
    assert_none_arrives([&policies[0], &policies[1]]);
}

#[test]
fn nobody_gets_in_while_the_guard_is_switched_on_and_off() {
    let web = allow("web", 8080, &[ALLOWED.to_owned()]);
    let hosts = web.clone() + &allow("many", 8080, &hosts_in(1, 100));
    for policy in [web, hosts] {
        let site = Site::without_servers();
        // Behind the translation, which is registered later at the same priority, in front of the guard.
        site.topology.host.run(&["nft", "flush", "ruleset"]);
        hold_up(&site.topology.host, 20_000, "type filter hook prerouting priority -100");
        site.publish();
        let fate = on_site(&site, REFUSED, [&policy, &(policy.clone() + UNGUARDED)]);
        assert!(fate.arrived == 0 && fate.untranslated > 0, "{fate:?}");
    }
}

#[test]
fn nobody_is_lost_while_hosts_become_a_set_without_the_guard() {
    let few = allow("web", 8080, &[ALLOWED.to_owned()]);
    let many = allow("web", 8080, &[hosts_in(1, 100), vec![ALLOWED.to_owned()]].concat());
    for guarded in [few.clone() + UNGUARDED, few, many.clone()] {
        let site = Site::without_servers();
        // In front of the translation, behind the sets of a policy without the guard.
        hold_up(&site.topology.host, 4_000, "type nat hook prerouting priority -100");
        let fate = on_site(&site, ALLOWED, [&guarded, &(many.clone() + UNGUARDED)]);
        assert!(!fate.is_refused && fate.untranslated == 0, "{fate:?}");
    }
}

/// What `nft -f` does without dwnl: one transaction each adds a set with the rule that looks it up, or puts a
/// rule without a set in its place. Prints how many new flows were dropped that both allow.
#[test]
#[ignore = "a measurement"]
fn measure_nft() {
    for number in [1, 1_000, 20_000] {
        let prefixes: Vec<String> =
            hosts_in(1, 2 * number).iter().step_by(2).map(|host| format!("{host}/31")).collect();
        let set = format!("\"{OF_ALLOWED}\", {}", prefixes.join(", ")).replace('"', "");
        let with_set = format!(
            "table inet t {{\nset s {{\ntype ipv4_addr\nflags interval\nelements = {{ {set} }}\n}}\n}}\n\
             flush chain inet t c\nadd rule inet t c ip saddr @s accept\n"
        );
        let without = format!(
            "flush chain inet t c\nadd rule inet t c ip saddr {ALLOWED} accept\ndelete set inet t s\n"
        );
        let topology = Topology::new();
        let (host, client) = (&topology.host, &topology.client);
        let nft = |text: &str| host.try_run(&["nft", "-f", "-"], text).succeeded();
        nft("table inet t {\nchain c {\n}\nchain input {\ntype filter hook input priority 0\n\
             udp dport 8080 jump c\nudp dport 8080 counter drop\n}\n}\n");
        nft(&with_set);
        let (flows, reloads) = while_flooding(client, ALLOWED, |_| {
            nft(&without);
            nft(&with_set);
        });
        let chain = host.run(&["nft", "list", "chain", "inet", "t", "input"]);
        let dropped = chain.split("counter packets ").nth(1).and_then(|it| it.split(' ').next());
        println!(
            "{number} prefixes: {} of {flows} flows dropped in {reloads} reloads with nft -f",
            dropped.expect("a counter")
        );
    }
}
