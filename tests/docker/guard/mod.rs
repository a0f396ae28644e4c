//! The guard beside a real dockerd: on each way into a container first the leak that there is
//! without it, then the block, then the allowed source.

mod backend;
mod datagrams;
mod direct;
mod discovery;
mod docker29;
mod flows;
mod host_network;
mod installed;
mod invalid;
mod ipv6_alone;
mod known;
mod late;
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

/// Lets one client of each family in.
const POLICY: &str = r#"
[[allow]]
ports = ["8080/tcp"]
from = ["192.0.2.2", "2001:db8::2"]
"#;

/// The same policy without the guard.
fn unguarded() -> String {
    format!("{POLICY}{UNGUARDED}")
}

/// A network `named`, whose bridge has a name of the operator's choosing.
fn create_named_network(site: &Site) {
    let bridge = "com.docker.network.bridge.name=web0";
    site.docker.client(&["network", "create", "-o", bridge, "named"]);
}

/// What becomes of both clients' connections over IPv4.
#[track_caller]
fn expect_both(site: &Site, target: &str, port: u16, [allowed, refused]: [Answer; 2]) {
    expect(&site.topology, Topology::ALLOWED, target, port, allowed);
    expect(&site.topology, Topology::REFUSED, target, port, refused);
}

/// The same over IPv6.
#[track_caller]
fn expect_both6(site: &Site, target: &str, port: u16, [allowed, refused]: [Answer; 2]) {
    expect(&site.topology, Topology::ALLOWED6, target, port, allowed);
    expect(&site.topology, Topology::REFUSED6, target, port, refused);
}

/// What becomes of both clients' datagrams, over the version of the target's address.
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

/// Waits until a connection meets this: a watch may be only just at work.
#[track_caller]
fn becomes(site: &Site, source: &str, port: u16, answer: Answer) {
    let target = if source.contains(':') { Topology::HOST6 } else { Topology::HOST };
    let what = format!("{answer:?} from {source}, port {port}");
    let attempt = || tcp(&site.topology.client, source, target, port);
    wait_for(&what, || (attempt() == answer).then_some(()));
}

/// The answer comes, sooner or later.
#[track_caller]
fn answered(who: &str, attempt: impl Fn() -> Answer) {
    wait_for(who, || (attempt() == Answer::Answered).then_some(()));
}

const ALL: [Answer; 2] = [Answer::Answered; 2];
const ALLOWED_ALONE: [Answer; 2] = [Answer::Answered, Answer::TimedOut];
const NOBODY: [Answer; 2] = [Answer::TimedOut; 2];

/// The address of a container in a network.
fn address(site: &Site, container: &str) -> String {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    site.docker.client(&["inspect", "-f", format, container]).trim().to_owned()
}

/// Makes a network of this bridge, to whose containers the host is the clients' way.
fn create_network(site: &Site, bridge: &str, gateway_mode: &str) {
    let name = format!("com.docker.network.bridge.name={bridge}");
    // An older Docker does not know the mode, and has none but that which was `nat` then.
    let mode = format!("com.docker.network.bridge.gateway_mode_ipv4={gateway_mode}");
    let options = ["--subnet", NETWORK, "-o", &name, "-o", &mode, bridge];
    site.docker.client(&[&["network", "create"], &options[..]].concat());
    site.topology.client.run(&["ip", "route", "add", NETWORK, "via", Topology::HOST]);
}

const NETWORK: &str = "10.77.0.0/24";

/// How many packets the guard's rules with this comment have dropped, as `show` tells it.
fn dropped(host: &Namespace, way: &str) -> u64 {
    let shown = show(host);
    let tables = shown["tables"].as_array().expect("tables");
    let chains = tables.iter().flat_map(|table| table["chains"].as_array().expect("chains"));
    let rules = chains.flat_map(|chain| chain["rules"].as_array().expect("rules"));
    let text = |rule: &Value| rule["rule"].as_str().unwrap_or_default().to_owned();
    let drops =
        rules.filter(|rule| text(rule).contains(&format!("drop comment \"not allowed: {way}")));
    let counts: Vec<u64> = drops.filter_map(|rule| rule["packets"].as_u64()).collect();
    assert!(!counts.is_empty(), "no rule for {way}: {shown}");
    counts.iter().sum()
}
