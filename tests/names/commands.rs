//! The commands that read a policy with names.

use super::policy;
use super::site::Site;
use super::support::{Dnsmasq, Topology};

const HOME: &str = "192.0.2.2 home.example.net\n2001:db8::2 home.example.net\n";

#[test]
fn what_was_found_last_stays_while_the_server_is_down() {
    let site = Site::new();
    let policy = policy("home.example.net", "");
    let state = site.state().display().to_string();
    let plan = |options: &[&str]| {
        site.dwnl(&[&["plan", "-f", "-", "--state-dir", &state], options].concat(), &policy)
    };
    let server = Dnsmasq::start(site.host(), HOME, &[]);
    let text = plan(&[]).succeeded();
    assert!(text.contains("192.0.2.2 (home.example.net)"), "{text}");
    assert_eq!(site.apply(&policy), [""; 0]);
    drop(server);
    let output = plan(&["--exit-code"]);
    assert!(
        output.stderr.contains("it stands for 192.0.2.2, 2001:db8::2, found last at"),
        "{output}"
    );
    output.succeeded();
    let explain = ["explain", Topology::ALLOWED, "8080", "-f", "-", "--state-dir", &state];
    let text = site.dwnl(&explain, &policy).succeeded();
    assert!(text.contains("home.example.net"), "{text}");
    let status = site.dwnl(&["status", "-f", "-", "--state-dir", &state], &policy).succeeded();
    assert!(status.contains("in sync") && status.contains("home.example.net"), "{status}");
    // Without the state there is nothing to go by.
    let warnings = site.dwnl(&["plan", "-f", "-"], &policy).stderr;
    assert!(warnings.contains("Connection refused (os error 111); it allows nobody"), "{warnings}");
}

#[test]
fn a_check_looks_names_up_only_if_it_is_asked_to() {
    let site = Site::new();
    let policy = policy("home.example.net", "");
    let output = site.dwnl(&["check", "-f", "-"], &policy);
    assert_eq!(output.stderr, "");
    output.succeeded();
    let output = site.dwnl(&["check", "--resolve", "-f", "-"], &policy);
    assert!(output.stderr.contains("cannot resolve home.example.net"), "{output}");
    output.succeeded();
    let rules = site.dwnl(&["rules", "-4", "-f", "-"], &policy).succeeded();
    assert!(!rules.contains("8080"), "{rules}");
    let _server = Dnsmasq::start(site.host(), HOME, &[]);
    let output = site.dwnl(&["check", "--resolve", "-f", "-"], &policy);
    assert_eq!(output.stderr, "");
}

#[test]
fn a_policy_with_names_is_stored_and_rolled_back_by_name() {
    let site = Site::new();
    let server = Dnsmasq::start(site.host(), HOME, &[]);
    let state = site.state().display().to_string();
    site.apply(&policy("home.example.net", ", stale = \"1h\""));
    let applied = || std::fs::read_to_string(site.state().join("policy.applied")).expect("a file");
    assert!(applied().contains("home = [{ dns = \"home.example.net\", stale = \"1h\" }]\n"));
    assert!(!applied().contains("192.0.2.2"), "{}", applied());
    server.set("192.0.2.66 home.example.net\n");
    let is_66 = || site.apply(&policy("home.example.net", ", stale = \"1h\"")).is_empty();
    assert!(is_66());
    // Other addresses are not another policy.
    assert!(!site.state().join("policy.previous").exists());
    site.apply("");
    site.dwnl(&["rollback", "--state-dir", &state], "").succeeded();
    let rules = site.host().run(&["iptables", "-t", "nat", "-S", "DOCKER-BLOCK"]);
    assert!(rules.contains("-s 192.0.2.66/32"), "{rules}");
}
