//! The tables of Docker's nftables backend, as Docker documents them.

use super::super::UNGUARDED;
use super::super::support::{Namespace, apply, dwnl, plan, uncovered_ports};
use super::{bridge, docker, texts};

/// A port published in the network `bridge1`, and another one on loopback.
const PORTS: &str = r#"
    chain nat-prerouting-and-output {
        iifname != "bridge1" tcp dport 8080 counter dnat to 192.0.2.2:80 comment "DNAT"
        iifname != "bridge1" ip daddr 127.0.0.1 tcp dport 8081 counter dnat to 192.0.2.2:80 comment "DNAT"
    }"#;

/// The filter chains of `docker0`, `bridge1` and `bridge2`, whose gateway mode is `routed`.
const TABLE: &str = r#"table ip docker-bridges {
    PORTS
    chain filter-forward-in__docker0 {
        ct state established,related counter accept
        iifname "docker0" counter accept comment "ICC"
        counter drop comment "UNPUBLISHED PORT DROP"
    }
    chain filter-forward-out__docker0 {
        ct state established,related counter accept
        counter accept comment "OUTGOING"
    }
    chain filter-forward-in__bridge1 {
        ct state established,related counter accept
        iifname "bridge1" counter accept comment "ICC"
        ip daddr 192.0.2.2 tcp dport 80 counter accept
        counter drop comment "UNPUBLISHED PORT DROP"
    }
    chain filter-forward-out__bridge1 {
        ct state established,related counter accept
        counter accept comment "OUTGOING"
    }
    chain filter-forward-in__bridge2 {
        ct state established,related counter accept
        ip protocol icmp counter accept comment "ICMP"
        iifname "bridge2" counter accept comment "ICC"
        ip daddr 198.51.100.2 tcp dport 80 counter accept
        counter drop comment "UNPUBLISHED PORT DROP"
    }
    chain filter-forward-out__bridge2 {
        ct state established,related counter accept
        counter accept comment "OUTGOING"
    }
}"#;

fn host(ports: &str) -> Namespace {
    let host = Namespace::new();
    for name in ["docker0", "bridge1", "bridge2"] {
        bridge(&host, name, &[]);
    }
    host.try_run(&["nft", "-f", "-"], &TABLE.replace("PORTS", ports)).succeeded();
    host
}

#[test]
fn bridges_routed_networks_and_ports_are_discovered() {
    let found = docker(&host(PORTS));
    for bridges in [&found.bridges, &found.inside] {
        let names: Vec<&str> = bridges.iter().map(AsRef::as_ref).collect();
        assert_eq!(names, ["bridge1", "bridge2", "docker0"]);
    }
    let routed: Vec<&str> = found.routed.iter().map(|(_, name)| name.as_ref()).collect();
    assert_eq!(routed, ["bridge2"]);
    assert_eq!(texts(&found.routed_ports), ["80/tcp on 198.51.100.2"]);
    assert_eq!(texts(&found.published), ["8080/tcp", "8081/tcp on 127.0.0.1"]);
    assert_eq!(found.native, found.published);
    assert_eq!(found.container_ports.values().collect::<Vec<_>>(), [&80, &80]);
    assert!(found.unreadable.is_empty(), "{found:?}");
}

/// An operator's rule is not at the position where Docker puts its own.
#[test]
fn accepting_icmp_makes_no_network_routed() {
    let host = host(PORTS);
    for action in ["insert", "add"] {
        let rule =
            "rule ip docker-bridges filter-forward-in__bridge1 ip protocol icmp counter accept";
        host.run(&["nft", action, rule]);
    }
    assert_eq!(docker(&host).routed.len(), 1);
}

/// `plan` and `apply` warn about a rule whose ports cannot be read.
#[test]
fn unreadable_translations_are_reported() {
    for rule in [
        "dnat to tcp dport map { 8080 : 192.0.2.2 }",
        "tcp dport { 8080, 8090 } counter dnat to 192.0.2.2:80",
        "ip daddr . tcp dport { 203.0.113.1 . 8080 } counter dnat to 192.0.2.2:80",
        "tcp dport vmap { 8080 : jump elsewhere }",
        "jump elsewhere",
    ] {
        let elsewhere = "chain elsewhere { counter dnat to 192.0.2.2; }\n";
        let host = host(&format!("{elsewhere}chain nat-prerouting-and-output {{ {rule}; }}\n"));
        let found = docker(&host);
        assert!(found.published.is_empty(), "{rule}: {found:?}");
        assert_eq!(found.unreadable.len(), 1, "{rule}: {found:?}");
        let warning = "with a rule in ip docker-bridges nat-prerouting-and-output: ";
        let warnings = apply(&host, "")["warnings"].to_string();
        assert!(warnings.contains(warning), "{rule}: {warnings}");
        let planned = dwnl(&host, &["plan", "-f", "-"], "");
        assert!(planned.stderr.contains(warning), "{rule}: {planned}");
        assert!(plan(&host, "")["warnings"].to_string().contains(warning), "{rule}");
    }
}

/// With the guard off, nothing blocks the ports that this backend publishes.
#[test]
fn unprotected_ports_are_reported_without_the_guard() {
    let host = host(PORTS);
    let guarded = apply(&host, "");
    assert_eq!(uncovered_ports(&guarded), ["8080/tcp", "80/tcp on 198.51.100.2"]);
    let warnings = guarded["warnings"].to_string();
    assert!(!warnings.contains("unprotected"), "{warnings}");

    let output = dwnl(&host, &["apply", "-f", "-"], UNGUARDED);
    assert!(!output.stdout.contains("blocked: "), "{output}");
    let warning = "unprotected while the guard is off: 8080/tcp, 80/tcp on 198.51.100.2; ";
    assert!(output.stderr.contains(warning), "{output}");
    let unguarded = apply(&host, UNGUARDED);
    assert_eq!(uncovered_ports(&unguarded), [""; 0]);
    assert!(unguarded["warnings"].to_string().contains(warning), "{unguarded}");
}
