//! Other commands while a policy is on trial.

use super::support::{Files, Namespace, Watch, dwnl};
use super::trial::{Input, Trial, answer, is_over};
use super::{OLD, host, new, new_ruleset, ruleset};

const LONG: [&str; 2] = ["--confirm", "10m"];

#[test]
fn other_commands_refuse() {
    let host = host();
    let mut trial = Trial::start(&host, &new(), Input::Nothing, &LONG);
    let files = Files::new(OLD);
    let file = files.policy().to_string_lossy().into_owned();
    let guardian = format!("(guardian: process {})", trial.guardian());
    for command in [
        &["apply", "-f", "-"][..],
        &["apply", "-f", "-", "--confirm", "1s"],
        &["remove"],
        &["watch", "-f", &file],
    ] {
        let errors = dwnl(&host, command, OLD).failed(1);
        assert!(errors.contains("a policy is on trial"), "{command:?}: {errors}");
        assert!(errors.contains(&guardian), "{command:?}: {errors}");
        assert!(trial.is_running());
    }
    assert_eq!(ruleset(&host), new_ruleset());
    answer(&host, "confirm").succeeded();
    assert_eq!(trial.ended(), Some(0));
    dwnl(&host, &["apply", "-f", "-"], OLD).succeeded();
}

#[test]
fn a_trial_refuses_while_a_watch_runs() {
    let host = host();
    let mut watch = Watch::start(&host, OLD);
    let errors = dwnl(&host, &["apply", "-f", "-", "--confirm", "1s"], &new()).failed(1);
    let who = format!("dwnl watch (process {}, ", watch.id());
    assert!(errors.contains(&who) && errors.contains("stop it first"), "{errors}");
    assert!(watch.is_running());
    is_over(&host);
}

#[test]
fn two_at_once_do_not_mix() {
    for _ in 0..10 {
        let host = host();
        let old = ruleset(&host);
        let (one, other) = (new(), OLD.replace("53/udp", "54/udp"));
        let mut trials = [&one, &other]
            .map(|policy| Trial::launch(&host, policy, Input::Nothing, &["--confirm", "1s"]));
        for trial in &mut trials {
            assert_eq!(trial.ended(), Some(1), "{}", trial.text("stderr"));
        }
        is_over(&host);
        assert_eq!(ruleset(&host), old);
    }
}

#[test]
fn a_trial_in_another_namespace() {
    let (caller, host) = (Namespace::new(), host());
    let old = ruleset(&host);
    let path = host.path();
    let options = ["--confirm", "10m", "--netns", &path];
    let mut trial = Trial::start(&caller, &new(), Input::Nothing, &options);
    assert_eq!(ruleset(&host), new_ruleset());
    assert!(answer(&caller, "confirm").failed(1).contains("no policy is on trial"));
    dwnl(&caller, &["rollback", "--netns", &path], "").succeeded();
    trial.fails("rolled back");
    assert_eq!(ruleset(&host), old);
    assert_eq!(caller.run(&["nft", "list", "ruleset"]), "");
}
