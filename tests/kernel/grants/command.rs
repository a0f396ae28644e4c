//! `dwnl allow`, `deny`, `grants` and `revoke` as a user sees them.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use super::super::support::{Answer, Datagrams, Topology, companion, dwnl, wait_for};
use super::{PUBLISHED, Site};

fn text(site: &Site, args: &[&str]) -> String {
    dwnl(&site.topology.host, args, PUBLISHED).succeeded()
}

fn json(site: &Site, args: &[&str]) -> Value {
    serde_json::from_str(&text(site, &[args, &["--json"]].concat())).expect("JSON")
}

fn error(site: &Site, args: &[&str]) -> String {
    let output = dwnl(&site.topology.host, args, PUBLISHED);
    assert_ne!(output.status.code(), Some(0), "{output}");
    output.stderr
}

#[test]
fn sources_are_banned_granted_listed_and_revoked() {
    let site = Site::new();
    assert_eq!(text(&site, &["grants"]), "nothing is allowed or denied by hand\n");
    let done = text(&site, &["deny", Topology::ALLOWED, "--for", "10m", "--note", "ssh scan"]);
    assert!(done.starts_with("banned 192.0.2.2 for 10m (until 20"), "{done}");
    let entry = ["allow", Topology::REFUSED6, "echo", "--for", "2h", "-f", "-"];
    assert!(text(&site, &entry).starts_with("granted 2001:db8::66 8080/udp for 2h"));
    assert_eq!(site.admitted(), [false, true, false, true]);
    let listed = text(&site, &["grants"]);
    assert!(listed.contains("  192.0.2.2  all    ssh scan\n"), "{listed}");
    assert!(listed.contains("  2001:db8::66  8080/udp\n"), "{listed}");

    let ban = json(&site, &["deny", "192.0.2.0/24"]);
    assert_eq!((&ban["added"], &ban["grants"][0]["until"]), (&1.into(), &Value::Null));
    // The grant is of no use to a banned source.
    let grant =
        dwnl(&site.topology.host, &["allow", Topology::REFUSED, "8080/udp", "--for", "1h"], "");
    assert!(grant.stderr.contains("banned 192.0.2.0/24 by hand"), "{grant}");
    let revoked = dwnl(&site.topology.host, &["revoke", Topology::ALLOWED], "");
    assert!(revoked.stdout.contains("no longer banned 192.0.2.2"), "{revoked}");
    assert!(revoked.stderr.contains("banned 192.0.2.0/24 by hand goes on"), "{revoked}");
    text(&site, &["revoke", "--all"]);
    assert_eq!(site.admitted(), super::POLICY_ALONE);
}

#[test]
fn explain_plan_and_status_name_them() {
    let site = Site::new();
    text(&site, &["deny", Topology::ALLOWED, "--for", "10m", "--note", "ssh scan"]);
    text(&site, &["allow", Topology::REFUSED, "8080/udp", "--for", "1h"]);
    let explain = |source: &str| {
        dwnl(&site.topology.host, &["explain", source, "8080/udp", "-f", "-"], PUBLISHED).stdout
    };
    let banned = explain(Topology::ALLOWED);
    assert!(banned.starts_with("refused:"), "{banned}");
    assert!(banned.contains("banned by hand until") && banned.contains("ssh scan"), "{banned}");
    let granted = explain(Topology::REFUSED);
    assert!(granted.starts_with("allowed:"), "{granted}");
    assert!(granted.contains("granted by hand until"), "{granted}");
    let plan = text(&site, &["plan", "-f", "-"]);
    let sentence = "1 grant and 1 ban; the next to end: banned 192.0.2.2 in ";
    assert!(plan.contains(&format!("by hand: {sentence}")), "{plan}");
    assert!(text(&site, &["apply", "-f", "-"]).contains(sentence));
    assert!(text(&site, &["status", "-f", "-"]).contains("1 grant and 1 ban"));
    let off = format!("{PUBLISHED}[guard]\nenabled = false\n");
    let applied = dwnl(&site.topology.host, &["apply", "-f", "-"], &off);
    assert!(applied.stderr.contains("ended with the guard: 1 grant and 1 ban"), "{applied}");
}

