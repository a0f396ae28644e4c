//! How a trial ends.

use nix::sys::signal::Signal;

use super::support::{Namespace, apply, dwnl, saved, wait_for};
use super::trial::{Input, Trial, answer, is_over, send};
use super::{OLD, host, new, new_ruleset, ruleset};

const SIGNALS: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];
const LONG: [&str; 2] = ["--confirm", "10m"];

#[test]
fn enter_confirms() {
    let host = host();
    let mut trial = Trial::start(&host, &new(), Input::Terminal, &LONG);
    assert!(trial.text("stderr").contains("press Enter or run `dwnl confirm`"));
    assert!(trial.text("stdout").contains("\napplied: "), "{}", trial.text("stdout"));
    trial.types("no\n");
    trial.types("\n");
    assert_eq!(trial.ended(), Some(0), "{}", trial.text("stderr"));
    assert!(trial.text("stdout").ends_with("confirmed: the policy stays in force\n"));
    is_over(&host);
    assert_eq!(ruleset(&host), new_ruleset());
}

#[test]
fn what_was_typed_before_does_not_confirm() {
    let host = host();
    let old = ruleset(&host);
    let mut trial = Trial::launch(&host, &new(), Input::Terminal, &["--confirm", "2s"]);
    trial.types("\n");
    trial.fails("not confirmed within 2s");
    assert_eq!(ruleset(&host), old);
}

#[test]
fn another_session_confirms() {
    let host = host();
    for input in [Input::Terminal, Input::Nothing] {
        apply(&host, OLD);
        let mut trial = Trial::start(&host, &new(), input, &LONG);
        let text = answer(&host, "confirm").succeeded();
        assert_eq!(text, "confirmed: the policy stays in force\n");
        assert_eq!(trial.ended(), Some(0));
        assert_eq!(ruleset(&host), new_ruleset());
        assert!(answer(&host, "confirm").failed(1).contains("no policy is on trial"));
    }
}

#[test]
fn another_session_rolls_back() {
    let host = host();
    let old = ruleset(&host);
    let mut trial = Trial::start(&host, &new(), Input::Nothing, &LONG);
    assert_eq!(ruleset(&host), new_ruleset());
    let json = dwnl(&host, &["rollback", "--json"], "").succeeded();
    assert_eq!(json, "{\"schema\":1,\"is_confirmed\":false,\"notes\":[]}\n");
    assert_eq!(ruleset(&host), old);
    trial.fails("rolled back by `dwnl rollback`");
}

#[test]
fn another_trial_can_begin_at_once() {
    let host = host();
    let policies = [OLD.to_owned(), new()];
    for policy in policies.iter().cycle().take(20) {
        let mut trial = Trial::start(&host, policy, Input::Nothing, &LONG);
        answer(&host, "confirm").succeeded();
        dwnl(&host, &["apply", "-f", "-"], policy).succeeded();
        let mut second = Trial::start(&host, OLD, Input::Nothing, &LONG);
        second.signal(Signal::SIGTERM);
        assert_eq!((trial.ended(), second.ended()), (Some(0), Some(1)));
        dwnl(&host, &["apply", "-f", "-"], policy).succeeded();
    }
}

#[test]
fn the_old_rules_return_when_the_time_is_over() {
    let host = host();
    let old = ruleset(&host);
    let mut trial = Trial::start(&host, &new(), Input::Terminal, &["--confirm", "1s"]);
    trial.fails("not confirmed within 1s");
    assert_eq!(ruleset(&host), old);
    is_over(&host);
}

#[test]
fn the_old_rules_return_when_the_terminal_is_closed() {
    let host = host();
    let old = ruleset(&host);
    let mut trial = Trial::start(&host, &new(), Input::Terminal, &LONG);
    trial.close_terminal();
    trial.ended();
    is_over(&host);
    assert_eq!(ruleset(&host), old);
}

#[test]
fn the_old_rules_return_after_a_signal() {
    let host = host();
    let old = ruleset(&host);
    for signal in SIGNALS {
        let mut trial = Trial::start(&host, &new(), Input::Nothing, &LONG);
        trial.signal(signal);
        trial.fails("interrupted before it was confirmed");
        assert_eq!(ruleset(&host), old, "{signal}");
        let mut trial = Trial::start(&host, &new(), Input::Nothing, &LONG);
        send(trial.guardian(), signal);
        trial.fails("interrupted before it was confirmed");
        assert_eq!(ruleset(&host), old, "{signal} to the guardian");
    }
}

