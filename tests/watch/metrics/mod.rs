//! The metrics, in a file and over HTTP.

mod http;
mod prometheus;
mod queries;

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::UNIX_EPOCH;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::support::{Answer, Files, Topology, Watch, dwnl, http_unix, tcp, tcp_echo, wait_for};
use super::{host, policy, wait_until_in_force};

/// The text that the socket serves.
fn answer(socket: &Path) -> String {
    let answer = http_unix(socket, "/metrics");
    assert_eq!(answer.status, 200, "{}", answer.head);
    answer.body
}

/// The value of a metric, named with its labels.
#[track_caller]
pub fn value(socket: &Path, name: &str) -> f64 {
    value_in(&answer(socket), name)
}

#[track_caller]
fn value_in(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
}

#[test]
fn the_socket_serves_current_metrics() {
    let (host, policy) = (host(), policy());
    let (watch, socket) = Watch::start_with_socket(&host, &policy);
    assert_eq!(value(&socket, "dwnl_reloads_total"), 1.0);
    assert_eq!(value(&socket, "dwnl_policy_current"), 1.0);
    assert_eq!(value(&socket, "dwnl_repairs_total"), 0.0);
    assert_eq!(value(&socket, "dwnl_last_repair_timestamp_seconds"), 0.0);
    host.run(&["nft", "flush", "ruleset"]);
    wait_until_in_force(&host, &policy, "the repair");
    assert_eq!(value(&socket, "dwnl_repairs_total"), 1.0);
    assert!(value(&socket, "dwnl_checks_total") >= 1.0);
    assert!(value(&socket, "dwnl_last_repair_duration_seconds") > 0.0);
    let at = value(&socket, "dwnl_last_repair_timestamp_seconds");
    let now = UNIX_EPOCH.elapsed().expect("a time").as_secs_f64();
    assert!((now - 60.0..=now).contains(&at), "{at}");

    fs::write(watch.files().policy(), "x\n").expect("to write");
    watch.logged("policy has 1 error");
    assert_eq!(value(&socket, "dwnl_reload_failures_total"), 1.0);
    assert_eq!(value(&socket, "dwnl_policy_current"), 0.0);
    assert_eq!(value(&socket, "dwnl_policy_file{state=\"invalid\"}"), 1.0);
}

/// A rule that another program removes is drift. A port that Docker publishes is not.
#[test]
fn drift_and_docker_are_told_apart() {
    let (host, policy) = (host(), policy());
    let (_watch, socket) = Watch::start_with_socket(&host, &policy);
    let value = |name: &str| value(&socket, name);
    assert_eq!(value("dwnl_uncovered_ports"), 0.0);
    let rule =
        "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 9 -j DNAT --to-destination 172.17.0.2:80";
    let words = ["iptables", "-t", "nat"].into_iter().chain(rule.split(' '));
    host.run(&words.collect::<Vec<_>>());
    wait_until_in_force(&host, &policy, "the repair");
    wait_for("the port", || (value("dwnl_uncovered_ports") == 1.0).then_some(()));
    assert_eq!([value("dwnl_repairs_total"), value("dwnl_drift_repairs_total")], [1.0, 0.0]);
    host.run(&["nft", "delete", "table", "inet", "dwnl"]);
    wait_until_in_force(&host, &policy, "the repair");
    wait_for("the repair", || (value("dwnl_drift_repairs_total") == 1.0).then_some(()));
    assert_eq!(value("dwnl_flapping"), 0.0);
}

