//! An apply changes what differs and nothing else.

use super::support::{Answer, Monitor, Namespace, Topology, apply, plan, show, tcp};
use super::{JUMPS, POLICY, rules, ruleset};

#[test]
fn a_second_apply_sends_nothing() {
    let host = Namespace::new();
    let mut monitor = Monitor::new(&host);
    let first = apply(&host, POLICY);
    assert_eq!(first["changed"], true, "{first}");
    assert!(monitor.events().contains("DOCKER-BLOCK"), "the monitor sees nothing");
    let before = ruleset(&host);

    let second = apply(&host, POLICY);
    assert_eq!(second["changed"], false, "{second}");
    assert_eq!(second["added"], 0, "{second}");
    assert_eq!(second["removed"], 0, "{second}");
    assert_eq!(second["unchanged"], first["added"], "{first}\n{second}");
    assert_eq!(monitor.events(), "");
    assert_eq!(ruleset(&host), before);

    let third = apply(&host, POLICY);
    let fourth = apply(&host, POLICY);
    assert_eq!(third["generation"], fourth["generation"], "{third}\n{fourth}");
}

#[test]
fn a_plan_changes_nothing_and_tells_what_an_apply_will_do() {
    let host = Namespace::new();
    let mut monitor = Monitor::new(&host);
    let planned = plan(&host, POLICY);
    assert_eq!(monitor.events(), "");
    assert_eq!(ruleset(&host), "");
    let applied = apply(&host, POLICY);
    assert_eq!(planned["added"], applied["added"], "{planned}\n{applied}");
    assert_eq!(planned["removed"], applied["removed"], "{planned}\n{applied}");
}

#[test]
fn unchanged_rules_keep_their_handles_and_counters() {
    let Topology { host, client } = Topology::new();
    let knock = || {
        // Nobody listens: what counts is that the rules see the packet.
        let answer = tcp(&client, Topology::ALLOWED, Topology::HOST, 8080);
        assert_eq!(answer, Answer::Refused);
    };
    apply(&host, POLICY);
    knock();
    let ours = "-s 192.0.2.2/32 -p tcp -m tcp --dport 8080";
    let counted = counters(&host, ours);
    assert_ne!(counted, "[0:0]", "the packet was not counted");
    let handles = handles(&host, "8080");
    assert_eq!(handles.len(), 1, "{handles:?}");

    let added = "[[allow]]\nports = [\"9100/tcp\"]\nfrom = [\"192.0.2.7\"]\n";
    for policy in [&format!("{POLICY}{added}"), POLICY, &format!("{added}{POLICY}"), POLICY] {
        let outcome = apply(&host, policy);
        assert_eq!(outcome["changed"], true, "{outcome}");
        assert_eq!(counters(&host, ours), counted);
        assert_eq!(self::handles(&host, "8080"), handles);
    }

    knock();
    assert_ne!(counters(&host, ours), counted, "the rule no longer counts");
    let shown = show(&host).to_string();
    assert!(shown.contains(&format!("\"handle\":{}", handles[0])), "{shown}");
}

/// The counters of the rule of `DOCKER-BLOCK` that iptables prints so.
fn counters(host: &Namespace, rule: &str) -> String {
    let saved = host.run(&["iptables-save", "-c", "-t", "nat"]);
    let mut lines =
        saved.lines().filter(|line| line.contains("DOCKER-BLOCK") && line.contains(rule));
    let line = lines.next().unwrap_or_else(|| panic!("no `{rule}` in\n{saved}"));
    line.split(' ').next().unwrap_or_default().to_owned()
}

/// The handles of the rules of `DOCKER-BLOCK` in which nft prints this.
fn handles(host: &Namespace, text: &str) -> Vec<String> {
    let list = ["nft", "--handle", "list", "chain", "ip", "nat", "DOCKER-BLOCK"];
    let listing = host.run(&list);
    let lines = listing.lines().filter(|line| line.contains(text));
    lines.filter_map(|line| Some(line.rsplit_once("# handle ")?.1.to_owned())).collect()
}

#[test]
fn displaced_jumps_are_put_back() {
    let first = "PREROUTING 1 -m addrtype --dst-type LOCAL -j DOCKER-BLOCK";
    let last = "PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-BLOCK";
    let delete = "-D PREROUTING 1";
    // How the jumps are disturbed, and what stands in PREROUTING besides them.
    let foreign = "-A PREROUTING -s 203.0.113.1/32 -j RETURN";
    let cases: [(&[&str], &[&str]); 8] = [
        (&["-I PREROUTING 1 -s 203.0.113.1 -j RETURN"], &[foreign]),
        (&["-I PREROUTING 2 -s 203.0.113.1 -j RETURN"], &[foreign]),
        (&[&format!("-I {first}")], &[]),
        (&[&format!("-A {last}")], &[]),
        (&["-A PREROUTING -s 203.0.113.1 -j RETURN", &format!("-A {last}")], &[foreign]),
        (&[delete], &[]),
        (&[delete, delete], &[]),
        (&[delete, &format!("-A {last}"), "-A PREROUTING -s 203.0.113.1 -j RETURN"], &[foreign]),
    ];
    for (damage, foreign) in cases {
        let host = Namespace::new();
        apply(&host, POLICY);
        assert_eq!(rules(&host, "PREROUTING"), JUMPS);
        for command in damage {
            let command: Vec<&str> = command.split(' ').collect();
            host.run(&[&["iptables", "-t", "nat"], &command[..]].concat());
        }
        assert_ne!(rules(&host, "PREROUTING"), [&JUMPS, foreign].concat(), "{damage:?}: no damage");

        assert_eq!(apply(&host, POLICY)["changed"], true, "{damage:?}");
        assert_eq!(rules(&host, "PREROUTING"), [&JUMPS, foreign].concat(), "{damage:?}");
        assert_eq!(apply(&host, POLICY)["changed"], false, "{damage:?}");
    }
}