#[test]
fn the_old_rules_return_if_either_process_is_killed() {
    let host = host();
    let old = ruleset(&host);
    let mut trial = Trial::start(&host, &new(), Input::Nothing, &LONG);
    trial.signal(Signal::SIGKILL);
    trial.ended();
    is_over(&host);
    assert_eq!(ruleset(&host), old);
    let mut trial = Trial::start(&host, &new(), Input::Nothing, &LONG);
    send(trial.guardian(), Signal::SIGKILL);
    trial.fails("the guardian process of the trial has ended");
    assert_eq!(ruleset(&host), old);
}

#[test]
fn the_old_rules_return_while_the_process_is_stopped() {
    let host = host();
    let old = ruleset(&host);
    let mut trial = Trial::start(&host, &new(), Input::Nothing, &["--confirm", "1s"]);
    trial.signal(Signal::SIGSTOP);
    wait_for("the old rules", || (ruleset(&host) == old).then_some(()));
    trial.signal(Signal::SIGCONT);
    trial.fails("not confirmed within 1s");
}

#[test]
fn without_rules_before_none_remain() {
    let host = Namespace::new();
    let mut trial = Trial::start(&host, &new(), Input::Nothing, &LONG);
    trial.signal(Signal::SIGTERM);
    trial.fails("interrupted");
    assert_eq!(host.run(&["nft", "list", "ruleset"]), "");
}

#[test]
fn any_change_is_restored() {
    const UNGUARDED: &str = "[guard]\nenabled = false\n";
    let unguarded = format!("{}{UNGUARDED}", new());
    let rules = new();
    for (from, to) in
        [(&*rules, OLD), (&*unguarded, OLD), (OLD, &*unguarded), (&*unguarded, &*rules)]
    {
        let host = Namespace::new();
        host.run(&["iptables", "-t", "nat", "-A", "PREROUTING", "-p", "icmp", "-j", "RETURN"]);
        apply(&host, from);
        let (old, tools) = (ruleset(&host), saved(&host));
        let mut trial = Trial::start(&host, to, Input::Nothing, &LONG);
        assert_ne!(ruleset(&host), old);
        answer(&host, "rollback").succeeded();
        trial.ended();
        assert_eq!(ruleset(&host), old);
        assert_eq!(saved(&host), tools);
    }
}

#[test]
fn what_cannot_be_restored_is_reported() {
    let host = host();
    host.run(&["iptables", "-t", "nat", "-A", "DOCKER-BLOCK", "-p", "icmp", "-j", "LOG"]);
    let mut trial = Trial::start(&host, &new(), Input::Nothing, &LONG);
    let text = trial.text("stderr");
    let warning = "warning: the end of the trial cannot restore rule ";
    assert!(text.contains(warning) && text.contains(" of ip nat DOCKER-BLOCK: "), "{text}");
    let text = answer(&host, "rollback").succeeded();
    assert!(text.contains("not restored: rule "), "{text}");
    trial.fails("not restored: rule ");
}

#[test]
fn a_program_gets_one_object() {
    let host = host();
    let options = [&LONG[..], &["--json"]].concat();
    let mut trial = Trial::start(&host, &new(), Input::Nothing, &options);
    assert_eq!(trial.text("stdout"), "");
    let json = dwnl(&host, &["confirm", "--json"], "").succeeded();
    assert_eq!(json, "{\"schema\":1,\"is_confirmed\":true,\"notes\":[]}\n");
    assert_eq!(trial.ended(), Some(0));
    let text = trial.text("stdout");
    let report: serde_json::Value = serde_json::from_str(&text).expect("one object");
    assert_eq!(report["has_changes"], true);
    let mut trial = Trial::start(&host, OLD, Input::Nothing, &options);
    trial.signal(Signal::SIGINT);
    assert_eq!(trial.ended(), Some(1));
    let report: serde_json::Value =
        serde_json::from_str(&trial.text("stdout")).expect("one object");
    assert!(report["error"].is_string(), "{report}");
}

#[test]
fn an_invalid_policy_or_duration_changes_nothing() {
    let host = host();
    let old = ruleset(&host);
    let mut trial = Trial::launch(&host, "x", Input::Nothing, &LONG);
    assert_eq!(trial.ended(), Some(2));
    for duration in ["0s", "25h", "soon", ""] {
        let options = ["apply", "-f", "-", "--confirm", duration];
        dwnl(&host, &options, OLD).failed(2);
    }
    is_over(&host);
    assert_eq!(ruleset(&host), old);
}
