//! Snapshots built by hand, and what `show` makes of them.

use dwnl::ruleset::{InstalledChain, InstalledRule, Rule, RuleContent, Verdict};

use super::*;
use crate::report::testing::{allow, frame, json, jump, local, path, text};

fn chain(rules: impl IntoIterator<Item = RuleContent>) -> InstalledChain {
    let rule = |(handle, content)| InstalledRule { handle, content, packets: 7, bytes: 1_234_567 };
    InstalledChain { rules: (9..).zip(rules).map(rule).collect(), ..InstalledChain::default() }
}

fn snapshot(chains: &[(&str, InstalledChain)]) -> Snapshot {
    let mut snapshot = Snapshot { generation: 16, ..Snapshot::default() };
    for (name, chain) in chains {
        let path = path(Family::Ip, name);
        let table = snapshot.tables.entry(path.table.clone()).or_default();
        table.chains.insert(path.chain.clone(), chain.clone());
    }
    snapshot
}

fn jumps() -> [RuleContent; 2] {
    [jump("DOCKER-BLOCK"), Verdict::Return].map(|verdict| RuleContent::Known(local(verdict)))
}

fn docker() -> RuleContent {
    RuleContent::Known(Rule::new(jump("DOCKER")))
}

#[test]
fn rules_have_their_counters() {
    let odd = RuleContent::Foreign { expressions: "[meta mark 1]".to_owned(), target: None };
    let rule = RuleContent::Known(allow(Some("192.0.2.7/32"), 443));
    let snapshot = snapshot(&[
        ("PREROUTING", chain(jumps().into_iter().chain([docker()]))),
        ("DOCKER-BLOCK", chain([rule, odd])),
        ("DOCKER", chain([])),
    ]);
    let frame = frame(Family::Ip, Vec::new());
    assert_eq!(
        text(&Show::new(&frame, &snapshot, false)),
        "\
ip nat PREROUTING: in place
position  handle  packets    bytes  rule
       1       9        7  1234567  -m addrtype --dst-type LOCAL -j DOCKER-BLOCK
       2      10        7  1234567  -m addrtype --dst-type LOCAL -j RETURN

ip nat DOCKER-BLOCK: 2 rules
position  handle  packets    bytes  rule
       1       9        7  1234567  -s 192.0.2.7/32 -p tcp -m tcp --dport 443 -j DOCKER
       2      10        7  1234567  [meta mark 1]

ip nat DOCKER: exists

generation 16
"
    );
}

#[test]
fn what_is_out_of_place_is_told() {
    let [jump, _] = jumps();
    let rules = [docker(), jump.clone(), jump];
    let snapshot = snapshot(&[("PREROUTING", chain(rules)), ("DOCKER-BLOCK", chain([]))]);
    let frame = frame(Family::Ip, Vec::new());
    assert_eq!(
        text(&Show::new(&frame, &snapshot, false)),
        "\
ip nat PREROUTING: not in place
position  handle  packets    bytes  rule
       2      10        7  1234567  -m addrtype --dst-type LOCAL -j DOCKER-BLOCK  # should be at position 1
       3      11        7  1234567  -m addrtype --dst-type LOCAL -j DOCKER-BLOCK  # should be at position 1
missing, should be at position 2: -m addrtype --dst-type LOCAL -j RETURN

ip nat DOCKER-BLOCK: 0 rules

ip nat DOCKER: missing

generation 16
"
    );
}

#[test]
fn nothing_installed_is_told_by_family() {
    let snapshot = snapshot(&[("PREROUTING", chain([docker()])), ("DOCKER", chain([]))]);
    let mut frame = frame(Family::Ip, Vec::new());
    frame.chains.extend(crate::report::testing::frame(Family::Ip6, Vec::new()).chains);
    assert_eq!(
        text(&Show::new(&frame, &snapshot, false)),
        "ip nat: not installed\n\nip6 nat: not installed\n\ngeneration 16\n"
    );
}

#[test]
fn rules_are_data_for_programs() {
    let [jump, _] = jumps();
    let snapshot = snapshot(&[("PREROUTING", chain([jump]))]);
    let frame = frame(Family::Ip, Vec::new());
    assert_eq!(
        json(&Show::new(&frame, &snapshot, false)),
        concat!(
            r#"{"generation":16,"tables":[{"family":"ip","table":"nat","installed":true,"#,
            r#""chains":[{"chain":"PREROUTING","extent":"head","exists":true,"#,
            r#""in_place":false,"rules":[{"position":1,"wanted_position":1,"handle":9,"#,
            r#""packets":7,"bytes":1234567,"#,
            r#""rule":"-m addrtype --dst-type LOCAL -j DOCKER-BLOCK"}],"#,
            r#""missing":[{"wanted_position":2,"#,
            r#""rule":"-m addrtype --dst-type LOCAL -j RETURN"}]},"#,
            r#"{"chain":"DOCKER-BLOCK","extent":"whole","exists":false,"in_place":false,"#,
            r#""rules":[],"missing":[]},"#,
            r#"{"chain":"DOCKER","extent":"exists","exists":false,"in_place":false,"#,
            r#""rules":[],"missing":[]}]}]}"#
        )
    );
}