#[test]
fn a_changed_policy_is_visible_until_it_is_applied() {
    let (host, policy) = (host(), policy());
    let files = Files::new(&policy);
    let socket = files.path("metrics");
    let watch = Watch::start_with(
        &host,
        files,
        &["--manual", "--metrics-socket", &socket.to_string_lossy()],
    );
    let state = |state: &str| value(&socket, &format!("dwnl_policy_file{{state=\"{state}\"}}"));
    assert_eq!([state("current"), state("changed")], [1.0, 0.0]);
    assert_eq!(value(&socket, "dwnl_policy_entries"), 1.0);
    fs::write(watch.files().policy(), "").expect("to write");
    watch.logged("has changed");
    assert_eq!([state("current"), state("changed")], [0.0, 1.0]);
    watch.signal(Signal::SIGHUP);
    watch.logged("policy reloaded");
    assert_eq!([state("current"), state("changed")], [1.0, 0.0]);
    assert_eq!(value(&socket, "dwnl_policy_entries"), 0.0);
}

/// Two hosts with policies that say the same in other words, one of which then changes.
#[test]
fn hosts_with_the_same_policy_have_the_same_digest() {
    const SAME: &str =
        "# a comment\n[[allow]]\nports = [\"2\", \"1/tcp\"]\nfrom = [\"10.0.0.0/8\"]\n";
    const WORDS: &str =
        "[[allow]]\nports = [\"1\", \"2\"]\nfrom = [\"10.0.0.0/9\", \"10.128.0.0/9\"]\n";
    let digests = |socket: &Path| -> Vec<String> {
        let text = answer(socket);
        let line = text.lines().find(|line| line.starts_with("dwnl_policy_info{"));
        let digests = line.expect("the digests").split('"').skip(1).step_by(2);
        digests.map(str::to_owned).collect()
    };
    let (first, second) = (host(), host());
    let (watch, one) = Watch::start_with_socket(&first, SAME);
    let (_other, two) = Watch::start_with_socket(&second, WORDS);
    let (before, same) = (digests(&one), digests(&two));
    assert!(before[0] == same[0] && before[1] != same[1], "{before:?}, {same:?}");
    let file = watch.files().policy().to_string_lossy().into_owned();
    let status = dwnl(&first, &["status", "--json", "-f", &file], "").succeeded();
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["policy_digest"], *before[0]);
    assert_eq!(status["file"]["policy_digest"], *before[0]);
    assert_eq!(status["file"]["source_digest"], *before[1]);
    fs::write(&file, SAME.replace("/8", "/7")).expect("to write");
    watch.logged("policy reloaded");
    let after = digests(&one);
    assert!(after[0] != before[0] && after[1] != before[1], "{after:?}");
    fs::write(&file, "x\n").expect("to write");
    watch.logged("policy has 1 error");
    assert_eq!(digests(&one), after);
}

#[test]
fn the_file_is_written_after_each_event() {
    let (host, policy) = (host(), policy());
    let files = Files::new(&policy);
    let file = files.path("dwnl.prom");
    let options = ["--metrics-file", &file.to_string_lossy()];
    let _watch = Watch::start_with(&host, files, &options);
    for repairs in 0..3 {
        let written = || {
            let text = fs::read_to_string(&file).ok()?;
            (value_in(&text, "dwnl_repairs_total") == f64::from(repairs)).then_some(())
        };
        wait_for("the file", written);
        host.run(&["nft", "delete", "table", "inet", "dwnl"]);
        wait_until_in_force(&host, &policy, "the repair");
    }
}

