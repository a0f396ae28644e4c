//! What a service manager sees: notifications, signals, exit status, privileges.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;

use super::support::{Files, Watch, wait_if};
use super::{host, is_in_force, policy, wait_until_in_force};

/// A policy with a list that takes a while to load.
fn long() -> (Files, String) {
    let many: Vec<String> = (0..20_000)
        .map(|n| format!("10.{}.{}.{}", n / 32_768, n / 128 % 256, n % 128 * 2))
        .collect();
    let policy = |sources: &str| {
        format!("[sources]\nmany = {sources}\n[[allow]]\nports = [\"1\"]\nfrom = [\"many\"]\n")
    };
    let files = Files::new(&policy("{ file = \"list.txt\" }"));
    fs::write(files.etc("list.txt"), many.join("\n")).expect("to write");
    (files, policy(&format!("{many:?}")))
}

#[test]
fn ready_is_sent_once_the_rules_are_in_place() {
    let host = host();
    let (files, policy) = long();
    let watch = files.launch(&host, &[], &[]);
    let text = watch.notified("READY=1");
    assert!(is_in_force(&host, &policy));
    assert!(text.contains("\nSTATUS=the policy is in force; 0 repairs\n"), "{text}");
    host.run(&["nft", "flush", "ruleset"]);
    watch.notified("STATUS=the policy is in force; 1 repair");
    assert!(is_in_force(&host, &policy));
}

#[test]
fn a_reload_is_announced_and_its_result_is_reported() {
    let (host, policy) = (host(), policy());
    let watch = Watch::start(&host, &policy);
    for broken in [false, true] {
        let text = if broken { "[[allow]]\n" } else { "" };
        fs::write(watch.files().policy(), text).expect("to write");
        watch.signal(Signal::SIGHUP);
        let text = watch.notified("RELOADING=1");
        let time = text.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        assert!(time.and_then(|time| time.parse::<u64>().ok()).is_some(), "{text}");
        let text = watch.notified("READY=1");
        assert_eq!(text.contains("running on the last valid policy"), broken, "{text}");
    }
    assert!(is_in_force(&host, ""));
}

#[test]
fn a_signal_stops_it_and_keeps_the_rules() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (host, policy) = (host(), policy());
        let mut watch = Watch::start(&host, &policy);
        let before = host.run(&["nft", "list", "ruleset"]);
        watch.signal(signal);
        watch.notified("STOPPING=1");
        assert_eq!(watch.ended().code(), Some(0), "{}", watch.log());
        assert_eq!(host.run(&["nft", "list", "ruleset"]), before);
        assert!(watch.log().ends_with("stopped; the rules stay in place\n"), "{}", watch.log());
    }
}

#[test]
fn the_watchdog_is_notified() {
    let host = host();
    let files = Files::new(&policy());
    let watch = files.launch(&host, &[], &[("WATCHDOG_USEC", "400000")]);
    watch.notified("READY=1");
    for _ in 0..3 {
        watch.notified("WATCHDOG=1");
    }
}

/// The test reads no notifications, so that the manager's socket fills up.
#[test]
fn an_unresponsive_service_manager_does_not_block_the_watch() {
    let (host, policy) = (host(), policy());
    let watch = Watch::start(&host, &policy);
    for times in 1..=20 {
        host.run(&["nft", "delete", "table", "inet", "dwnl"]);
        wait_until_in_force(&host, &policy, &format!("repair {times}"));
    }
    let warning = "warning: cannot notify systemd: Resource temporarily unavailable";
    assert_eq!(watch.log().matches(warning).count(), 1, "{}", watch.log());
}

#[test]
fn a_restarted_service_manager_is_notified_again() {
    let (host, policy) = (host(), policy());
    let mut watch = Watch::start(&host, &policy);
    watch.restart_manager();
    host.run(&["nft", "delete", "table", "inet", "dwnl"]);
    watch.notified("STATUS=the policy is in force; 1 repair");
}

#[test]
fn an_unread_log_does_not_block_the_watch() {
    let (host, policy) = (host(), policy());
    let files = Files::new(&policy);
    let mut log = pipe(&files.path("log"));
    let watch = files.launch(&host, &["--verbose"], &[]);
    watch.notified("READY=1");
    let mut read = || {
        let mut text = Vec::new();
        // An empty pipe returns EAGAIN, which ends the read.
        let _ = log.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    };
    for times in 1..=10 {
        host.run(&["nft", "delete", "table", "inet", "dwnl"]);
        wait_until_in_force(&host, &policy, &format!("repair {times}"));
    }
    let first = read();
    assert!(first.starts_with("20") && first.contains("Z watching /"), "{first}");
    let mut text = first;
    let is_reported = || {
        text += &read();
        text.contains(": the reader did not keep up\n").then_some(())
    };
    wait_if(is_reported).expect("the dropped messages to be reported");
    host.run(&["nft", "delete", "table", "inet", "dwnl"]);
    let mut text = String::new();
    let is_reported = || {
        text += &read();
        text.contains("repaired inet dwnl").then_some(())
    };
    wait_if(is_reported).expect("later events to be logged");
}

/// Creates a named pipe with a small buffer, and returns its reading end.
fn pipe(path: &Path) -> File {
    mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a named pipe");
    let reader = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let reader = reader.expect("to open it");
    fcntl(&reader, FcntlArg::F_SETPIPE_SZ(4096)).expect("to make it small");
    reader
}

