//! What `show` reports for snapshots built by hand.

use dwnl::model::{
    Family, InstalledChain, InstalledRule, InstalledSet, InstalledTable, IpVersion, IptablesRule,
    Match, Rule, RuleContent, SetKind, Verdict,
};

use super::*;
use crate::report::test_support::{
    HOSTS, allow, frame, hosts, json, jump, local, lookup, own_path, path, text,
};

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
    RuleContent::Known(IptablesRule::new(jump("DOCKER")).into())
}

#[test]
fn rules_have_their_counters() {
    let odd = RuleContent::Foreign {
        expressions: "[meta mark 1]".to_owned(),
        target: None,
        translation: None,
    };
    let rule = RuleContent::Known(allow(Some("192.0.2.7/32"), 443));
    let snapshot = snapshot(&[
        ("PREROUTING", chain(jumps().into_iter().chain([docker()]))),
        ("DOCKER-BLOCK", chain([rule, odd])),
        ("DOCKER", chain([])),
    ]);
    let frame = frame(Family::Ip, Vec::new());
    assert_eq!(
        text(&Show::new(&frame, &snapshot, true)),
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
fn misplaced_and_missing_rules_are_reported() {
    let [jump, _] = jumps();
    let rules = [docker(), jump.clone(), jump];
    let snapshot = snapshot(&[("PREROUTING", chain(rules)), ("DOCKER-BLOCK", chain([]))]);
    let frame = frame(Family::Ip, Vec::new());
    assert_eq!(
        text(&Show::new(&frame, &snapshot, false)),
        "\
ip nat PREROUTING: not in place
packets    bytes  rule
      7  1234567  -m addrtype --dst-type LOCAL -j DOCKER-BLOCK  # at position 2, should be at 1
      7  1234567  -m addrtype --dst-type LOCAL -j DOCKER-BLOCK  # at position 3, should be at 1
missing, should be at position 2: -m addrtype --dst-type LOCAL -j RETURN

ip nat DOCKER-BLOCK: 0 rules

ip nat DOCKER: missing

generation 16
"
    );
}

#[test]
fn each_table_is_reported_as_not_installed() {
    let snapshot = snapshot(&[("PREROUTING", chain([docker()])), ("DOCKER", chain([]))]);
    let mut frame = frame(Family::Ip, Vec::new());
    frame.chains.extend(crate::report::test_support::frame(Family::Ip6, Vec::new()).chains);
    assert_eq!(
        text(&Show::new(&frame, &snapshot, false)),
        "ip nat: not installed\n\nip6 nat: not installed\n\ngeneration 16\n"
    );
}

#[test]
fn rules_are_objects_in_json() {
    let [jump, _] = jumps();
    let snapshot = snapshot(&[("PREROUTING", chain([jump]))]);
    let frame = frame(Family::Ip, Vec::new());
    assert_eq!(
        json(&Show::new(&frame, &snapshot, false)),
        concat!(
            r#"{"generation":16,"tables":[{"family":"ip","table":"nat","is_installed":true,"#,
            r#""chains":[{"chain":"PREROUTING","ownership":"leading","is_present":true,"#,
            r#""is_in_place":false,"rules":[{"position":1,"expected_position":1,"handle":9,"#,
            r#""packets":7,"bytes":1234567,"#,
            r#""rule":"-m addrtype --dst-type LOCAL -j DOCKER-BLOCK"}],"#,
            r#""missing_rules":[{"expected_position":2,"#,
            r#""rule":"-m addrtype --dst-type LOCAL -j RETURN"}]},"#,
            r#"{"chain":"DOCKER-BLOCK","ownership":"exclusive","is_present":false,"#,
            r#""is_in_place":false,"rules":[],"missing_rules":[]},"#,
            r#"{"chain":"DOCKER","ownership":"referenced","is_present":false,"#,
            r#""is_in_place":false,"rules":[],"missing_rules":[]}],"sets":[]}],"#,
            r#""foreign_translations":[],"has_socket_match":null}"#
        )
    );
}

/// A ruleset with an owned table and no chains.
fn own_frame() -> Ruleset {
    Ruleset { owned_tables: vec![own_path("").table.clone()], ..Ruleset::default() }
}

fn own_snapshot() -> Snapshot {
    let set = |kind, number| InstalledSet { kind, elements: hosts(number).into() };
    let content = RuleContent::Known(lookup(IpVersion::V4, "cdn-4"));
    let table = InstalledTable {
        chains: [("allow".into(), chain([content]))].into(),
        sets: [("cdn-4".into(), set(Some(HOSTS), 2)), ("odd".into(), set(None, 0))].into(),
        ..InstalledTable::default()
    };
    let path = own_path("").table.clone();
    Snapshot { generation: 16, tables: [(path, table)].into(), ..Snapshot::default() }
}

#[test]
fn sets_are_shown_with_the_chain_that_looks_them_up() {
    let (frame, snapshot) = (own_frame(), own_snapshot());
    let rule = "tcp dport 443 ip saddr @cdn-4 fib daddr type local counter ct mark set ct mark | 0x00002000";
    let chain = format!(
        "inet dwnl allow: 1 rule\npackets    bytes  rule\n      7  1234567  {rule}\n\ngeneration 16\n"
    );
    let sets = "\
inet dwnl, sets:
  cdn: 2 IPv4 sources
  odd: foreign set (unsupported type)

";
    assert_eq!(text(&Show::new(&frame, &snapshot, false)), format!("{sets}{chain}"));
    let chain = format!(
        "inet dwnl allow: 1 rule\nposition  handle  packets    bytes  rule\n       1       9        7  \
         1234567  {rule}\n\ngeneration 16\n"
    );
    let sets = "\
inet dwnl cdn-4: 2 elements (type ipv4_addr; size 1024)
203.0.113.0
203.0.113.1

inet dwnl odd: foreign set (unsupported type)

";
    assert_eq!(text(&Show::new(&frame, &snapshot, true)), format!("{sets}{chain}"));
}

#[test]
fn the_sets_of_a_group_are_one_line() {
    let (frame, mut snapshot) = (own_frame(), own_snapshot());
    let table = snapshot.tables.values_mut().next().expect("our table");
    let intervals = |version| Some(SetKind::Intervals { version });
    for (name, kind, number) in [
        ("cdn-4.1", Some(HOSTS), 200),
        ("cdn-4-intervals", intervals(IpVersion::V4), 1),
        ("cdn-6-intervals", intervals(IpVersion::V6), 1),
        (".3-4", Some(HOSTS), 70),
        ("docker-tcp", Some(SetKind::DynamicPorts), 0),
    ] {
        let set = InstalledSet { kind, elements: hosts(number).into() };
        table.sets.insert(name.into(), set);
    }
    let shown = text(&Show::new(&frame, &snapshot, false));
    let sets = "\
inet dwnl, sets:
  entry 3: 70 IPv4 sources
  cdn: 203 IPv4 sources (3 sets), 1 IPv6 source
  docker-tcp: published ports, managed by the kernel
  odd: foreign set (unsupported type)

";
    assert!(shown.starts_with(sets), "{shown}");
}

#[test]
fn a_pattern_names_chains_sets_entries_and_ports() {
    let frame = frame(Family::Ip, Vec::new());
    let commented = |rule: Rule, comment: &str| {
        let Rule::Iptables(rule) = rule else { unreachable!("a rule of iptables") };
        let comment = Match::Comment(comment.into());
        let matches = rule.matches.iter().cloned().chain([comment]).collect();
        RuleContent::Known(IptablesRule { matches, ..rule }.into())
    };
    let rules = [commented(allow(None, 443), "web"), commented(allow(None, 8080), "api")];
    let mut snapshot = snapshot(&[
        ("PREROUTING", chain(jumps())),
        ("DOCKER-BLOCK", chain(rules)),
        ("DOCKER", chain([])),
    ]);
    snapshot.tables.extend(own_snapshot().tables);
    let frame = Ruleset { owned_tables: own_frame().owned_tables, ..frame };
    let shown = |pattern: &'static str| {
        let mut show = Show::new(&frame, &snapshot, false);
        show.retain(pattern);
        let text = text(&show);
        let is_heading = |line: &&str| !line.starts_with(' ') && !line.starts_with("packets");
        let headings = text.lines().filter(is_heading).filter(|line| !line.is_empty());
        let rules = text.matches("-j DOCKER\n").count() + text.matches("@cdn-4").count();
        (headings.map(str::to_owned).collect::<Vec<_>>(), rules)
    };
    let one = |heading: &str, rules| (vec![heading.to_owned()], rules);
    assert_eq!(shown("web"), one("ip nat DOCKER-BLOCK: 1 rule", 1));
    assert_eq!(shown("*i"), one("ip nat DOCKER-BLOCK: 1 rule", 1));
    assert_eq!(shown("8000-8100/tcp"), one("ip nat DOCKER-BLOCK: 1 rule", 1));
    assert_eq!(shown("443/udp"), one("nothing of dwnl's matches 443/udp", 0));
    assert_eq!(shown("DOCKER-BLOCK"), one("ip nat DOCKER-BLOCK: 2 rules", 2));
    assert_eq!(shown("cdn"), one("inet dwnl, sets:", 0));
    assert_eq!(shown("odd"), one("inet dwnl, sets:", 0));
    let (headings, rules) = shown("443");
    assert_eq!((headings.len(), rules), (2, 2), "{headings:?}");
    assert_eq!(shown("PRE*"), one("ip nat PREROUTING: in place", 0));
}

#[test]
fn sets_are_objects_in_json() {
    let (frame, snapshot) = (own_frame(), own_snapshot());
    let sets = |verbose| {
        let json = json(&Show::new(&frame, &snapshot, verbose));
        let (_, sets) = json.split_once(r#","sets":"#).expect("sets");
        sets.split_once(r#"}],"foreign_translations""#).expect("its end").0.to_owned()
    };
    let odd = r#"{"set":"odd","group":null,"definition":null,"element_count":0,"elements":null}]"#;
    let cdn = r#"[{"set":"cdn-4","group":"cdn","definition":"type ipv4_addr; size 1024","element_count":2"#;
    assert_eq!(sets(false), format!(r#"{cdn},"elements":null}},{odd}"#));
    assert_eq!(sets(true), format!(r#"{cdn},"elements":["203.0.113.0","203.0.113.1"]}},{odd}"#));
}

#[test]
fn the_elements_of_a_dynamic_set_are_not_counted() {
    let (frame, mut snapshot) = (own_frame(), own_snapshot());
    let table = snapshot.tables.values_mut().next().expect("our table");
    let ports = InstalledSet { kind: Some(SetKind::DynamicPorts), elements: [].into() };
    table.sets = [("docker-tcp".into(), ports)].into();
    let show = Show::new(&frame, &snapshot, true);
    let kind = "type inet_service; size 65535; flags dynamic,timeout";
    let line = format!("inet dwnl docker-tcp: elements managed by the kernel ({kind})\n\n");
    assert!(text(&show).starts_with(&line), "{}", text(&show));
    let set = format!(
        r#""sets":[{{"set":"docker-tcp","group":null,"definition":"{kind}","element_count":null,"elements":null}}]"#
    );
    assert!(json(&show).contains(&set), "{}", json(&show));
}

#[test]
fn an_owned_table_is_missing_only_if_rules_match_its_mark() {
    let frame = own_frame();
    let matches = [Match::Connmark(0x2000)].into();
    let marked = Rule::from(IptablesRule { matches, ..IptablesRule::new(jump("DOCKER")) });
    let shown = |rule| {
        let rules = chain([RuleContent::Known(rule)]);
        text(&Show::new(&frame, &snapshot(&[("DOCKER-BLOCK", rules)]), false))
    };
    assert_eq!(shown(allow(None, 80)), "generation 16\n");
    assert_eq!(shown(marked), "inet dwnl: missing\n\ngeneration 16\n");
}
