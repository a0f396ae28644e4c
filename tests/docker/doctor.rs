//! `dwnl doctor` on a host with a real dockerd.

use serde_json::Value;

use super::site::{ECHO, POLICY, Site};
use super::support::{Answer, Topology, UNGUARDED, apply, dwnl, wait_for};

/// The findings of `dwnl doctor`.
fn findings(site: &Site, policy: &str) -> Vec<Value> {
    let output = dwnl(&site.topology.host, &["doctor", "--json", "-f", "-"], policy);
    let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
    report["findings"].as_array().expect("findings").clone()
}

/// The level and the text of the finding of a check.
#[track_caller]
fn find(findings: &[Value], check: &str) -> (String, String) {
    let finding = findings.iter().find(|it| it["check"] == check);
    let finding = finding.unwrap_or_else(|| panic!("no {check} in {findings:#?}"));
    let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    (text("level"), format!("{}; {}", text("summary"), text("advice")))
}

fn level(site: &Site, policy: &str, check: &str) -> String {
    find(&findings(site, policy), check).0
}

#[test]
fn dockerd_its_proxies_and_its_cgroup_are_found() {
    let site = Site::service(&["-H", "tcp://0.0.0.0:2375"]);
    site.publish_web();
    site.is_open();
    let before = findings(&site, POLICY);
    let daemon = find(&before, "daemon");
    assert_eq!(daemon.0, "ok", "{daemon:?}");
    assert!(daemon.1.contains("with 1 published port"), "{daemon:?}");
    assert_eq!(find(&before, "backend").0, "ok");
    assert_eq!(find(&before, "rules").0, "problem", "nothing is applied");
    // Without rules, the API and docker-proxy are open.
    let api = find(&before, "api");
    assert_eq!(api.0, "note");
    assert!(api.1.contains("tcp://0.0.0.0:2375"), "{api:?}");

    // The advice names the cgroup, and following it helps.
    let cgroup = find(&before, "cgroup");
    assert_eq!(cgroup.0, "warning");
    let advice = format!("docker-cgroup = {:?}", site.docker.cgroup_path());
    assert!(cgroup.1.contains(&advice), "{cgroup:?}");
    let policy = site.policy_with(POLICY, "");
    apply(&site.topology.host, &policy);
    site.is_open_to_allowed_only();
    let after = findings(&site, &policy);
    for check in ["cgroup", "rules", "guard", "userland_proxy", "ip_forward"] {
        assert_eq!(find(&after, check).0, "ok", "{check}: {after:#?}");
    }
    assert!(find(&after, "userland_proxy").1.contains("docker-proxy listens"), "{after:#?}");
    assert_eq!(level(&site, &format!("{POLICY}{UNGUARDED}"), "userland_proxy"), "warning");
}

#[test]
fn options_of_dockerd_are_read() {
    let unguarded = format!("{POLICY}{UNGUARDED}");
    let site = Site::service(&["--userland-proxy=false"]);
    let found = find(&findings(&site, &unguarded), "userland_proxy");
    assert_eq!(found.0, "ok");
    assert!(found.1.contains("docker-proxy is off"), "{found:?}");
    drop(site);
    let site = Site::service(&["--iptables=false"]);
    assert_eq!(level(&site, POLICY, "backend"), "ok");
    assert_eq!(level(&site, &unguarded, "backend"), "problem");
}

#[test]
fn sockets_of_the_hosts_network_are_named() {
    let site = Site::service(&[]);
    site.docker.run("own", &["--network=host"], &ECHO.replace("80", "8090"));
    wait_for("its socket", || {
        let found = findings(&site, POLICY);
        found.iter().any(|it| it["check"] == "host_network").then_some(())
    });
    let found = find(&findings(&site, POLICY), "host_network");
    assert_eq!(found.0, "note");
    assert!(found.1.contains("8090/tcp"), "{found:?}");
    let policy = site.policy_with(POLICY, "host-network = true");
    assert_eq!(level(&site, &policy, "host_network"), "ok");
}

/// Docker sets `policy drop` in FORWARD when it switches forwarding on; then somebody switches it off.
#[test]
fn a_host_that_stopped_forwarding_is_noticed() {
    let site = Site::stock();
    site.is_open();
    let host = &site.topology.host;
    assert_eq!(level(&site, POLICY, "ip_forward"), "ok");
    host.run(&["sysctl", "--quiet", "--write", "net.ipv4.ip_forward=0"]);
    assert_eq!(level(&site, POLICY, "ip_forward"), "warning");
    site.expect(Topology::ALLOWED, 8080, Answer::TimedOut);
}
