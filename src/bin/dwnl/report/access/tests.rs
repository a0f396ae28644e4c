//! The summary of what changes for sources.

use dwnl::access::Access;
use dwnl::model::Snapshot;
use dwnl::{Policy, compile, resolve};

use super::super::test_support::{json, outcome, plain};
use super::*;

fn access(text: &str) -> Access {
    let policy = Policy::parse(text, "p.toml", std::path::Path::new("")).expect("a policy");
    let ruleset = resolve(&compile(&policy), &Snapshot::default()).expect("a ruleset");
    Access::of_ruleset(&ruleset)
}

fn web(sources: &[&str]) -> String {
    format!("[[allow]]\nname = \"web\"\nports = [\"443\", \"80\"]\nfrom = {sources:?}\n")
}

fn report(before: &Access, after: &str, tense: Tense, verbose: bool) -> AccessReport {
    let mut outcome = outcome(Vec::new(), 1);
    outcome.access = before.diff(&access(after));
    outcome.cause = Some(Cause::Access);
    AccessReport::new(&outcome, tense, verbose)
}

fn text(report: &AccessReport) -> String {
    plain(|out| report.write(out))
}

const OLD: [&str; 1] = ["192.0.2.1"];
const NEW: [&str; 5] = ["192.0.2.1", "192.0.2.3", "192.0.2.5", "192.0.2.7", "192.0.2.9"];

#[test]
fn a_change_is_reported_before_and_after_it() {
    let before = access(&web(&OLD));
    let change = |tense, verbose| text(&report(&before, &web(&NEW), tense, verbose));
    assert_eq!(
        change(Tense::Planned, false),
        "+ web 443/tcp, 80/tcp: 192.0.2.3, 192.0.2.5, 192.0.2.7 and 1 other gain access\n"
    );
    assert_eq!(
        change(Tense::Done, true),
        "+ web 443/tcp, 80/tcp: 192.0.2.3, 192.0.2.5, 192.0.2.7 and 192.0.2.9 gained access\n"
    );
}

#[test]
fn the_first_apply_lists_who_keeps_access() {
    let nothing = Access::default();
    assert_eq!(
        text(&report(&nothing, &web(&OLD), Tense::Done, false)),
        "- everyone lost access to the ports that Docker publishes, except:\n  \
         web 443/tcp, 80/tcp: 192.0.2.1\n"
    );
}

#[test]
fn who_blocks_nothing_is_not_told_that_everyone_lost_access() {
    let text_of = |policy: &str| text(&report(&Access::default(), policy, Tense::Planned, false));
    let every = "[[allow]]\nports = [\"1-65535\", \"1-65535/udp\", \"1-65535/sctp\"]\n";
    assert!(text_of(every).starts_with(
        "everyone keeps access to the ports that Docker publishes, by:\n  1-65535/tcp"
    ));
    let but_one = format!("{every}[[deny]]\nfrom = [\"192.0.2.1\"]\n");
    for other in [but_one, every.replace(", \"1-65535/sctp\"", ""), web(&OLD)] {
        assert!(text_of(&other).starts_with("- everyone loses access"), "{other}");
    }
}

#[test]
fn nothing_is_reported_if_the_kernel_is_up_to_date() {
    let report = AccessReport::new(&outcome(Vec::new(), 1), Tense::Done, false);
    assert_eq!(text(&report), "");
    let expected = r#"{"cause":null,"was_enforced":true,"access":[],"protection_changes":[]}"#;
    assert_eq!(json(&report), expected);
}

#[test]
fn a_change_is_an_object_in_json() {
    let before = access(&web(&OLD));
    let report = report(&before, &web(&NEW[..2]), Tense::Planned, false);
    assert_eq!(
        json(&report),
        concat!(
            r#"{"cause":"access","was_enforced":true,"access":[{"entry":"web","change":"changed","#,
            r#""effect":"gain","ports":["443/tcp","80/tcp"],"in_interface":null,"to":[],"schedule":null,"#,
            r#""source_count":1,"sources":["192.0.2.3"],"except":[]}],"protection_changes":[]}"#
        )
    );
}

#[test]
fn long_lists_are_cut_in_json_too() {
    let many: Vec<String> = (0..150).map(|n| format!("10.0.{n}.1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let before = access(&web(&OLD));
    for (verbose, number) in [(false, 100), (true, 150)] {
        let report = report(&before, &web(&[&OLD[..], &many].concat()), Tense::Planned, verbose);
        assert_eq!(report.access[0].sources.len(), number);
        assert_eq!(report.access[0].source_count, 150);
    }
}
