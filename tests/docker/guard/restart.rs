//! dockerd is stopped and started: its cgroup is made again, and has another number.

use super::super::site::{ECHO, Site};
use super::super::support::{Topology, Watch, apply, tcp};
use super::{ALL, ALLOWED_ALONE, answered, expect_both6};

const POLICY: &str = r#"
[[allow]]
ports = ["8081-8082/tcp"]
from = ["2001:db8::2"]
"#;

/// A port that no rule of Docker's names, so that it is known by its socket alone.
fn publish(site: &Site, port: u16) {
    let published = format!("[::]:{port}:80");
    site.docker.run(&format!("web{port}"), &["--restart=always", "-p", &published], ECHO);
    let host = &site.topology.host;
    answered("the host itself", || tcp(host, "::1", "::1", port));
}

#[test]
fn an_apply_before_the_start_knows_the_new_cgroup() {
    let mut site = Site::service(&[]);
    publish(&site, 8081);
    expect_both6(&site, Topology::HOST6, 8081, ALL);
    let policy = site.told(POLICY, "");
    apply(&site.topology.host, &policy);
    expect_both6(&site, Topology::HOST6, 8081, ALLOWED_ALONE);

    let Site { topology, docker } = &mut site;
    docker.restart_in_new_cgroup(|| {
        apply(&topology.host, &policy);
    });
    expect_both6(&site, Topology::HOST6, 8081, ALLOWED_ALONE);
    publish(&site, 8082);
    expect_both6(&site, Topology::HOST6, 8082, ALLOWED_ALONE);
}

#[test]
fn a_watch_knows_the_new_cgroup() {
    let mut site = Site::service(&[]);
    publish(&site, 8081);
    expect_both6(&site, Topology::HOST6, 8081, ALL);
    let mut watch = Watch::start(&site.topology.host, &site.told(POLICY, ""));
    expect_both6(&site, Topology::HOST6, 8081, ALLOWED_ALONE);

    site.docker.restart_in_new_cgroup(|| ());
    super::becomes(&site, Topology::REFUSED6, 8081, super::Answer::TimedOut);
    expect_both6(&site, Topology::HOST6, 8081, ALLOWED_ALONE);
    publish(&site, 8082);
    expect_both6(&site, Topology::HOST6, 8082, ALLOWED_ALONE);
    assert!(watch.is_running());
}
