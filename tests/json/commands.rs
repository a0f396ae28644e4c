//! The objects that the commands print, except `watch`.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::SystemTime;

use dwnl::Policy;
use dwnl::state::{Metadata, NewPolicy};

use super::checker::Checker;
use super::explain::explain;
use super::support::{Answer, Namespace, Topology, companion, dwnl, tcp, udp, wait_for};

/// Docker's rules: a published port, and one whose rule of the nftables backend cannot be read.
pub const DOCKER: &str = "
table ip nat {
    chain PREROUTING { type nat hook prerouting priority dstnat; fib daddr type local jump DOCKER; }
    chain DOCKER { iifname != \"docker0\" tcp dport 8080 dnat to 172.17.0.2:80; }
}
table ip docker-bridges {
    chain nat-prerouting-and-output {
        tcp dport 8081 counter dnat to 172.17.0.3:80
        ip daddr 203.0.113.5 tcp dport 8082 counter dnat to 172.17.0.4:80
        jump elsewhere
    }
    chain elsewhere { counter dnat to 172.17.0.5; }
}
";

/// Checks the objects of all commands but `watch`.
pub fn check_all(checker: &mut Checker) {
    policy_commands(checker);
    failures(checker);
    kernel_commands(checker);
    explain(checker);
}

/// A policy with a small group, and with a large one of these addresses if there are any.
pub fn policy(large: impl Iterator<Item = u32>) -> String {
    let large: Vec<String> =
        large.map(|n| Ipv4Addr::from(0x0a00_0000 + 2 * n).to_string()).collect();
    let mut policy = "[[allow]]\nname = \"web\"\nports = [\"8443\"]\nfrom = [\"office\"]\n\
        until = 2099-01-01\n\
        [[allow]]\nname = \"night\"\nports = [\"8443\"]\nfrom = [\"198.51.100.7\"]\n\
        hours = [\"22:00-06:00\"]\n\
        [sources]\noffice = [\"198.51.100.7\", \"2001:db8:10::/64\"]\n"
        .to_owned();
    if !large.is_empty() {
        policy += &format!(
            "large = {large:?}\n\
             [[allow]]\nname = \"cdn\"\nports = [\"443\"]\nfrom = [\"large\"]\n"
        );
    }
    policy
}

/// What dwnl prints in the namespace, with this exit status.
#[track_caller]
pub fn printed(host: &Namespace, args: &[&str], policy: &str, status: i32) -> String {
    let output = dwnl(host, &[args, &["--json"]].concat(), policy);
    assert_eq!(output.status.code(), Some(status), "{output}");
    let mut lines = output.stdout.lines();
    let line = lines.next().expect("a line").to_owned();
    assert_eq!(lines.next(), None, "{line}");
    line
}

fn policy_commands(checker: &mut Checker) {
    let host = Namespace::new();
    let large = policy(0..100);
    checker.expect("check", &printed(&host, &["check", "-f", "-"], &large, 0));
    // An empty group, and no line feed at the end.
    let doubtful = "[sources]\nnobody = []";
    checker.expect("check", &printed(&host, &["check", "-f", "-"], doubtful, 0));
    let invalid = "[[allow]]\nports = [\"0\"]\nfrom = [\"ofice\"]\n[sources]\noffice = []\n";
    for command in ["check", "rules", "plan", "apply"] {
        checker.expect("check", &printed(&host, &[command, "-f", "-"], invalid, 2));
    }
    for family in [None, Some("-4"), Some("-6"), Some("--nft")] {
        let args: Vec<&str> = ["rules", "-f", "-"].into_iter().chain(family).collect();
        checker.expect("rules", &printed(&host, &args, &large, 0));
    }
}

fn failures(checker: &mut Checker) {
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-net_admin", "--inh-caps", "-net_admin"]);
    command.args([env!("CARGO_BIN_EXE_dwnl"), "show", "--json"]).stderr(Stdio::null());
    let output = command.output().expect("setpriv");
    assert_eq!(output.status.code(), Some(1));
    checker.expect("failure", String::from_utf8(output.stdout).expect("UTF-8").trim_end());
}

fn kernel_commands(checker: &mut Checker) {
    let host = Namespace::new();
    checker.expect("show", &printed(&host, &["show"], "", 0));
    let rules = "-A DOCKER-BLOCK -s 192.0.2.7 -p tcp --dport 443 -j DOCKER\n\
                 -A DOCKER-BLOCK -m limit --limit 1/s -j DOCKER\n";
    checker.expect("import", &printed(&host, &["import", "-"], rules, 3));
    host.try_run(&["nft", "-f", "-"], DOCKER).succeeded();
    // Elements are added, then a few and then most of them replaced, and last the set is deleted.
    for policy in [policy(0..100), policy(5..105), policy(200..300), policy(0..0)] {
        for args in [&["plan", "-f", "-"][..], &["plan", "-f", "-", "-v"]] {
            checker.expect("plan", &printed(&host, args, &policy, 0));
        }
        checker.expect("apply", &printed(&host, &["apply", "-f", "-", "-v"], &policy, 0));
        checker.expect("apply", &printed(&host, &["apply", "-f", "-"], &policy, 0));
        host.run(&["iptables", "-t", "nat", "-D", "PREROUTING", "2"]);
        for args in [&["show"][..], &["show", "-v"]] {
            checker.expect("show", &printed(&host, args, "", 0));
        }
    }
    restrictions(checker, &host);
    forwards(checker, &host);
    trials(checker, &host);
    status(checker, &host);
    by_hand(checker, &host);
    refused(checker);
    refusal(checker);
    // Nothing keeps the rules that the policy of the trials differs from.
    checker.expect("doctor", &printed(&host, &["doctor", "-f", "-"], &policy(0..0), 3));
    checker.expect("remove", &printed(&host, &["remove", "-v"], "", 0));
    checker.expect("remove", &printed(&host, &["remove"], "", 0));
}

/// A trial that is rolled back, and one that is confirmed.
fn trials(checker: &mut Checker, host: &Namespace) {
    let directory = tempfile::TempDir::new().expect("a directory");
    let file = directory.path().join("policy.toml");
    fs::write(&file, policy(300..400)).expect("to write");
    // A rule that cannot be restored.
    host.run(&["iptables", "-t", "nat", "-A", "DOCKER-BLOCK", "-p", "icmp", "-j", "LOG"]);
    for command in ["rollback", "confirm"] {
        let mut trial = companion(&host.path())
            .args([env!("CARGO_BIN_EXE_dwnl"), "apply", "--json", "--confirm", "10m", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dwnl");
        let printed = wait_for("the trial", || {
            let output = dwnl(host, &[command, "--json"], "");
            // A trial that is rolled back early has not applied anything yet.
            output.status.success().then_some(output.stdout)
        });
        checker.expect("confirm", printed.trim_end());
        let mut text = String::new();
        trial.stdout.take().expect("its output").read_to_string(&mut text).expect("UTF-8");
        let section = if command == "confirm" { "apply" } else { "failure" };
        checker.expect(section, text.trim_end());
        trial.wait().expect("its end");
    }
}

/// Without a policy, with a policy file, and with two stored policies.
fn status(checker: &mut Checker, host: &Namespace) {
    let directory = tempfile::TempDir::new().expect("a directory");
    let file = directory.path().join("policy.toml").to_string_lossy().into_owned();
    let state = directory.path().to_string_lossy().into_owned();
    let options = ["-f", &file, "--state-dir", &state];
    let run = |command| printed(host, &[&[command], &options[..]].concat(), "", 0);
    checker.expect("status", &run("status"));
    for policy in [policy(0..100), policy(0..0)] {
        fs::write(&file, policy).expect("to write");
        checker.expect("status", &run("status"));
        checker.expect("apply", &run("apply"));
        checker.expect("status", &run("status"));
    }
    // Who has logged in is not known everywhere.
    let metadata = Metadata::new(Path::new(&file), "apply", SystemTime::now(), 0);
    let empty = Policy::default();
    let stored = NewPolicy::new(&empty, metadata.with_login_uid(Some(1000)));
    let stored = stored.to_bytes().expect("a small policy");
    fs::write(directory.path().join("policy.applied"), stored).expect("to write");
    checker.expect("status", &run("status"));
    let host = Namespace::new();
    let docker = DOCKER.split_once("table ip docker-bridges").expect("a second table").0;
    host.try_run(&["nft", "-f", "-"], docker).succeeded();
    let entries = "[[deny]]\nports = ['80']\nfrom = ['192.0.2.66']\nexcept = ['192.0.2.67']\nto = \
                   ['192.0.2.1']\nin-interface = 'eth0'\n[[deny]]\nname = 'b'\n\
                   from = ['192.0.2.68']\n[[allow]]\nports = ['8080']\n[[allow]]\nname = 'a'\nports = ['80', '8080']\n\
        from = ['192.0.2.7']\nin-interface = 'eth0'\nto = ['192.0.2.1']\nlimit = '9/minute'\nconnections = 3\n";
    fs::write(&file, entries).expect("to write");
    checker.expect("status", &printed(&host, &["status", "-f", &file], "", 0));
}

/// A client that is refused, and one whose packets are followed.
fn refused(checker: &mut Checker) {
    let Topology { host, client } = Topology::new();
    checker.expect("refused", &printed(&host, &["refused"], "", 0));
    dwnl(&host, &["apply", "-f", "-"], &policy(0..0)).succeeded();
    host.run(&["nft", "add rule inet dwnl input udp dport 8080 counter goto proxied"]);
    let send = || udp(&client, Topology::REFUSED, Topology::HOST, 8080);
    assert_eq!(send(), Answer::TimedOut);
    checker.expect("refused", &printed(&host, &["refused"], "", 0));
    let mut follower = companion(&host.path())
        .args([env!("CARGO_BIN_EXE_dwnl"), "refused", "--follow", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("dwnl");
    let output = BufReader::new(follower.stdout.take().expect("its output"));
    let line = thread::spawn(|| output.lines().next().expect("a line").expect("UTF-8"));
    // It prints what is refused once it has read the sets for the first time.
    while !line.is_finished() {
        send();
    }
    checker.expect("refusal", &line.join().expect("a line"));
    follower.kill().expect("to end it");
    follower.wait().expect("its end");
}

/// A packet that the guard refused.
fn refusal(checker: &mut Checker) {
    let Topology { host, client } = Topology::new();
    host.run(&["ip", "link", "add", "docker0", "type", "bridge"]);
    host.run(&["ip", "address", "add", "172.17.0.1/16", "dev", "docker0"]);
    host.run(&["ip", "link", "set", "docker0", "up"]);
    host.run(&["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
    host.try_run(&["nft", "-f", "-"], DOCKER).succeeded();
    let directory = tempfile::TempDir::new().expect("a directory");
    let file = directory.path().join("policy.toml").to_string_lossy().into_owned();
    fs::write(&file, policy(0..0)).expect("to write");
    dwnl(&host, &["apply", "-f", &file], "").succeeded();
    let answer = tcp(&client, Topology::REFUSED, Topology::HOST, 8080);
    assert_eq!(answer, Answer::TimedOut);
    checker.expect("status", &printed(&host, &["status", "-f", &file], "", 0));
}

/// An entry that is restricted to an interface and a destination.
fn restrictions(checker: &mut Checker, host: &Namespace) {
    let open = policy(0..0).replace("\"2001:db8:10::/64\"", "\"198.51.100.9\"");
    let entry = "from = [\"office\"]\n";
    let restricted =
        open.replace(entry, &format!("{entry}in-interface = \"eth0\"\nto = [\"192.0.2.1\"]\n"));
    for policy in [&restricted, &open, &restricted] {
        checker.expect("apply", &printed(host, &["apply", "-f", "-"], policy, 0));
    }
}

/// A port forward of another program.
fn forwards(checker: &mut Checker, host: &Namespace) {
    let directory = tempfile::TempDir::new().expect("a directory");
    let file = directory.path().join("policy.toml");
    fs::write(&file, policy(0..100)).expect("to write");
    let file = file.to_string_lossy();
    host.run(&["nft", "add rule ip nat PREROUTING udp dport 9000 redirect to :9001"]);
    for (section, args) in [
        ("plan", &["plan", "-f", &file][..]),
        ("apply", &["apply", "-f", &file]),
        ("show", &["show"]),
    ] {
        checker.expect(section, &printed(host, args, "", 0));
    }
}

fn by_hand(checker: &mut Checker, host: &Namespace) {
    let state = tempfile::TempDir::new().expect("a directory");
    let state = ["--state-dir", state.path().to_str().expect("UTF-8")];
    let run = |args: &[&str], input: &str| printed(host, &[args, &state].concat(), input, 0);
    checker.expect("grants", &run(&["grants"], ""));
    let note = ["--for", "1h", "--note", "a note", "--persist"];
    let ban = [&["deny", "192.0.2.2", "--cut"], &note[..]].concat();
    checker.expect("allow", &run(&ban, ""));
    let grant = [&["allow", "192.0.2.0/24", "443"], &note[..]].concat();
    checker.expect("allow", &run(&grant, ""));
    checker.expect("allow", &run(&["deny", "-"], "203.0.113.7 443\n"));
    checker.expect("grants", &run(&["grants"], ""));
    checker.expect("plan", &printed(host, &["plan", "-f", "-"], &policy(0..0), 0));
    checker.expect("apply", &printed(host, &["apply", "-f", "-"], &policy(0..0), 0));
    checker.expect("status", &printed(host, &["status", "-f", "-"], &policy(0..0), 0));
    checker.expect("revoke", &run(&["revoke", "192.0.2.2"], ""));
    checker.expect("revoke", &run(&["revoke", "--all"], ""));
}
