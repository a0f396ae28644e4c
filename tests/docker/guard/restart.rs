//! dockerd is stopped and started: its cgroup is created again with another ID.

use super::super::site::{ECHO, Site};
use super::super::support::{Topology, Watch, apply, tcp};
use super::{ALL, ONLY_ALLOWED, answered, expect_both6};

const POLICY: &str = r#"
[[allow]]
ports = ["8081-8082/tcp"]
from = ["2001:db8::2"]
"#;

/// Publishes a port that no rule of Docker names, so that only its socket reveals it.
fn publish(site: &Site, port: u16) {
    let published = format!("[::]:{port}:80");
    site.docker.run(&format!("web{port}"), &["--restart=always", "-p", &published], ECHO);
    let host = &site.topology.host;
    answered("the host itself", || tcp(host, "::1", "::1", port));
}

#[test]
fn an_apply_before_the_restart_finds_the_new_cgroup() {
    let mut site = Site::service(&[]);
    publish(&site, 8081);
    expect_both6(&site, Topology::HOST6, 8081, ALL);
    let policy = site.policy_with(POLICY, "");
    apply(&site.topology.host, &policy);
    expect_both6(&site, Topology::HOST6, 8081, ONLY_ALLOWED);

    let Site { topology, docker } = &mut site;
    docker.restart_in_new_cgroup(|| {
        apply(&topology.host, &policy);
    });
    expect_both6(&site, Topology::HOST6, 8081, ONLY_ALLOWED);
    publish(&site, 8082);
    expect_both6(&site, Topology::HOST6, 8082, ONLY_ALLOWED);
}

#[test]
fn watch_finds_the_new_cgroup() {
    let mut site = Site::service(&[]);
    publish(&site, 8081);
    expect_both6(&site, Topology::HOST6, 8081, ALL);
    let mut watch = Watch::start(&site.topology.host, &site.policy_with(POLICY, ""));
    expect_both6(&site, Topology::HOST6, 8081, ONLY_ALLOWED);

    site.docker.restart_in_new_cgroup(|| ());
    super::becomes(&site, Topology::REFUSED6, 8081, super::Answer::TimedOut);
    expect_both6(&site, Topology::HOST6, 8081, ONLY_ALLOWED);
    publish(&site, 8082);
    expect_both6(&site, Topology::HOST6, 8082, ONLY_ALLOWED);
    assert!(watch.is_running());
}
