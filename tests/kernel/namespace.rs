//! `--netns` selects a namespace and leaves the caller's own unchanged.

use super::support::{Namespace, dwnl};
use super::{JUMPS, POLICY, rules, ruleset};

#[test]
fn commands_work_in_the_given_namespace() {
    let (caller, host) = (Namespace::new(), Namespace::new());
    let path = host.path();
    let run = |args: &[&str]| dwnl(&caller, &[args, &["--netns", &path]].concat(), POLICY);

    run(&["apply", "-f", "-"]).succeeded();
    assert_eq!(rules(&host, "PREROUTING"), JUMPS);
    assert_eq!(ruleset(&caller), "");
    assert_eq!(run(&["plan", "--exit-code", "-f", "-"]).status.code(), Some(0));
    assert!(run(&["show"]).succeeded().contains("192.0.2.2"));

    run(&["remove"]).succeeded();
    assert_eq!(ruleset(&host), "");
}

#[test]
fn a_missing_namespace_is_an_error() {
    let output = dwnl(&Namespace::new(), &["show", "--netns", "/nonexistent"], "");
    let message = output.failed(1);
    assert!(message.contains("cannot enter network namespace /nonexistent"), "{message}");
}
