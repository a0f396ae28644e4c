//! What `explain`, `status`, `plan` and `show` say of limits.

use serde_json::Value;

use super::super::support::{Topology, dwnl};
use super::entry;
use super::site::Site;

const LIMIT: &str = "limit = '2/day per source'\nconnections = 9";

/// What a command prints as JSON.
fn json(site: &Site, args: &[&str], policy: &str) -> Value {
    let output = dwnl(&site.topology.host, &[args, &["--json"]].concat(), policy);
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"))
}

#[test]
fn explain_names_the_limits_of_a_flow_that_is_admitted() {
    let mut site = Site::new();
    let policy = entry(LIMIT);
    site.apply(&policy);
    for source in [Topology::ALLOWED, Topology::ALLOWED6] {
        let args = ["explain", "-f", "-", source, "8080/udp"];
        let text = dwnl(&site.topology.host, &args, &policy).succeeded();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let limits = "within limit = \"2/day per source\", connections = 9; it is forwarded";
        assert!(words.contains(limits), "{text}");
        let explained = json(&site, &args, &policy);
        assert_eq!(explained["verdict"], "allowed", "{explained}");
        assert_eq!(explained["policy"]["limit"], "2/day per source");
        assert_eq!(explained["policy"]["connections"], 9);
    }
    // Another entry admits it in any case.
    let policy = format!("{policy}{}", entry("").replace("web", "open"));
    site.apply(&policy);
    let explained = json(&site, &["explain", "-f", "-", Topology::ALLOWED, "8080/udp"], &policy);
    assert_eq!(explained["policy"]["limit"], Value::Null, "{explained}");
}

#[test]
fn status_and_show_count_what_was_above_a_limit() {
    let mut site = Site::new();
    let policy = entry(LIMIT);
    site.apply(&policy);
    site.expect(Topology::ALLOWED, Topology::HOST, 5, 2);
    let host = &site.topology.host;
    let text = dwnl(host, &["status", "-f", "-"], &policy).succeeded();
    let line =
        "limited:   3 packets above limit = \"2/day per source\", connections = 9 of entry `web`";
    assert!(text.contains(line), "{text}");
    let status = json(&site, &["status", "-f", "-"], &policy);
    let is_it = |port: &&Value| port["ports"] == "8080/udp";
    let port = status["ports"].as_array().expect("ports").iter().find(is_it).expect("the port");
    let reported = &port["entries"][0];
    assert_eq!(reported["packets"], 2, "{status}");
    assert_eq!(reported["limited"], 3, "{status}");
    assert_eq!(reported["limit"], "2/day per source", "{status}");
    assert_eq!(status["kernel"]["is_in_sync"], true, "{status}");
    let shown = dwnl(host, &["show"], "").succeeded();
    assert!(shown.contains("rates of a limited entry, counted by the kernel"), "{shown}");
    let refused = dwnl(host, &["refused"], "").succeeded();
    assert!(refused.contains(Topology::ALLOWED), "{refused}");
}

#[test]
fn a_limited_entry_is_access() {
    let site = Site::new();
    let planned = json(&site, &["plan", "-f", "-"], &entry(LIMIT));
    let unlimited = json(&site, &["plan", "-f", "-"], &entry(""));
    assert_eq!(planned["access"], unlimited["access"], "{planned}");
    assert_ne!(planned["access"], Value::Null);
}
