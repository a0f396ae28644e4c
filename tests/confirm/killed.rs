//! Killed at any system call, each of the two processes leaves the old ruleset or the new one: the new
//! one if and only if `dwnl confirm` has said so.

use std::collections::HashMap;
use std::fs;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::support::{Namespace, companion, dwnl, wait_for};
use super::trial::{Input, Trial, answer, is_over, is_pending};
use super::{host, new, new_ruleset, ruleset};

/// How long the trials last: longer than `dwnl confirm` takes to arrive.
const DURATION: &str = "20s";

/// A system call: its name, and its number among the calls of this name, from 1.
type Call = (String, usize);

/// The calls in a trace of one process, from the beginning.
fn calls(trace: &str) -> Vec<Call> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let names = trace.lines().filter_map(|line| line.split_once('(').map(|(name, _)| name));
    let names = names.filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    let mut calls = Vec::new();
    for name in names {
        let count = counts.entry(name).or_default();
        *count += 1;
        calls.push((name.to_owned(), *count));
    }
    calls
}

fn kill_at((name, nth): &Call) -> String {
    format!("inject={name}:signal=SIGKILL:when={nth}")
}

/// The applying process under strace, with these options.
fn traced(host: &Namespace, files: &TempDir, options: &[&str]) -> Child {
    let policy = files.path().join("policy.toml");
    fs::write(&policy, new()).expect("to write");
    companion(&host.path())
        .args(["timeout", "60", "strace", "-qq"])
        .args(options)
        .args([env!("CARGO_BIN_EXE_dwnl"), "apply", "--confirm", DURATION, "-f"])
        .arg(policy)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace")
}

/// Confirms the trial as soon as that is possible. Returns whether it is confirmed.
fn confirm(host: &Namespace, process: &mut Child) -> bool {
    wait_for("the confirmation", || {
        if answer(host, "confirm").status.success() {
            return Some(true);
        }
        let has_ended = process.try_wait().expect("its state").is_some();
        (has_ended && !is_pending(host)).then_some(false)
    })
}

/// Asserts that the ruleset is the new one if and only if the policy is confirmed.
fn check(host: &Namespace, old: &[String], is_confirmed: bool, case: &str) {
    is_over(host);
    let expected = if is_confirmed { new_ruleset() } else { old.to_vec() };
    assert_eq!(ruleset(host), expected, "confirmed: {is_confirmed}; killed at {case}");
    dwnl(host, &["apply", "-f", "-"], &new()).succeeded();
}

#[test]
fn the_applying_process() {
    let files = TempDir::new().expect("a directory");
    let log = files.path().join("trace").to_string_lossy().into_owned();
    let plain = host();
    let mut process = traced(&plain, &files, &["-o", &log]);
    assert!(confirm(&plain, &mut process));
    process.wait().expect("its end");
    let trace = fs::read_to_string(log).expect("the trace");
    // From the creation of the guardian on: before, nothing is changed.
    let calls = calls(&trace);
    let fork = calls.iter().rposition(|(name, _)| matches!(name.as_str(), "clone" | "fork"));
    let calls = &calls[fork.expect("a fork")..];
    let (mut confirmed, mut restored) = (0, 0);
    for call in calls {
        let host = host();
        let old = ruleset(&host);
        let mut process = traced(&host, &files, &["-o", "/dev/null", "-e", &kill_at(call)]);
        let is_confirmed = confirm(&host, &mut process);
        process.wait().expect("its end");
        check(&host, &old, is_confirmed, &format!("{call:?}"));
        *(if is_confirmed { &mut confirmed } else { &mut restored }) += 1;
    }
    println!("{} calls: {confirmed} confirmed, {restored} restored", calls.len());
    assert!(confirmed > 0 && restored > 0);
}

#[test]
fn a_rollback_before_the_policy_is_applied() {
    let files = TempDir::new().expect("a directory");
    let host = host();
    let old = ruleset(&host);
    for delay in ["1ms", "20ms", "100ms", "300ms"] {
        let slow = format!("inject=sendto:delay_enter={delay}");
        let mut process = traced(&host, &files, &["-o", "/dev/null", "-e", &slow]);
        wait_for("the trial", || is_pending(&host).then_some(()));
        answer(&host, "rollback").succeeded();
        assert_eq!(process.wait().expect("its end").code(), Some(1));
        is_over(&host);
        assert_eq!(ruleset(&host), old, "{delay}");
    }
}

#[test]
fn the_guardian() {
    let files = TempDir::new().expect("a directory");
    for command in ["confirm", "rollback"] {
        let mut cases = vec![None];
        let mut position = 0;
        while position < cases.len() {
            let traced = guardian_killed(&files, command, cases[position].as_ref());
            if position == 0 {
                cases.extend(traced.into_iter().map(Some));
            }
            position += 1;
        }
        println!("{command}: {} calls", cases.len() - 1);
        assert!(cases.len() > 3);
    }
}

/// Attaches strace to the guardian of a trial that is then confirmed or rolled back, and kills it at a
/// call. Without a call, returns those that it makes.
fn guardian_killed(files: &TempDir, command: &str, call: Option<&Call>) -> Vec<Call> {
    let host = host();
    let old = ruleset(&host);
    let mut trial = Trial::start(&host, &new(), Input::Nothing, &["--confirm", DURATION]);
    let id = trial.guardian().to_string();
    let log = files.path().join("trace");
    let _ = fs::remove_file(&log);
    let inject = call.map(kill_at).map(|inject| vec!["-e".to_owned(), inject]);
    let mut strace = Command::new("strace")
        .args(["-p", &id, "-o"])
        .arg(&log)
        .args(inject.unwrap_or_default())
        .stderr(fs::File::create(files.path().join("strace")).expect("a file"))
        .spawn()
        .expect("strace");
    wait_for("strace", || {
        let text = fs::read_to_string(files.path().join("strace")).expect("its output");
        text.contains("attached").then_some(())
    });
    let output = answer(&host, command);
    trial.ended();
    strace.wait().expect("its end");
    let is_confirmed = command == "confirm" && output.status.success();
    is_over(&host);
    let state = ruleset(&host);
    if command == "confirm" && !output.status.success() {
        // The guardian may have been killed between telling the one process and the other.
        let is_old = state == old;
        assert!(is_old || state == new_ruleset(), "{call:?}: {output}");
        assert_eq!(trial.ended() == Some(0), !is_old, "{call:?}: {output}");
    } else {
        check(&host, &old, is_confirmed, &format!("{command}: {call:?}"));
    }
    calls(&fs::read_to_string(log).expect("the trace"))
}
