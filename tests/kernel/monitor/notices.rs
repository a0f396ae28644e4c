//! What is told of a commit.

use super::super::POLICY;
use super::super::support::Namespace;
use super::{commits, open, wanted};

/// What each of these commands is told as, without the process, and whether it concerns us.
const SENTENCES: [(&[&str], &str, bool); 7] = [
    (
        &["iptables", "-t", "nat", "-I", "PREROUTING", "-j", "ACCEPT"],
        "added 1 rule in ip nat PREROUTING",
        true,
    ),
    (
        &["iptables", "-t", "nat", "-F", "DOCKER-BLOCK"],
        "deleted 2 rules in ip nat DOCKER-BLOCK",
        true,
    ),
    (&["nft", "add", "table", "ip", "kube"], "added table ip kube", false),
    (&["nft", "add", "table", "bridge", "kube"], "made 1 other change", false),
    (
        &["iptables", "-N", "DOCKER-FORWARD"],
        "added table ip filter, added chain ip filter DOCKER-FORWARD",
        true,
    ),
    (&["nft", "delete", "table", "inet", "dwnl"], "deleted table inet dwnl", true),
    (
        &["nft", "flush", "ruleset"],
        "deleted table ip nat, deleted table ip6 nat, deleted table ip kube, deleted table ip filter and made 1 other change",
        true,
    ),
];

#[test]
fn commits_are_told_in_sentences() {
    let host = Namespace::new();
    let (mut monitor, mut engine) = open(&host);
    engine.apply(&wanted(POLICY)).expect("success");
    assert!(commits(&mut monitor).is_empty(), "our own commit was heard of");
    for (command, sentence, concerns_us) in SENTENCES {
        host.run(command);
        let [commit] = &commits(&mut monitor)[..] else { panic!("not one commit") };
        let process = commit.process.as_ref().expect("a process");
        assert_eq!(&*process.name, command[0]);
        assert_eq!(commit.to_string(), format!("{process} {sentence}"));
        assert_eq!(commit.concerns_us(), concerns_us, "{commit}");
    }
}
