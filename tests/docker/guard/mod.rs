//! The guard with a real dockerd. For each path into a container the tests show first that it is
//! open without the guard, then that it is blocked, then that the allowed source gets in.

mod backend;
mod datagrams;
mod direct;
mod discovery;
mod docker29;
mod flows;
mod host_network;
mod installed;
mod invalid;
mod ipv6_only;
mod known;
mod late;
mod maps;
mod mark;
mod overlay;
mod paths;
mod proxy;
mod restart;
mod routed;
mod shared;
mod swarm;
mod uplinks;
mod window;
mod without_rules;

use serde_json::Value;

use super::site::{Site, expect};
use super::support::{Answer, Namespace, Topology, UNGUARDED, show, tcp, udp, wait_for};

/// Allows one client of each family.
const POLICY: &str = r#"
[[allow]]
ports = ["8080/tcp"]
from = ["192.0.2.2", "2001:db8::2"]
"#;

/// The same policy without the guard.
fn unguarded() -> String {
    format!("{POLICY}{UNGUARDED}")
}

/// Creates a network `named`, whose bridge has a name chosen by the operator.
fn create_named_network(site: &Site) {
    let bridge = "com.docker.network.bridge.name=web0";
    site.docker.client(&["network", "create", "-o", bridge, "named"]);
}

/// Asserts the results of both clients' connections over IPv4.
#[track_caller]
fn expect_both(site: &Site, target: &str, port: u16, [allowed, refused]: [Answer; 2]) {
    expect(&site.topology, Topology::ALLOWED, target, port, allowed);
    expect(&site.topology, Topology::REFUSED, target, port, refused);
}

/// Asserts the results of both clients' connections over IPv6.
#[track_caller]
fn expect_both6(site: &Site, target: &str, port: u16, [allowed, refused]: [Answer; 2]) {
    expect(&site.topology, Topology::ALLOWED6, target, port, allowed);
    expect(&site.topology, Topology::REFUSED6, target, port, refused);
}

/// Asserts the results of both clients' datagrams, over the IP version of the target.
#[track_caller]
fn expect_udp(site: &Site, target: &str, port: u16, [allowed, refused]: [Answer; 2]) {
    let sources = match target.contains(':') {
        true => [Topology::ALLOWED6, Topology::REFUSED6],
        false => [Topology::ALLOWED, Topology::REFUSED],
    };
    for (source, expected) in sources.into_iter().zip([allowed, refused]) {
        let what = format!("from {source} to {target}, port {port} over UDP");
        let attempt = || udp(&site.topology.client, source, target, port);
        match expected {
            Answer::Answered => answered(&what, attempt),
            silence => assert_eq!(attempt(), silence, "{what}"),
        }
    }
}

/// Waits until a connection attempt has this result, because `dwnl watch` may still be reacting.
#[track_caller]
fn becomes(site: &Site, source: &str, port: u16, answer: Answer) {
    let target = if source.contains(':') { Topology::HOST6 } else { Topology::HOST };
    let what = format!("{answer:?} from {source}, port {port}");
    let attempt = || tcp(&site.topology.client, source, target, port);
    wait_for(&what, || (attempt() == answer).then_some(()));
}

/// Waits until an attempt is answered.
#[track_caller]
fn answered(who: &str, attempt: impl Fn() -> Answer) {
    wait_for(who, || (attempt() == Answer::Answered).then_some(()));
}

const ALL: [Answer; 2] = [Answer::Answered; 2];
const ONLY_ALLOWED: [Answer; 2] = [Answer::Answered, Answer::TimedOut];
const NONE: [Answer; 2] = [Answer::TimedOut; 2];

/// The address of a container in a network.
fn address(site: &Site, container: &str) -> String {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    site.docker.client(&["inspect", "-f", format, container]).trim().to_owned()
}

/// Creates a network with this bridge, and a route for the clients through the host.
fn create_network(site: &Site, bridge: &str, gateway_mode: &str) {
    let name = format!("com.docker.network.bridge.name={bridge}");
    // An older Docker does not know the mode and always behaves as with `nat`, as it was then.
    let mode = format!("com.docker.network.bridge.gateway_mode_ipv4={gateway_mode}");
    let options = ["--subnet", NETWORK, "-o", &name, "-o", &mode, bridge];
    site.docker.client(&[&["network", "create"], &options[..]].concat());
    site.topology.client.run(&["ip", "route", "add", NETWORK, "via", Topology::HOST]);
}

const NETWORK: &str = "10.77.0.0/24";

/// The number of packets that the guard's rules with this comment have dropped, according to
/// `show`.
fn dropped(host: &Namespace, path: &str) -> u64 {
    let shown = show(host);
    let tables = shown["tables"].as_array().expect("tables");
    let chains = tables.iter().flat_map(|table| table["chains"].as_array().expect("chains"));
    let rules = chains.flat_map(|chain| chain["rules"].as_array().expect("rules"));
    let text = |rule: &Value| rule["rule"].as_str().unwrap_or_default().to_owned();
    let drops =
        rules.filter(|rule| text(rule).contains(&format!("drop comment \"not allowed: {path}")));
    let counts: Vec<u64> = drops.filter_map(|rule| rule["packets"].as_u64()).collect();
    assert!(!counts.is_empty(), "no rule for {path}: {shown}");
    counts.iter().sum()
}