/// A listener on the host, reached over IPv6, takes the role of docker-proxy.
#[test]
fn refused_and_admitted_packets_are_counted() {
    let Topology { host, client } = Topology::new();
    host.run(&["iptables", "-t", "nat", "-N", "DOCKER"]);
    let rule =
        "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.1.1.2:80";
    let words = ["iptables", "-t", "nat"].into_iter().chain(rule.split(' '));
    host.run(&words.collect::<Vec<_>>());
    let _proxy = tcp_echo(&host, 8080);
    let connect = || tcp(&client, Topology::REFUSED6, Topology::HOST6, 8080);
    assert_eq!(connect(), Answer::Answered);

    let (_watch, socket) = Watch::start_with_socket(&host, &policy());
    let name = "dwnl_guard_dropped_packets_total{path=\"docker-proxy\"}";
    assert_eq!(value(&socket, name), 0.0);
    assert_eq!(connect(), Answer::TimedOut);
    assert!(value(&socket, name) >= 1.0);
    assert!(value(&socket, &name.replace("packets", "bytes")) >= 40.0);

    let labels = "path=\"docker-proxy\",protocol=\"tcp\",port=\"8080\"";
    let refused = || value(&socket, &format!("dwnl_refused_packets_total{{{labels}}}"));
    let before = refused();
    assert!(before >= 1.0);
    assert_eq!(connect(), Answer::TimedOut);
    assert!(refused() > before);
    assert_eq!(value(&socket, "dwnl_refused_sources"), 1.0);
    assert_eq!(value(&socket, "dwnl_refused_set_entries{set=\"refused-proxy-ip6\"}"), 1.0);
    assert_eq!(value(&socket, "dwnl_refusals_recorded"), 1.0);

    let name = "dwnl_entry_admitted_packets_total{entry=\"web\"}";
    assert_eq!(value(&socket, name), 0.0);
    assert_eq!(tcp(&client, Topology::ALLOWED6, Topology::HOST6, 8080), Answer::Answered);
    assert!(value(&socket, name) >= 1.0);
}

/// As after a flood of forged sources. It is no drift either.
#[test]
fn full_sets_of_refusals_are_counted() {
    let (host, policy) = (host(), policy());
    let (_watch, socket) = Watch::start_with_socket(&host, &policy);
    let set = "refused-published-ip";
    let capacity = value(&socket, &format!("dwnl_refused_set_capacity{{set=\"{set}\"}}"));
    let sources = (0..capacity as u32).map(|n| Ipv4Addr::from(0x0a00_0000 + n));
    let elements: Vec<String> =
        sources.map(|it| format!("{it} . tcp . 8080 counter timeout 1d")).collect();
    let script = format!("add element inet dwnl {set} {{ {} }}", elements.join(", "));
    host.try_run(&["nft", "-f", "-"], &script).succeeded();
    let entries = || value(&socket, &format!("dwnl_refused_set_entries{{set=\"{set}\"}}"));
    wait_for("the entries", || (entries() == capacity).then_some(()));
    assert_eq!(value(&socket, "dwnl_refused_sources"), capacity);
    host.run(&["nft", "delete", "chain", "inet", "dwnl", "marked"]);
    wait_until_in_force(&host, &policy, "the repair");
    assert_eq!([entries(), value(&socket, "dwnl_repairs_total")], [capacity, 1.0]);
}

/// Names that another user may have created in the directory, before the file and its replacement.
#[test]
fn the_file_is_never_written_through_a_link_or_a_fifo() {
    let (host, policy) = (host(), policy());
    let files = Files::new(&policy);
    let precious = files.path("precious");
    fs::write(&precious, "precious").expect("a file");
    let file = files.path("dwnl.prom");
    symlink(&precious, &file).expect("a link");
    symlink(&precious, files.path("dwnl.prom.new")).expect("a link");
    let options = ["--metrics-file", &file.to_string_lossy()];
    let watch = Watch::start_with(&host, files, &options);
    let is_written = || fs::symlink_metadata(&file).is_ok_and(|found| found.is_file());
    wait_for("the file", || is_written().then_some(()));
    assert_eq!(fs::read_to_string(&precious).expect("the file"), "precious");
    let mode = fs::metadata(&file).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o644);

    fs::remove_file(&file).expect("to remove it");
    mkfifo(&file, Mode::S_IRWXU).expect("a FIFO");
    host.run(&["nft", "delete", "table", "inet", "dwnl"]);
    wait_for("the file in place of the FIFO", || is_written().then_some(()));
    let names = fs::read_dir(file.parent().expect("a directory")).expect("its files");
    let names = names.map(|entry| entry.expect("a file").file_name().into_string().expect("UTF-8"));
    assert!(names.into_iter().all(|name| !name.starts_with(".dwnl-")), "a file is left behind");
    drop(watch);
}
