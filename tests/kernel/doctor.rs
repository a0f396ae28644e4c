//! `dwnl doctor`: what it finds in the rules that other programs write (`tests/fixtures/programs`), in
//! iptables-legacy, and in a namespace's own settings. It changes nothing.

use serde_json::Value;

use super::support::{Namespace, Output, UNGUARDED, Watch, apply, dwnl};
use super::{POLICY, ruleset};

/// The rules of a program, a check, and the level that it finds.
const PROGRAMS: [(&str, &str, &str); 13] = [
    ("crowdsec-input.nft", "crowdsec", "warning"),
    ("crowdsec.nft", "crowdsec", "ok"),
    ("crowdsec-input.rules", "crowdsec", "warning"),
    ("crowdsec.rules", "crowdsec", "ok"),
    ("incus.nft", "lxd", "ok"),
    ("lxd.nft", "lxd", "ok"),
    ("kube-proxy.nft", "kube_proxy", "note"),
    ("kube-proxy.rules", "kube_proxy", "note"),
    ("libvirt.nft", "libvirt", "ok"),
    ("libvirt.rules", "libvirt", "ok"),
    ("netavark.nft", "podman", "note"),
    ("tailscale.rules", "tailscale", "note"),
    ("ufw-docker.rules", "ufw_docker", "warning"),
];

/// Loads the rules of a program.
fn load(host: &Namespace, file: &str) {
    let path = format!("{}/tests/fixtures/programs/{file}", env!("CARGO_MANIFEST_DIR"));
    match file.ends_with(".nft") {
        true => host.run(&["nft", "-f", &path]),
        false => host.run(&["iptables-restore", "--noflush", &path]),
    };
}

/// The findings of `dwnl doctor` with a policy, and its exit status.
#[track_caller]
fn doctor(host: &Namespace, policy: &str) -> (Vec<Value>, i32) {
    let output = dwnl(host, &["doctor", "--json", "-f", "-"], policy);
    let report: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output}"));
    let findings = report["findings"].as_array().expect("findings").clone();
    (findings, output.status.code().expect("an exit status"))
}

fn level<'a>(findings: &'a [Value], check: &str) -> Option<&'a str> {
    findings.iter().find(|it| it["check"] == check).and_then(|it| it["level"].as_str())
}

#[test]
fn other_programs_are_known_by_their_rules() {
    for (file, check, expected) in PROGRAMS {
        let host = Namespace::new();
        let (findings, status) = doctor(&host, POLICY);
        assert_eq!(level(&findings, check), None, "{file}: {findings:#?}");
        assert_eq!(level(&findings, "programs"), Some("ok"));
        assert_eq!((level(&findings, "rules"), status), (Some("problem"), 4), "not applied yet");

        apply(&host, POLICY);
        load(&host, file);
        let (findings, status) = doctor(&host, POLICY);
        assert_eq!(level(&findings, check), Some(expected), "{file}: {findings:#?}");
        assert_eq!(level(&findings, "programs"), None);
        let others = findings.iter().any(|it| it["level"] == "warning");
        assert_eq!(status, if others { 3 } else { 0 }, "{file}: {findings:#?}");
    }
}

#[test]
fn nothing_is_changed() {
    let host = Namespace::new();
    apply(&host, POLICY);
    load(&host, "tailscale.rules");
    let before =
        (ruleset(&host), host.inside(dwnl::Engine::open).unwrap().snapshot().unwrap().generation);
    doctor(&host, POLICY);
    dwnl(&host, &["doctor", "-f", "-"], POLICY);
    let generation = host.inside(dwnl::Engine::open).unwrap().snapshot().unwrap().generation;
    assert_eq!((ruleset(&host), generation), before);
}

#[test]
fn a_mark_that_another_program_uses_is_named() {
    let host = Namespace::new();
    load(&host, "tailscale.rules");
    let policy = |mark: &str| format!("{POLICY}[guard]\nmark = {mark}\n");
    let find = |mark: &str| {
        let (findings, _) = doctor(&host, &policy(mark));
        level(&findings, "mark").map(str::to_owned)
    };
    assert_eq!(find("0x40000").as_deref(), Some("warning"));
    assert_eq!(find("0x2000"), None);
}

