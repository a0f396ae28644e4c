//! Packets of containers on a bridge with `br_netfilter`, which Docker loads: the rules of IP see them
//! at the bridge.

use super::chains;
use crate::support::{Answer, Namespace, Topology, Trace, tcp, tcp_echo};

/// The host's address on the bridge, and the container's.
const BRIDGE: &str = "172.30.0.1";
const CONTAINER: &str = "172.30.0.2";

/// A host with a container on the bridge `docker0`.
fn bridged() -> (Topology, Namespace) {
    let (topology, container) = (Topology::new(), Namespace::new());
    let host = &topology.host;
    host.run(&["ip", "link", "add", "docker0", "type", "bridge"]);
    host.run(&["ip", "address", "add", &format!("{BRIDGE}/24"), "dev", "docker0"]);
    let peer = ["peer", "name", "eth0", "netns", &container.path()];
    host.run(&[&["ip", "link", "add", "port", "type", "veth"], &peer[..]].concat());
    host.run(&["ip", "link", "set", "port", "master", "docker0"]);
    for interface in ["docker0", "port"] {
        host.run(&["ip", "link", "set", interface, "up"]);
    }
    container.run(&["ip", "address", "add", &format!("{CONTAINER}/24"), "dev", "eth0"]);
    container.run(&["ip", "link", "set", "eth0", "up"]);
    container.run(&["ip", "route", "add", "default", "via", BRIDGE]);
    let sysctls = "echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables &&
                   echo 1 > /proc/sys/net/ipv4/ip_forward";
    host.run(&["sh", "-c", sysctls]);
    (topology, container)
}

#[test]
fn a_packet_that_a_bridge_hands_up_is_followed_to_the_host() {
    let (Topology { host, .. }, container) = &bridged();
    let _server = tcp_echo(host, 8080);
    let connect = || tcp(container, CONTAINER, Topology::HOST, 8080);
    let traced = || {
        let trace = Trace::start(host, &[CONTAINER]);
        (connect(), trace.packet())
    };
    let (answer, packet) = traced();
    assert_eq!(answer, Answer::Answered);
    assert_eq!(packet["fate"], "delivered", "{packet}");
    assert_eq!(packet["in_interface"], "docker0");

    for drop in [
        "chain input { type filter hook input priority 0; tcp dport 8080 drop; }",
        "chain input { type filter hook input priority 0; policy drop; }",
    ] {
        let rules = format!(
            "table bridge b {{
                 chain input {{ type filter hook input priority 0; }}
             }}
             table ip t {{
                 {drop}
             }}"
        );
        host.try_run(&["nft", "-f", "-"], &rules).succeeded();
        let (answer, packet) = traced();
        assert_eq!(answer, Answer::TimedOut);
        assert_eq!(packet["fate"], "dropped", "{packet}");
        assert_eq!(chains(&packet), ["- bridge b input accept", "input ip t input drop"]);
        host.run(&["nft", "flush", "ruleset"]);
    }
}

#[test]
fn a_packet_that_a_bridge_hands_up_is_followed_through_the_host() {
    let (Topology { host, client }, container) = &bridged();
    let _server = tcp_echo(client, 80);
    client.run(&["ip", "route", "add", CONTAINER, "via", Topology::HOST]);
    // A translated destination.
    let rule = ["-A", "PREROUTING", "-p", "tcp", "--dport", "8080", "-j", "DNAT", "--to"];
    let target = format!("{}:80", Topology::ALLOWED);
    host.run(&[&["iptables", "-t", "nat"], &rule[..], &[&*target]].concat());
    let trace = Trace::start(host, &[CONTAINER]);
    assert_eq!(tcp(container, CONTAINER, Topology::HOST, 8080), Answer::Answered);
    let packet = trace.packet();
    assert_eq!((&packet["fate"], &packet["out_interface"]), (&"sent".into(), &"eth0".into()));
    assert_eq!(chains(&packet), ["prerouting ip nat PREROUTING accept"]);
    assert_eq!(packet["last_header"]["destination"], Topology::ALLOWED);
}
