//! How commits are described.

use dwnl::engine::Monitor;

use super::super::POLICY;
use super::super::sets::hosts;
use super::super::support::Namespace;
use super::{commits, desired, open, policy};

/// A command with its input, the description of its commit without the process, and whether the
/// commit is relevant.
const CASES: [(&[&str], &str, &str, bool); 9] = [
    (
        &["iptables", "-t", "nat", "-I", "PREROUTING", "-j", "ACCEPT"],
        "",
        "added 1 rule in ip nat PREROUTING",
        true,
    ),
    (
        &["iptables", "-t", "nat", "-F"],
        "",
        "deleted 3 rules in ip nat DOCKER-BLOCK-GUARD, deleted 2 rules in ip nat DOCKER-BLOCK, deleted 3 rules in ip nat PREROUTING",
        true,
    ),
    (
        &["iptables-restore"],
        "*nat\n:WEB -\n-A WEB -s 192.0.2.1 -j RETURN\n-A WEB -j ACCEPT\nCOMMIT\n",
        "replaced table ip nat, added chain ip nat WEB, added 2 rules in ip nat WEB",
        true,
    ),
    (&["nft", "add", "table", "ip", "kube"], "", "added table ip kube", false),
    (&["nft", "add", "table", "bridge", "kube"], "", "made 1 other change", false),
    (
        &["iptables", "-N", "DOCKER-FORWARD"],
        "",
        "added table ip filter, added chain ip filter DOCKER-FORWARD",
        true,
    ),
    (&["iptables", "-N", "DOCKER-USER"], "", "added chain ip filter DOCKER-USER", false),
    (&["nft", "delete", "table", "inet", "dwnl"], "", "deleted table inet dwnl", true),
    (
        &["nft", "flush", "ruleset"],
        "",
        "deleted table ip6 nat, deleted table ip nat, deleted table ip kube, deleted table ip \
         filter and made 1 other change",
        true,
    ),
];

#[test]
fn commits_are_described_in_sentences() {
    let host = Namespace::new();
    let (mut monitor, mut engine) = open(&host);
    engine.apply(&desired(POLICY)).expect("success");
    for (command, input, sentence, is_relevant) in CASES {
        host.try_run(command, input).succeeded();
        let [commit] = &commits(&mut monitor)[..] else { panic!("not one commit: {command:?}") };
        let process = commit.process.as_ref().expect("a process");
        // The kernel keeps 15 bytes of it.
        assert_eq!(*process.name, command[0][..command[0].len().min(15)]);
        assert_eq!(commit.to_string(), format!("{process} {sentence}"));
        assert_eq!(commit.is_relevant(), is_relevant, "{commit}");
    }
}

#[test]
fn elements_are_counted() {
    let host = Namespace::new();
    let (mut monitor, mut engine) = open(&host);
    engine.apply(&desired(&policy(&hosts(100)))).expect("success");
    host.run(&["nft", "add element inet dwnl many-4 { 203.0.113.7, 203.0.113.9 }"]);
    host.run(&["nft", "flush set inet dwnl many-4"]);
    let described: Vec<String> = commits(&mut monitor).iter().map(ToString::to_string).collect();
    assert!(described[0].ends_with(") added 2 elements in inet dwnl many-4"), "{described:?}");
    assert!(described[1].ends_with(") deleted 102 elements in inet dwnl many-4"), "{described:?}");
}

#[test]
fn a_monitor_reports_only_its_own_namespace() {
    let (host, other) = (Namespace::new(), Namespace::new());
    let (mut monitor, _) = open(&host);
    let mut others = Monitor::open_in(other.path().as_ref()).expect("a monitor");
    host.run(&["nft", "add", "table", "ip", "nat"]);
    assert!(commits(&mut others).is_empty());
    assert_eq!(commits(&mut monitor).len(), 1);
}
