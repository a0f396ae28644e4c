//! Ports that stay known although Docker's rules no longer name them, and ports that Docker has
//! released.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use dwnl::{Engine, Policy, compile};

use super::super::site::{ECHO, Site};
use super::super::support::{
    Answer, Topology, Watch, apply, dwnl, tcp, tcp_echo, udp_echo_at, wait_for,
};
use super::{ALL, ONLY_ALLOWED, POLICY, answered, becomes, expect_both, expect_both6, unguarded};

/// Allows a published port and ports that are published later.
fn policy(site: &Site) -> String {
    site.policy_with(&POLICY.replace("8080/tcp", "8080-8082/tcp"), "")
}

#[track_caller]
fn is_open_to_allowed_only(site: &Site, port: u16) {
    for source in [Topology::ALLOWED, Topology::ALLOWED6] {
        becomes(site, source, port, Answer::Answered);
    }
    expect_both(site, Topology::HOST, port, ONLY_ALLOWED);
    expect_both6(site, Topology::HOST6, port, ONLY_ALLOWED);
}

#[test]
fn ports_stay_known_when_dockers_rules_are_flushed() {
    let site = Site::service(&[]);
    let host = &site.topology.host;
    site.publish_web();
    expect_both(&site, Topology::HOST, 8080, ALL);
    expect_both6(&site, Topology::HOST6, 8080, ALL);
    let mut watch = Watch::start(host, &policy(&site));
    is_open_to_allowed_only(&site, 8080);

    host.run(&["iptables", "-t", "nat", "-F", "DOCKER"]);
    site.docker.run("other", &["-p", "8082:80"], ECHO);
    is_open_to_allowed_only(&site, 8082);
    is_open_to_allowed_only(&site, 8080);
    assert!(watch.is_running());
}

/// The same without `dwnl watch`: an apply at each step.
#[test]
fn restoring_old_rules_opens_nothing() {
    let site = Site::service(&[]);
    let host = &site.topology.host;
    site.publish_web();
    let old = host.run(&["iptables-save"]);
    site.docker.run("other", &["-p", "8082:80"], ECHO);
    expect_both(&site, Topology::HOST, 8082, ALL);
    apply(host, &policy(&site));
    for restored in [old.as_str(), "*nat\nCOMMIT\n"] {
        host.try_run(&["iptables-restore"], restored).succeeded();
        apply(host, &policy(&site));
        for port in [8080, 8082] {
            is_open_to_allowed_only(&site, port);
        }
    }
}

#[test]
fn watch_closes_a_flushed_ruleset() {
    let site = Site::service(&[]);
    let host = &site.topology.host;
    site.publish_web();
    expect_both(&site, Topology::HOST, 8080, ALL);
    let _watch = Watch::start(host, &policy(&site));
    host.run(&["nft", "flush", "ruleset"]);
    wait_for("a repair", || {
        let output = dwnl(host, &["plan", "--exit-code", "-f", "-"], &policy(&site));
        output.status.success().then_some(())
    });
    // Docker has not noticed the flush, and has not written its rules again.
    for _ in 0..3 {
        is_open_to_allowed_only(&site, 8080);
    }
    site.docker.run("other", &["-p", "[::]:8082:80"], ECHO);
    becomes(&site, Topology::ALLOWED6, 8082, Answer::Answered);
    becomes(&site, Topology::REFUSED6, 8082, Answer::TimedOut);
    expect_both6(&site, Topology::HOST6, 8080, ONLY_ALLOWED);
}

/// The whole ruleset is gone, and docker-proxy goes on listening. What the guard's transaction alone puts
/// back admits only the allowed, before and after Docker has written its rules again.
#[test]
fn the_first_transaction_of_a_repair_admits_only_allowed_clients() {
    let site = Site::service(&[]);
    let host = &site.topology.host;
    site.publish_web();
    let rules = ["iptables-save", "ip6tables-save"].map(|save| host.run(&[save]));
    let desired = compile(&Policy::parse(&policy(&site), "p", Path::new("")).expect("a policy"));
    for with_rules_of_docker in [false, true] {
        host.run(&["nft", "flush", "ruleset"]);
        if with_rules_of_docker {
            for (restore, rules) in ["iptables-restore", "ip6tables-restore"].iter().zip(&rules) {
                host.try_run(&[restore], rules).succeeded();
            }
        }
        expect_both(&site, Topology::HOST, 8080, ALL);
        expect_both6(&site, Topology::HOST6, 8080, ALL);
        host.inside(|| {
            let mut engine = Engine::open().expect("an engine");
            let stages = engine.repair_stages(&desired).expect("a plan");
            assert_eq!(stages.len(), 2);
            engine.commit(&stages[0]).expect("success");
        });
        is_open_to_allowed_only(&site, 8080);
    }
}

/// When nothing is published, Docker 29 leaves its chain `nat DOCKER` empty; 20.10 to 28 leave a
/// `RETURN` for each bridge.
#[test]
fn the_host_can_use_a_port_released_by_docker() {
    for flush in [false, true] {
        println!("flushed: {flush}");
        let site = Site::service(&[]);
        let host = &site.topology.host;
        site.publish_web();
        expect_both(&site, Topology::HOST, 8080, ALL);
        apply(host, &site.policy_with("", ""));
        becomes(&site, Topology::REFUSED6, 8080, Answer::TimedOut);
        site.docker.client(&["rm", "-f", "web"]);
        if flush {
            host.run(&["iptables", "-t", "nat", "-F", "DOCKER"]);
        }
        apply(host, &site.policy_with("", ""));
        let _own = tcp_echo(host, 8080);
        answered("the host itself", || tcp(host, "127.0.0.1", "127.0.0.1", 8080));
        expect_both(&site, Topology::HOST, 8080, ALL);
        expect_both6(&site, Topology::HOST6, 8080, ALL);
        apply(host, &site.policy_with("", ""));
        expect_both(&site, Topology::HOST, 8080, ALL);
    }
}

/// With `dwnl watch`, over UDP, and without an apply.
#[test]
fn watch_releases_ports_that_docker_released() {
    let site = Site::service(&[]);
    let host = &site.topology.host;
    let dns = site.publish_udp();
    site.is_open_over_udp();
    let _watch = Watch::start(host, &site.policy_with("", ""));
    assert_eq!(site.attempt_over_udp(Topology::REFUSED), Answer::TimedOut);
    drop(dns);
    site.docker.client(&["rm", "-f", "dns"]);
    let _own = udp_echo_at(host, Topology::HOST, 8080);
    wait_for("an answer of the host's own service", || {
        (site.attempt_over_udp(Topology::REFUSED) == Answer::Answered).then_some(())
    });
}

/// After a restart of dockerd its proxies listen again, before anything is applied.
#[test]
fn known_ports_survive_a_docker_restart() {
    let mut site = Site::service(&[]);
    site.publish_web();
    apply(&site.topology.host, &unguarded());
    expect_both6(&site, Topology::HOST6, 8080, ALL);
    apply(&site.topology.host, &policy(&site));
    site.docker.restart();
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        let attempt = tcp(&site.topology.client, Topology::REFUSED6, Topology::HOST6, 8080);
        assert_ne!(attempt, Answer::Answered);
        thread::sleep(Duration::from_millis(20));
    }
    is_open_to_allowed_only(&site, 8080);
}
