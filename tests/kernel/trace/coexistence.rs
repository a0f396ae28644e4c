//! A trace and the other commands do not disturb each other.

use nix::sys::signal::Signal;

use super::chains;
use crate::support::{Topology, Trace, Watch, apply, dwnl, plan, remove, tcp};
use crate::{POLICY, ruleset};

#[test]
fn a_watch_does_not_notice_a_trace() {
    let Topology { host, client } = &Topology::new();
    let watch = Watch::start_with(host, crate::support::Files::new(POLICY), &["-v"]);
    let stateless = || host.run(&["nft", "--handle", "--stateless", "list", "ruleset"]);
    let before = stateless();
    for _ in 0..3 {
        let trace = Trace::start(host, &[Topology::ALLOWED]);
        let _ = tcp(client, Topology::ALLOWED, Topology::HOST, 8080);
        let packet = trace.packet();
        assert!(chains(&packet).contains(&"input inet dwnl input accept".to_owned()), "{packet}");
        assert_eq!(plan(host, POLICY)["has_changes"], false);
        trace.end(Signal::SIGINT);
    }
    assert_eq!(stateless(), before);
    // The watch repairs a real change, so that it has seen those before it.
    host.run(&["iptables", "-t", "nat", "-I", "PREROUTING", "-j", "RETURN"]);
    watch.logged("repaired");
    assert_eq!(watch.log().matches("repaired").count(), 1, "{}", watch.log());
    assert!(!watch.log().contains("dwnl-trace"), "{}", watch.log());
}

#[test]
fn an_apply_meanwhile_is_in_the_trace() {
    let Topology { host, client } = &Topology::new();
    let trace = Trace::start(host, &[Topology::ALLOWED]);
    let connect = || {
        let _ = tcp(client, Topology::ALLOWED, Topology::HOST, 8080);
    };
    connect();
    assert_eq!(chains(&trace.packet()), [""; 0]);
    assert_eq!(apply(host, POLICY)["has_changes"], true);
    connect();
    let packet = trace.packet();
    assert_eq!(chains(&packet)[0], "prerouting ip nat PREROUTING accept");
    let rule = &packet["chains"][0]["steps"][0]["rule"];
    assert_eq!(rule, "-m addrtype --dst-type LOCAL -j DOCKER-BLOCK");
    assert!(ruleset(host).contains("dwnl-trace-"), "the apply leaves it alone");
    assert!(!dwnl(host, &["show", "-v"], "").succeeded().contains("dwnl-trace-"));
    remove(host);
    connect();
    assert_eq!(chains(&trace.packet()), [""; 0]);
    trace.end(Signal::SIGINT);
    assert_eq!(ruleset(host), "");
}

#[test]
fn applies_and_traces_at_once_all_succeed() {
    let host = &Topology::new().host;
    apply(host, POLICY);
    std::thread::scope(|scope| {
        let traces = scope.spawn(|| {
            for _ in 0..20 {
                dwnl(host, &["trace", "192.0.2.2", "--for", "5ms"], "").succeeded();
            }
        });
        let other = POLICY.replace("8080", "8081");
        while !traces.is_finished() {
            for policy in [&other, POLICY] {
                apply(host, policy);
            }
        }
    });
    assert_eq!(plan(host, POLICY)["has_changes"], false);
}

#[test]
fn a_flush_does_not_end_a_trace() {
    let Topology { host, client } = &Topology::new();
    let trace = Trace::start(host, &[Topology::ALLOWED]);
    apply(host, POLICY);
    host.run(&["nft", "flush", "ruleset"]);
    let _ = tcp(client, Topology::ALLOWED, Topology::HOST, 8080);
    assert_eq!(trace.packet()["fate"], "delivered");
    trace.end(Signal::SIGINT);
}

#[test]
fn tables_of_iptables_legacy_are_warned_of() {
    let host = &Topology::new().host;
    let trace = |host| dwnl(host, &["trace", "192.0.2.2", "--for", "1ms"], "");
    assert_eq!(trace(host).stderr, "");
    host.run(&["iptables-legacy", "-A", "INPUT", "-j", "ACCEPT"]);
    let warning = trace(host).stderr;
    assert!(warning.contains("rules of iptables-legacy do not appear"), "{warning}");
    assert!(warning.contains("there are some in ip filter"), "{warning}");
}
