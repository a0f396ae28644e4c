//! The command-line interface: arguments, streams and exit status.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const POLICY: &str = "\
[sources]
office = [\"198.51.100.7\", \"2001:db8:10::/64\"]

[[allow]]
name = \"web\"
ports = [\"443\"]
from = [\"office\"]

[[allow]]
ports = [\"80\"]
";
const BROKEN: &str = "[[allow]]\nports = [\"0/tcp\"]\nfrom = [\"10.0.0.1/8\"]\n";

fn dwnl(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dwnl"));
    command.args(arguments.split_whitespace()).env_remove("NO_COLOR");
    command
}

fn run(arguments: &str, input: &str) -> Output {
    feed(dwnl(arguments), input)
}

/// Runs a command to its end with `input` as its standard input.
fn feed(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    // A program that does not read its input may have ended before it is written.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("the program's output")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

/// Asserts the exit status, and shows what was printed if it is another.
#[track_caller]
fn expect_status(output: &Output, status: i32) {
    assert_eq!(output.status.code(), Some(status), "{}{}", stdout(output), stderr(output));
}

fn json(output: &Output) -> Value {
    serde_json::from_str(stdout(output)).expect("JSON on standard output")
}

#[test]
fn help_and_version_go_to_standard_output() {
    let version = run("--version", "");
    expect_status(&version, 0);
    assert_eq!(stdout(&version), concat!("dwnl ", env!("CARGO_PKG_VERSION"), "\n"));
    let help = run("--help", "");
    expect_status(&help, 0);
    for name in ["check", "rules", "plan", "apply", "watch", "doctor", "show", "remove"] {
        let line = format!("\n  {name} ");
        assert!(stdout(&help).contains(&line), "{name} is missing in\n{}", stdout(&help));
        expect_status(&run(&format!("{name} --help"), ""), 0);
    }
}

#[test]
fn an_invalid_command_line_exits_with_2() {
    for line in [
        "",
        "frobnicate",
        "check --frobnicate",
        "check surplus",
        "check -f",
        "show -f policy.toml",
        "-f policy.toml remove",
        "check --netns /proc/self/ns/net",
        "--netns /proc/self/ns/net rules",
        "rules -4 -6",
        "rules -4 --nft",
        "check -q -v",
        "-q check --json",
        "check --color sometimes",
        "check --exit-code",
        "watch -f -",
        "apply --metrics-file m",
    ] {
        let output = run(line, POLICY);
        expect_status(&output, 2);
        assert_eq!(stdout(&output), "", "dwnl {line}");
        assert_ne!(stderr(&output), "", "dwnl {line}");
    }
}

#[test]
fn check_counts_entries_and_sources() {
    let output = run("check -f -", POLICY);
    expect_status(&output, 0);
    assert_eq!(stdout(&output), "<stdin>: 2 entries, 2 sources, no errors\n");
    assert_eq!(stderr(&output), "");
    assert_eq!(stdout(&run("-q check -f -", POLICY)), "");
    let expected = serde_json::json!({
        "schema": 1, "is_valid": true, "entry_count": 2, "source_count": 2, "errors": [],
        "warnings": [], "unresolved": null
    });
    assert_eq!(json(&run("check -f - --json", POLICY)), expected);
}

#[test]
fn warnings_about_the_policy_are_printed_by_every_command_that_reads_it() {
    let unfinished = POLICY.trim_end();
    let message = "the last line has no line feed, so the file may be incomplete";
    for line in ["check -f -", "rules -f -"] {
        let output = run(line, unfinished);
        expect_status(&output, 0);
        let expected = format!("warning: <stdin>:10:1: {message}\n");
        assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));
    }
    let warnings = &json(&run("check -f - --json", unfinished))["warnings"];
    assert_eq!(warnings[0]["kind"], "unfinished_file");
    assert_eq!(warnings[0]["line"], 10);
    for line in ["plan -f - --json", "apply -f - --json"] {
        let mut command = Command::new("unshare");
        command.args(["-rn", env!("CARGO_BIN_EXE_dwnl")]).args(line.split(' '));
        let output = feed(command, unfinished);
        expect_status(&output, 0);
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
        let first = json(&output)["warnings"][0].as_str().expect("a sentence").to_owned();
        assert!(first.starts_with(&format!("<stdin>:10:1: {message}")), "{first}");
    }
}

#[test]
fn an_invalid_policy_exits_with_2_in_every_command() {
    for name in ["check", "rules", "plan", "apply"] {
        let output = run(&format!("{name} -f -"), BROKEN);
        expect_status(&output, 2);
        assert_eq!(stdout(&output), "", "dwnl {name}");
        for place in ["<stdin>:2:", "<stdin>:3:"] {
            assert!(stderr(&output).contains(place), "dwnl {name}:\n{}", stderr(&output));
        }
        assert!(!stderr(&output).contains('\u{1b}'), "dwnl {name}");

        let output = run(&format!("{name} -f - --json"), BROKEN);
        expect_status(&output, 2);
        let object = json(&output);
        assert_eq!(object["is_valid"], false);
        let lines: Vec<&Value> = object["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .map(|error| &error["line"])
            .collect();
        assert_eq!(lines, [2, 3], "dwnl {name}");
        assert!(stderr(&output).contains("<stdin>:2:"), "dwnl {name}");
    }
}

#[test]
fn an_unreadable_policy_exits_with_2() {
    let output = run("check -f /nonexistent/policy.toml", "");
    expect_status(&output, 2);
    assert!(stderr(&output).contains("/nonexistent/policy.toml"), "{}", stderr(&output));
}

#[test]
fn colour_is_used_on_terminals_or_on_request() {
    let is_coloured = |line, no_color: bool| {
        let mut command = dwnl(line);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let output = feed(command, BROKEN);
        expect_status(&output, 2);
        stderr(&output).contains('\u{1b}')
    };
    assert!(is_coloured("check -f - --color always", false));
    assert!(is_coloured("--color always check -f -", true));
    assert!(!is_coloured("check -f -", false));
    assert!(!is_coloured("check -f - --color never", false));
}

#[test]
fn a_broken_pipe_ends_quietly() {
    let mut command = dwnl("rules -f -");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("dwnl starts");
    drop(child.stdout.take());
    child.stdin.take().expect("a pipe").write_all(POLICY.as_bytes()).expect("the policy is read");
    let output = child.wait_with_output().expect("the program's output");
    expect_status(&output, 0);
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_full_disk_is_an_error() {
    let mut command = dwnl("rules -f -");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    command.stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped());
    let mut child = command.spawn().expect("dwnl starts");
    child.stdin.take().expect("a pipe").write_all(POLICY.as_bytes()).expect("the policy is read");
    let output = child.wait_with_output().expect("the program's output");
    expect_status(&output, 1);
    assert!(stderr(&output).starts_with("error: cannot write to standard output: "));
}

#[test]
fn rules_of_one_family_have_no_family_flags() {
    let both = run("rules -f -", POLICY);
    expect_status(&both, 0);
    assert!(stdout(&both).contains("-A DOCKER-BLOCK -4 -s 198.51.100.7/32 "), "{}", stdout(&both));
    assert!(stdout(&both).contains("-A DOCKER-BLOCK -6 -s 2001:db8:10::/64 "), "{}", stdout(&both));
    let ip6 = run("rules -6 -f -", POLICY);
    assert!(stdout(&ip6).contains("-A DOCKER-BLOCK -s 2001:db8:10::/64 "), "{}", stdout(&ip6));
    assert!(!stdout(&ip6).contains("198.51.100.7"), "{}", stdout(&ip6));
    let rules = json(&run("rules -6 -f - --json", POLICY));
    let rules = rules["rules"].as_array().expect("an array");
    assert!(!rules.is_empty() && rules.iter().all(|rule| rule["family"] == "ip6"), "{rules:?}");
}

/// The rules that `iptables-restore` loads from a text, in a network namespace of its own.
fn restored(iptables: &str, text: &str) -> Vec<String> {
    let script = format!("{iptables}-restore --noflush && {iptables}-save -t nat");
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", &script]);
    let output = feed(command, text);
    expect_status(&output, 0);
    let is_rule = |line: &&str| line.starts_with("-A");
    stdout(&output).lines().filter(is_rule).map(str::to_owned).collect()
}

#[test]
fn one_text_serves_iptables_and_ip6tables() {
    let both = run("rules -f -", POLICY);
    for (iptables, flag, source) in
        [("iptables", "-4", "198.51.100.7/32"), ("ip6tables", "-6", "2001:db8:10::/64")]
    {
        let rules = restored(iptables, stdout(&both));
        assert!(rules.iter().any(|rule| rule.contains(source)), "{rules:#?}");
        assert_eq!(rules.len(), 8, "{rules:#?}");
        let one = run(&format!("rules {flag} -f -"), POLICY);
        assert_eq!(restored(iptables, stdout(&one)), rules);
    }
}

/// A policy with a group of addresses, a network and a range. The group is large in IPv4 and small
/// in IPv6.
fn large_policy() -> String {
    let hosts: String = (1..=64).map(|host| format!("\"198.51.100.{host}\", ")).collect();
    format!(
        "[guard]
enabled = false
[[allow]]
name = \"web\"
ports = [\"443\", \"8000-8100/udp\"]
from = [{hosts}\"10.1.0.0/16\", \"10.3.0.1-10.3.0.9\", \"2001:db8::1\"]
in-interface = \"eth+\"
to = [\"203.0.113.5\", \"2001:db8:1::5\"]
"
    )
}

/// dwnl's table as `nft` lists it after a script, in a network namespace of its own.
fn listed(script: &str, input: &str) -> String {
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-e", "-c", &format!("{script}\nnft list table inet dwnl")]);
    command.env("DWNL", env!("CARGO_BIN_EXE_dwnl"));
    let output = feed(command, input);
    expect_status(&output, 0);
    // nft lists sets and chains in the order in which they were created.
    let table = stdout(&output).strip_prefix("table inet dwnl {\n");
    let objects = table.and_then(|table| table.strip_suffix("}\n")).expect("the table");
    let mut objects: Vec<&str> = objects.split("\n\n").map(str::trim).collect();
    objects.sort_unstable();
    objects.join("\n")
}

#[test]
fn large_groups_are_printed_for_nft_and_the_rest_for_iptables() {
    let policy = large_policy();
    let both = run("rules -f -", &policy);
    let mark =
        "-A DOCKER-BLOCK -m connmark --mark 0x2000/0x2000 -m conntrack --ctstate NEW -j DOCKER";
    for (iptables, rules_of_block) in [("iptables", 1), ("ip6tables", 2)] {
        let rules = restored(iptables, stdout(&both));
        let block: Vec<&String> =
            rules.iter().filter(|rule| rule.starts_with("-A DOCKER-BLOCK")).collect();
        let has_mark = block.iter().any(|rule| *rule == mark);
        assert_eq!((block.len(), has_mark), (rules_of_block, iptables == "iptables"), "{rules:#?}");
    }

    let native = run("rules --nft -f -", &policy);
    expect_status(&native, 0);
    let loaded = listed("nft -f -", stdout(&native));
    for part in ["198.51.100.64", "10.1.0.0/16", "10.3.0.1-10.3.0.9", "ip saddr @.web-4 "] {
        assert!(loaded.contains(part), "{part} is missing in\n{loaded}");
    }
    let twice = "text=$(cat); echo \"$text\" | nft -f -; echo \"$text\" | nft -f -";
    assert_eq!(listed(twice, stdout(&native)), loaded);
    assert_eq!(listed("\"$DWNL\" -q apply -f -", &policy), loaded);
}

#[test]
fn the_printed_guard_equals_the_applied_one() {
    let policy = large_policy().replace("enabled = false", "enabled = true");
    let native = run("rules --nft -f -", &policy);
    let loaded = listed("nft -f -", stdout(&native));
    assert!(loaded.contains("ct original ip saddr @.web-4 "), "{loaded}");
    assert_eq!(listed("\"$DWNL\" -q apply -f -", &policy), loaded);
}

#[test]
fn missing_capabilities_are_named() {
    for (dropped, line) in [
        ("-net_admin", "show"),
        ("-net_admin", "remove"),
        ("-net_admin", "apply -f -"),
        ("-net_admin", "plan -f -"),
        ("-net_admin", "watch"),
        ("-sys_admin", "show --netns /proc/self/ns/net"),
    ] {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", dropped, "--inh-caps", dropped]);
        command.arg(env!("CARGO_BIN_EXE_dwnl")).args(line.split(' ')).arg("--json");
        let output = feed(command, POLICY);
        expect_status(&output, 1);
        let name = dropped.replace('-', "CAP_").to_uppercase();
        let sentence = format!("{name} is required ");
        assert!(stderr(&output).starts_with(&format!("error: {sentence}")), "{}", stderr(&output));
        let object = json(&output);
        assert!(object["error"].as_str().is_some_and(|error| error.starts_with(&sentence)));
    }
}
