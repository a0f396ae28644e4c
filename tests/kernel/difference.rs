//! An apply changes only what differs.

use serde_json::Value;

use super::support::{Answer, Monitor, Namespace, Topology, apply, count, plan, show, tcp};
use super::{POLICY, ruleset};

#[test]
fn a_second_apply_sends_nothing() {
    let host = Namespace::new();
    let mut monitor = Monitor::new(&host);
    let first = apply(&host, POLICY);
    assert_eq!(first["has_changes"], true, "{first}");
    assert!(monitor.events().contains("DOCKER-BLOCK"), "the monitor sees nothing");
    let before = ruleset(&host);

    let second = apply(&host, POLICY);
    assert_eq!(second["has_changes"], false, "{second}");
    assert_eq!(count(&second, "added"), 0, "{second}");
    assert_eq!(count(&second, "removed"), 0, "{second}");
    assert_eq!(count(&second, "unchanged"), count(&first, "added"), "{first}\n{second}");
    assert_eq!(monitor.events(), "");
    assert_eq!(ruleset(&host), before);

    let third = apply(&host, POLICY);
    let fourth = apply(&host, POLICY);
    assert_eq!(third["generation"], fourth["generation"], "{third}\n{fourth}");
}

#[test]
fn plan_changes_nothing_and_predicts_apply() {
    let host = Namespace::new();
    let mut monitor = Monitor::new(&host);
    let planned = plan(&host, POLICY);
    assert_eq!(monitor.events(), "");
    assert_eq!(ruleset(&host), "");
    let applied = apply(&host, POLICY);
    for what in ["added", "removed", "unchanged"] {
        assert_eq!(count(&planned, what), count(&applied, what), "{planned}\n{applied}");
    }
}

#[test]
fn unchanged_rules_keep_their_handles_and_counters() {
    let Topology { host, client } = Topology::new();
    let knock = || {
        // No server is needed: it is enough that the rules see the packet.
        let answer = tcp(&client, Topology::ALLOWED, Topology::HOST, 8080);
        assert_eq!(answer, Answer::Refused);
    };
    apply(&host, POLICY);
    knock();
    let dwnl_rule = "-s 192.0.2.2/32 -p tcp -m tcp --dport 8080";
    let counted = counters(&host, dwnl_rule);
    assert_ne!(counted, "[0:0]", "the packet was not counted");
    let handles = handles(&host, "8080");
    assert_eq!(handles.len(), 1, "{handles:?}");

    let added = "[[allow]]\nports = [\"9100/tcp\"]\nfrom = [\"192.0.2.7\"]\n";
    for policy in [&format!("{POLICY}{added}"), POLICY, &format!("{added}{POLICY}"), POLICY] {
        let outcome = apply(&host, policy);
        assert_eq!(outcome["has_changes"], true, "{outcome}");
        assert_eq!(counters(&host, dwnl_rule), counted);
        assert_eq!(self::handles(&host, "8080"), handles);
    }

    knock();
    assert_ne!(counters(&host, dwnl_rule), counted, "the rule no longer counts");
    let shown = shown_rule(&show(&host), "192.0.2.2");
    assert_eq!(shown["handle"].to_string(), handles[0], "{shown}");
    let counts = format!("[{}:{}]", shown["packets"], shown["bytes"]);
    assert_eq!(counts, counters(&host, dwnl_rule), "{shown}");
}

/// The first rule of `DOCKER-BLOCK` in the output of `dwnl show` that contains this text.
fn shown_rule(shown: &Value, text: &str) -> Value {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let chains = list(shown, "tables").into_iter().flat_map(|table| list(&table, "chains"));
    let block = chains.filter(|chain| chain["chain"] == "DOCKER-BLOCK");
    let mut rules = block.flat_map(|chain| list(&chain, "rules"));
    let matches = |rule: &Value| rule["rule"].as_str().is_some_and(|rule| rule.contains(text));
    rules.find(matches).unwrap_or_else(|| panic!("no `{text}` in {shown}"))
}

/// The counters of the first rule of `DOCKER-BLOCK` that iptables prints with this text.
fn counters(host: &Namespace, rule: &str) -> String {
    let saved = host.run(&["iptables-save", "-c", "-t", "nat"]);
    let mut lines =
        saved.lines().filter(|line| line.contains("DOCKER-BLOCK") && line.contains(rule));
    let line = lines.next().unwrap_or_else(|| panic!("no `{rule}` in\n{saved}"));
    line.split(' ').next().unwrap_or_default().to_owned()
}

/// The handles of the rules of `DOCKER-BLOCK` that nft prints with this text.
fn handles(host: &Namespace, text: &str) -> Vec<String> {
    let list = ["nft", "--handle", "list", "chain", "ip", "nat", "DOCKER-BLOCK"];
    let listing = host.run(&list);
    let lines = listing.lines().filter(|line| line.contains(text));
    lines.filter_map(|line| Some(line.rsplit_once("# handle ")?.1.to_owned())).collect()
}
