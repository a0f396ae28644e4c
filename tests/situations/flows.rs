//! Flows that began before the policy changed: what becomes of them, next to what `explain` says.

use serde_json::Value;

use super::situation::{ECHO, Site};
use super::support::{
    Answer, Connection, Datagrams, Docker, Topology, Trace, UNGUARDED, apply, dwnl, udp_echo,
    wait_for,
};

/// Without docker-proxy no socket of the host listens on the published port.
fn site() -> Site {
    let topology = Topology::new();
    let docker = Docker::start(&topology.host, &["--userland-proxy=false"]);
    Site { topology, docker }
}

fn policy(source: &str, settings: &str) -> String {
    format!("[[allow]]\nports = [\"8080\", \"8080/udp\"]\nfrom = [{source:?}]\n{settings}")
}

/// The verdict on a new flow of the source, and the fate of the one that it has.
fn explained(site: &Site, policy: &str, source: &str, port: &str) -> (String, String) {
    let args = ["explain", "--json", "-f", "-", source, Topology::HOST, port];
    let output = dwnl(site.host(), &args, policy);
    let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let flows = report["flows"].as_array().expect("flows");
    assert_eq!(flows.len(), 1, "{report}");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&report["verdict"]), text(&flows[0]["fate"]))
}

#[test]
fn a_stale_flow_stays_refused_until_an_apply() {
    let site = site();
    site.docker.run("dns", &["-p", "8080:80/udp"], "exec sleep 1000");
    let _server = udp_echo(&site.docker.namespace("dns"), 80);
    let source = Topology::REFUSED;
    apply(site.host(), &policy(Topology::ALLOWED, UNGUARDED));
    let client = Datagrams::open(&site.topology.client, source, Topology::HOST, 8080);
    assert_ne!(client.echo(), Answer::Answered);
    let explain = |policy: &str| explained(&site, policy, source, "8080/udp");
    let expected = |verdict: &str, fate: &str| (verdict.to_owned(), fate.to_owned());
    assert_eq!(explain(&policy(Topology::ALLOWED, UNGUARDED)).1, "refused");

    // Another program lets the source in, but its flow stays refused.
    let allow = ["-t", "nat", "-A", "DOCKER-BLOCK", "-s", source, "-j", "DOCKER"];
    site.host().run(&[&["iptables"], &allow[..]].concat());
    let now = policy(source, UNGUARDED);
    assert_eq!(explain(&now), expected("allowed", "stale"));
    let trace = Trace::start(site.host(), &[source, "8080/udp"]);
    assert_ne!(client.echo(), Answer::Answered);
    let packet = trace.packet();
    assert_eq!(packet["fate"], "delivered", "it is not translated: {packet}");
    drop(trace);

    apply(site.host(), &now);
    assert_eq!(client.echo(), Answer::Answered);
    assert_eq!(explain(&now), expected("allowed", "goes_on"));
}

#[test]
fn an_established_flow_is_kept_or_ended() {
    const CUT: &str = "[revoke]\nestablished = \"cut\"\n";
    let site = site();
    site.docker.run("web", &["-p", "8080:80"], ECHO);
    let source = Topology::ALLOWED;
    apply(site.host(), &policy(source, ""));
    let open = || Connection::open(&site.topology.client, source, Topology::HOST, 8080).ok();
    let mut connection = wait_for("a connection", open).expecting_silence();
    assert_eq!(connection.echo(), Answer::Answered);
    let explain = |policy: &str| explained(&site, policy, source, "8080/tcp");
    let expected = |verdict: &str, fate: &str| (verdict.to_owned(), fate.to_owned());
    assert_eq!(explain(&policy(source, CUT)), expected("allowed", "goes_on"));

    let kept = policy(Topology::REFUSED, "");
    apply(site.host(), &kept);
    assert_eq!(explain(&kept), expected("refused", "kept"));
    assert_eq!(connection.echo(), Answer::Answered);

    let cut = policy(Topology::REFUSED, CUT);
    assert_eq!(explain(&cut), expected("refused", "terminated"));
    apply(site.host(), &cut);
    assert_ne!(connection.echo(), Answer::Answered);
}