#[test]
fn a_watch_keeps_one_capability_and_one_thread() {
    const NET_ADMIN: &str = "0000000000001000";
    let host = host();
    let files = Files::new(&policy());
    let path = host.path();
    let watch = Watch::start_with(&host, files, &["--netns", &path]);
    for (field, value) in [
        ("CapEff", NET_ADMIN),
        ("CapPrm", NET_ADMIN),
        ("CapInh", "0000000000000000"),
        ("CapBnd", NET_ADMIN),
        ("NoNewPrivs", "1"),
        ("Threads", "1"),
    ] {
        assert_eq!(watch.status(field), value, "{field}");
    }
}

#[test]
fn journal_lines_have_levels() {
    let (host, policy) = (host(), policy());
    let files = Files::new(&policy);
    fs::write(files.path("log"), "").expect("a log");
    let log = fs::metadata(files.path("log")).expect("the log");
    let stream = format!("{}:{}", log.dev(), log.ino());
    let mut watch = files.launch(&host, &["-v"], &[("JOURNAL_STREAM", &stream)]);
    watch.notified("READY=1");
    watch.logged("<6>watching /");
    watch.logged("<6>  applied: ");
    host.run(&["iptables", "-t", "nat", "-D", "PREROUTING", "1"]);
    watch.logged("<5>repaired ip nat PREROUTING: ");
    watch.logged("<5>  + -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-BLOCK");
    host.run(&["iptables", "-t", "nat", "-A", "POSTROUTING", "-j", "RETURN"]);
    watch.logged("<7>no drift found ");
    fs::write(watch.files().policy(), "x").expect("to write");
    watch.logged("<4>warning: policy has 1 error; keeping the last valid policy\n<4>  ");
    watch.signal(Signal::SIGTERM);
    watch.ended();
    assert!(watch.log().lines().all(|line| line.starts_with('<')), "{}", watch.log());

    let files = Files::new("x");
    fs::write(files.path("log"), "").expect("a log");
    let log = fs::metadata(files.path("log")).expect("the log");
    let stream = format!("{}:{}", log.dev(), log.ino());
    let mut watch = files.launch(&host, &[], &[("JOURNAL_STREAM", &stream)]);
    watch.ended();
    assert!(watch.log().lines().all(|line| line.starts_with("<3>")), "{}", watch.log());
}

/// Outside the journal, the line of an event starts with its time, and details are indented.
#[test]
fn every_event_is_a_line_with_a_time_and_details_below_it() {
    let (host, policy) = (host(), policy());
    let watch = Watch::start_with(&host, Files::new(&policy), &["-v"]);
    host.run(&["nft", "delete", "table", "inet", "dwnl"]);
    watch.logged("repaired inet dwnl");
    fs::write(watch.files().policy(), "[[allow]]\nports = [\"0\"]\nfrom = [1]\n")
        .expect("to write");
    watch.logged("policy has 2 errors");
    fs::write(watch.files().policy(), "").expect("to write");
    watch.logged("policy reloaded (errors fixed)");
    let log = watch.log();
    let is_event = |line: &str| line.starts_with("20") && line.get(19..21) == Some("Z ");
    assert!(log.lines().all(|line| is_event(line) || line.starts_with("  ")), "{log}");
    for detail in ["  applied: ", "  + tcp dport 8080 ", "  3 | from = [1]"] {
        assert!(log.lines().any(|line| line.starts_with(detail)), "{detail}\n{log}");
    }
}

#[test]
fn quiet_logs_only_warnings() {
    let (host, policy) = (host(), policy());
    let watch = Watch::start_with(&host, Files::new(&policy), &["-q"]);
    host.run(&["nft", "flush", "ruleset"]);
    wait_until_in_force(&host, &policy, "the repair");
    fs::write(watch.files().policy(), "x").expect("to write");
    watch.logged("policy has 1 error");
    assert!(
        !watch.log().contains("watching") && !watch.log().contains("repaired"),
        "{}",
        watch.log()
    );
}

#[test]
fn json_output_has_one_line_per_event() {
    let (host, policy) = (host(), policy());
    let mut watch = Watch::start_with(&host, Files::new(&policy), &["--json"]);
    host.run(&["nft", "delete", "table", "inet", "dwnl"]);
    watch.notified("STATUS=the policy is in force; 1 repair");
    fs::write(watch.files().policy(), "x").expect("to write");
    watch.logged("policy has 1 error");
    watch.signal(Signal::SIGHUP);
    watch.logged_times("policy has 1 error", 2);
    fs::write(watch.files().policy(), "").expect("to write");
    watch.notified("STATUS=the policy is in force; 1 repair");
    watch.signal(Signal::SIGTERM);
    watch.ended();
    let events = fs::read_to_string(watch.files().path("events")).expect("the events");
    let events = events.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let events: Vec<Value> = events.collect();
    // After the first event the log warns once of what the host lacks for the guard.
    let events: Vec<Value> = events.into_iter().filter(|it| it["event"] != "warning").collect();
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    let expected = ["start", "repair", "policy_errors", "policy_errors", "reload", "stop"];
    assert_eq!(names, expected, "{events:#?}");
    assert!(events.iter().all(|it| it["schema"] == 1 && it["time"].is_string()), "{events:#?}");
    let repair = &events[1];
    assert_eq!(repair["commits"][0]["process"], "nft", "{repair}");
    assert!(repair["commits"][0]["pid"].as_u64().is_some(), "{repair}");
    assert!(repair["rules_added"].as_u64() > Some(10), "{repair}");
    assert_eq!(events[2]["errors"][0]["line"], 1);
    assert!(!watch.log().contains("repaired"), "{}", watch.log());
}