#[test]
fn drift_and_a_running_watch_are_reported() {
    let host = Namespace::new();
    let report = apply(&host, POLICY);
    assert_eq!(report["has_changes"], true);
    assert_eq!(level(&doctor(&host, POLICY).0, "rules"), Some("ok"));
    host.run(&["iptables", "-t", "nat", "-D", "DOCKER-BLOCK", "1"]);
    let (findings, status) = doctor(&host, POLICY);
    assert_eq!((level(&findings, "rules"), status), (Some("warning"), 3), "{findings:#?}");
    assert_eq!(level(&findings, "watch"), Some("note"));
    let _watch = Watch::start(&host, POLICY);
    assert_eq!(level(&doctor(&host, POLICY).0, "watch"), Some("ok"));
}

/// Docker's rules of the nftables backend are not blocked by DOCKER-BLOCK.
#[test]
fn the_nftables_backend_needs_the_guard() {
    let host = Namespace::new();
    let rules = "table ip docker-bridges {
        chain nat-PREROUTING {
            type nat hook prerouting priority dstnat;
            fib daddr type local counter jump nat-prerouting-and-output
        }
        chain nat-prerouting-and-output {
            iifname != \"docker0\" tcp dport 8080 counter dnat to 172.17.0.2:80
        }
    }";
    host.try_run(&["nft", "-f", "-"], rules).succeeded();
    assert_eq!(level(&doctor(&host, POLICY).0, "backend"), Some("ok"));
    let (findings, status) = doctor(&host, &format!("{POLICY}{UNGUARDED}"));
    assert_eq!((level(&findings, "backend"), status), (Some("problem"), 4), "{findings:#?}");
    assert_eq!(level(&findings, "gaps"), Some("warning"), "{findings:#?}");
}

#[test]
fn settings_of_the_namespace_are_read() {
    let host = Namespace::new();
    let settings = |output: &Output| output.stdout.contains("IPv4 is forwarded");
    assert!(!settings(&dwnl(&host, &["doctor", "-f", "-"], POLICY)));
    host.run(&["sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1"]);
    assert!(settings(&dwnl(&host, &["doctor", "-f", "-"], POLICY)));
    // Also if it is another namespace than the program's.
    let elsewhere = Namespace::new();
    let output = dwnl(&elsewhere, &["doctor", "--netns", &host.path(), "-f", "-"], POLICY);
    assert!(settings(&output), "{output}");
}

/// With rules in the legacy nat table no engine can be opened, and the rest is still reported.
#[test]
fn rules_of_iptables_legacy_are_found() {
    for (iptables, family) in [("iptables-legacy", "ip"), ("ip6tables-legacy", "ip6")] {
        let host = Namespace::new();
        host.run(&[iptables, "-A", "INPUT", "-j", "ACCEPT"]);
        let (findings, _) = doctor(&host, POLICY);
        assert_eq!(level(&findings, "iptables_legacy"), Some("warning"), "{findings:#?}");
        assert_eq!(level(&findings, "nf_tables"), Some("ok"));
        let text = format!("{family} filter");
        assert!(findings[0]["summary"].as_str().unwrap().contains(&text), "{findings:#?}");

        host.run(&[iptables, "-t", "nat", "-A", "PREROUTING", "-j", "ACCEPT"]);
        let (findings, status) = doctor(&host, POLICY);
        assert_eq!((level(&findings, "iptables_legacy"), status), (Some("problem"), 4));
        assert_eq!(level(&findings, "nf_tables"), None);
        assert_eq!(level(&findings, "conntrack"), Some("ok"));
    }
}

/// A strict and complete text: each line fits into 80 columns.
#[test]
fn the_text_fits_a_terminal() {
    let host = Namespace::new();
    for (file, ..) in PROGRAMS {
        load(&host, file);
    }
    apply(&host, POLICY);
    let output = dwnl(&host, &["doctor", "-f", "-"], POLICY);
    let long = output.stdout.lines().find(|line| line.chars().count() > 80);
    assert_eq!(long, None, "{output}");
    assert_eq!(output.stderr, "");
    assert!(output.stdout.ends_with(" notes\n"), "{output}");
}

#[test]
fn errors_of_the_policy_are_a_problem() {
    let host = Namespace::new();
    let (findings, status) = doctor(&host, "[[allow]]\nports = [\"0\"]\n");
    assert_eq!((level(&findings, "policy"), status), (Some("problem"), 4), "{findings:#?}");
}

/// Needs root in the initial user namespace.
#[test]
fn without_the_capability_it_fails() {
    let mut command = std::process::Command::new("setpriv");
    command.args(["--bounding-set", "-net_admin", "--inh-caps", "-net_admin"]);
    command.args([env!("CARGO_BIN_EXE_dwnl"), "doctor"]);
    let output = command.output().expect("setpriv");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("CAP_NET_ADMIN is required"));
}