#[test]
fn a_stream_takes_effect_when_it_pauses() {
    let mut site = Site::new();
    let mut stream = companion(&site.topology.host.path())
        .args([env!("CARGO_BIN_EXE_dwnl"), "deny", "-", "--for", "1h", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("dwnl");
    let mut input = stream.stdin.take().expect("its input");
    input.write_all(b"192.0.2.2 # the first\nnonsense\n").expect("to write");
    wait_for("the ban", || (site.list().len() == 1).then_some(()));
    assert_eq!(site.answer(Topology::ALLOWED), Answer::TimedOut);
    input.write_all(b"2001:db8::/64 8080/udp 10m").expect("to write");
    drop(input);
    let output = stream.wait_with_output().expect("its end");
    assert_eq!(output.status.code(), Some(1), "a line could not be read");
    let errors = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(errors.contains("line 2: `nonsense`"), "{errors}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&report["added"], &report["failed"]), (&2.into(), &1.into()));
    assert_eq!(site.admitted(), [false; 4]);
    let revoked = dwnl(&site.topology.host, &["revoke", "-"], "192.0.2.2\n2001:db8::/32\n");
    assert_eq!(revoked.succeeded(), "revoked: 2, grants and bans together\n");
    assert_eq!(site.admitted(), super::POLICY_ALONE);
}

#[test]
fn a_ban_cuts_established_flows_only_if_asked_to() {
    let site = Site::new();
    let client = &site.topology.client;
    let flow = Datagrams::open(client, Topology::ALLOWED, Topology::HOST, 8080);
    // The second answer makes it established.
    assert_eq!([flow.echo(), flow.echo()], [Answer::Answered; 2]);
    text(&site, &["deny", Topology::ALLOWED]);
    assert_eq!(site.answer(Topology::ALLOWED), Answer::TimedOut);
    assert_eq!(flow.echo(), Answer::Answered, "the flow goes on");
    let cut = json(&site, &["deny", Topology::ALLOWED, "--cut"]);
    assert!(cut["flows_terminated"].as_u64() >= Some(1), "{cut}");
    assert_eq!(flow.echo(), Answer::TimedOut);
}

#[test]
fn what_persists_returns_with_the_rules() {
    let mut site = Site::new();
    let directory = tempfile::TempDir::new().expect("a directory");
    let state = ["--state-dir", directory.path().to_str().expect("UTF-8")];
    let run = |site: &Site, args: &[&str]| text(site, &[args, &state].concat());
    run(&site, &["deny", "192.0.2.0/24", "--persist", "--note", "kept"]);
    run(&site, &["deny", "10.0.0.0/8"]);
    run(&site, &["allow", "2001:db8::66", "8080/udp", "--for", "1h", "--persist"]);
    let again = |site: &mut Site| {
        site.nft("delete table inet dwnl");
        run(site, &["apply", "-f", "-"]);
        site.list()
    };
    let kept = ["banned 192.0.2.0/24", "granted 2001:db8::66 8080/udp"];
    assert_eq!(again(&mut site), kept);
    assert!(run(&site, &["grants"]).contains("all    yes         kept"));
    run(&site, &["revoke", "192.0.2.0/24"]);
    assert_eq!(again(&mut site), kept[1..]);
    // Shorter and not kept: the same source and port are forgotten.
    run(&site, &["allow", "2001:db8::66", "8080/udp", "--for", "1m"]);
    assert_eq!(again(&mut site), [""; 0]);
}

#[test]
fn what_cannot_be_is_rejected_in_words() {
    let site = Site::new();
    for (args, words) in [
        (&["allow", "192.0.2.9", "443"][..], "name a time with --for"),
        (&["allow", "192.0.2.9", "--for", "1h"], "name the ports"),
        (
            &["allow", "192.0.2.9", "nothing", "--for", "1h", "-f", "-"],
            "`nothing` is neither a port",
        ),
        (&["deny", "192.0.2.9/24"], "host bits"),
        (&["deny", "192.0.2.9", "0"], "port 0"),
        (&["deny", "192.0.2.9", "--note", "a \" b"], "contains '\"'"),
        (&["deny", "192.0.2.9", "--for", "0s"], "up to 100 years"),
        (&["revoke"], "required"),
    ] {
        let error = error(&site, args);
        assert!(error.contains(words), "{args:?}: {error}");
    }
}

#[test]
fn an_entry_that_denies_beats_a_grant() {
    let mut site = Site::new();
    let denying = format!("{PUBLISHED}[[deny]]\nname = \"bad\"\nfrom = [\"192.0.2.64/26\"]\n");
    site.apply(&denying);
    let allow = |source: &str| {
        let args = ["allow", source, "8080/udp", "--for", "1h", "-f", "-"];
        dwnl(&site.topology.host, &args, &denying).stderr
    };
    let warning = allow(Topology::REFUSED);
    assert!(warning.contains("entry `bad` of the policy (<stdin>:"), "{warning}");
    assert_eq!(site.answer(Topology::REFUSED), Answer::TimedOut);
    // Control: beside the entry, a grant has its effect.
    assert_eq!(allow("192.0.2.7"), "");
    site.topology.add_client("192.0.2.7");
    assert_eq!(site.answer("192.0.2.7"), Answer::Answered);
}
