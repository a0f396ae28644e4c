//! Flows when the previous rules return.

use super::site::{CUT, FAMILIES, PUBLISHED, Site, policy};
use super::support::{Answer, Datagrams, apply, dwnl};
use super::trial::{Input, Trial, answer};

const LONG: [&str; 2] = ["--confirm", "10m"];

#[test]
fn flows_are_as_the_previous_rules_decide() {
    for family in FAMILIES {
        let site = Site::new();
        let host = &site.topology.host;
        let open = |source| Datagrams::open(&site.topology.client, source, family.host, PUBLISHED);
        apply(host, &policy(&[family.client], ""));
        let before = open(family.client);
        assert_eq!(before.echo(), Answer::Answered);

        let mut trial = Trial::start(host, &policy(&[family.other], ""), Input::Nothing, &LONG);
        let (admitted, rejected) = (open(family.other), open(family.client));
        assert_eq!(admitted.echo(), Answer::Answered);
        assert_eq!(rejected.echo(), Answer::Refused);
        assert_eq!(before.echo(), Answer::Answered);

        let text = answer(host, "rollback").succeeded();
        let counts = "conntrack: rejected flows cleared: 1, flows of the trial terminated: 1";
        assert!(text.contains(counts), "{text}");
        trial.fails(counts);
        assert_eq!(before.echo(), Answer::Answered, "{family:?}");
        assert_eq!(rejected.echo(), Answer::Answered, "{family:?}");
        assert_ne!(admitted.echo(), Answer::Answered, "{family:?}");
    }
}

#[test]
fn a_confirmed_policy_keeps_its_flows() {
    let [family, _] = FAMILIES;
    let site = Site::new();
    let host = &site.topology.host;
    let open = |source| Datagrams::open(&site.topology.client, source, family.host, PUBLISHED);
    apply(host, &policy(&[family.client], ""));
    let before = open(family.client);
    assert_eq!(before.echo(), Answer::Answered);
    let mut trial = Trial::start(host, &policy(&[family.other], CUT), Input::Nothing, &LONG);
    let admitted = open(family.other);
    assert_eq!(admitted.echo(), Answer::Answered);
    dwnl(host, &["confirm"], "").succeeded();
    assert_eq!(trial.ended(), Some(0));
    assert_eq!(admitted.echo(), Answer::Answered);
    assert_ne!(before.echo(), Answer::Answered);
}

#[test]
fn without_rules_before_every_flow_goes_on() {
    let [family, _] = FAMILIES;
    let site = Site::new();
    let host = &site.topology.host;
    let open = |source| Datagrams::open(&site.topology.client, source, family.host, PUBLISHED);
    let mut trial = Trial::start(host, &policy(&[family.client], ""), Input::Nothing, &LONG);
    let (admitted, rejected) = (open(family.client), open(family.other));
    assert_eq!(admitted.echo(), Answer::Answered);
    assert_eq!(rejected.echo(), Answer::Refused);
    answer(host, "rollback").succeeded();
    trial.fails("conntrack: rejected flows cleared: 1, flows of the trial terminated: 0");
    assert_eq!(admitted.echo(), Answer::Answered);
    assert_eq!(rejected.echo(), Answer::Answered);
}
