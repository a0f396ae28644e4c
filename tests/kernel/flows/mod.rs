//! Flows that existed before the policy changed, over real connections.

mod many;
mod published;
mod server;
pub mod site;

use serde_json::Value;

use super::support::{
    Answer, Connection, Datagrams, Namespace, Topology, apply, plan, tcp_echo, udp_echo_at,
};
use site::{CUT, FAMILIES, HOSTS_OWN, PUBLISHED, Site, policy};

/// An address that no client has.
const UNRELATED: &str = "203.0.113.1";

/// How many flows `plan` says that an apply would clear, terminate and keep without access.
fn flows(planned: &Value) -> [u64; 3] {
    let number = |key: &str| planned[key].as_u64().expect("a number");
    ["flows_to_clear", "flows_to_terminate", "flows_kept"].map(number)
}

#[test]
fn a_refused_client_gets_in_once_allowed() {
    for family in FAMILIES {
        let site = Site::new();
        let host = &site.topology.host;
        apply(host, &policy(&[UNRELATED], ""));
        let client = site.datagrams(family.client, family.host, PUBLISHED);
        assert_eq!(client.echo(), Answer::Refused, "{family:?}");

        // Control: changing the rules is not enough.
        let iptables = if family.host.contains(':') { "ip6tables" } else { "iptables" };
        let allow = ["-t", "nat", "-A", "DOCKER-BLOCK", "-s", family.client, "-j", "DOCKER"];
        host.run(&[&[iptables], &allow[..]].concat());
        let fresh = site.datagrams(family.client, family.host, PUBLISHED);
        assert_eq!(fresh.echo(), Answer::Answered, "{family:?}");
        assert_eq!(client.echo(), Answer::Refused, "{family:?}");

        let planned = plan(host, &policy(&[family.client], ""));
        assert_eq!(flows(&planned), [1, 0, 0], "{family:?}: {planned}");
        let outcome = apply(host, &policy(&[family.client], ""));
        assert_eq!(outcome["flows_cleared"], 1, "{family:?}: {outcome}");
        assert_eq!(outcome["flows_terminated"], 0, "{family:?}: {outcome}");
        assert_eq!(client.echo(), Answer::Answered, "{family:?}");
        assert_eq!(fresh.echo(), Answer::Answered, "{family:?}");
    }
}

#[test]
fn flows_of_a_client_that_stays_refused_are_kept() {
    let site = Site::new();
    let host = &site.topology.host;
    apply(host, &policy(&[UNRELATED], ""));
    let client = site.datagrams(Topology::REFUSED, Topology::HOST, PUBLISHED);
    assert_eq!(client.echo(), Answer::Refused);
    for _ in 0..2 {
        let outcome = apply(host, &policy(&[Topology::ALLOWED], CUT));
        assert_eq!(outcome["flows_cleared"], 0, "{outcome}");
        assert_eq!(outcome["flows_terminated"], 0, "{outcome}");
        assert_eq!(client.echo(), Answer::Refused);
    }
}

#[test]
fn flows_are_reconciled_even_if_no_rule_changes() {
    let site = Site::new();
    let host = &site.topology.host;
    // The container does not exist yet.
    host.run(&["iptables", "-t", "nat", "-F", "DOCKER"]);
    let allowing = policy(&[Topology::ALLOWED], "");
    apply(host, &allowing);
    let client =
        Datagrams::open(&site.topology.client, Topology::ALLOWED, Topology::HOST, PUBLISHED);
    assert_eq!(client.echo(), Answer::Refused);
    site.publish();
    assert_eq!(client.echo(), Answer::Refused);

    let outcome = apply(host, &allowing);
    assert_eq!(outcome["has_changes"], false, "{outcome}");
    assert_eq!(outcome["flows_cleared"], 1, "{outcome}");
    assert_eq!(client.echo(), Answer::Answered);
}

/// One flow of each protocol.
struct Flows {
    udp: Datagrams,
    tcp: Connection,
}

impl Flows {
    fn open(from: &Namespace, source: &str, target: &str, port: u16) -> Flows {
        let udp = Datagrams::open(from, source, target, port);
        let tcp = Connection::open(from, source, target, port).expect("a connection");
        Flows { udp, tcp: tcp.expecting_silence() }
    }

    #[track_caller]
    fn expect(&mut self, answer: Answer, what: &str) {
        assert_eq!((self.udp.echo(), self.tcp.echo()), (answer, answer), "{what}");
    }
}

#[test]
fn established_flows_survive_unless_the_policy_says_cut() {
    for family in FAMILIES {
        let site = Site::new();
        let host = &site.topology.host;
        let client = &site.topology.client;
        let open = |source, port| Flows::open(client, source, family.host, port);
        apply(host, &policy(&[family.client, family.other], CUT));
        let mut revoked = open(family.client, PUBLISHED);
        let mut allowed = open(family.other, PUBLISHED);
        let mut own = open(family.client, HOSTS_OWN);
        // A service on the client uses the published port number as well.
        let _servers = (udp_echo_at(client, family.client, PUBLISHED), tcp_echo(client, PUBLISHED));
        let mut outgoing = Flows::open(&site.container, family.container, family.client, PUBLISHED);
        let mut unaffected = |what: &str| {
            allowed.expect(Answer::Answered, what);
            own.expect(Answer::Answered, what);
            outgoing.expect(Answer::Answered, what);
        };
        unaffected("before");
        revoked.expect(Answer::Answered, "before");

        let planned = plan(host, &policy(&[family.other], ""));
        assert_eq!(flows(&planned), [0, 0, 2], "{family:?}: {planned}");
        let outcome = apply(host, &policy(&[family.other], ""));
        assert_eq!(outcome["flows_terminated"], 0, "{family:?}: {outcome}");
        revoked.expect(Answer::Answered, "kept");
        unaffected("kept");

        let planned = plan(host, &policy(&[family.other], CUT));
        assert_eq!(flows(&planned), [0, 2, 0], "{family:?}: {planned}");
        let outcome = apply(host, &policy(&[family.other], CUT));
        assert_eq!(outcome["has_changes"], false, "{outcome}");
        assert_eq!(outcome["flows_terminated"], 2, "{family:?}: {outcome}");
        assert_eq!(outcome["flows_cleared"], 0, "{family:?}: {outcome}");
        revoked.expect(Answer::Refused, "cut");
        unaffected("cut");
    }
}

#[test]
fn flows_of_a_source_that_is_denied_are_cut() {
    for family in FAMILIES {
        let site = Site::new();
        let host = &site.topology.host;
        let allowing = |setting| policy(&[family.client, family.other], setting);
        let deny = format!("[[deny]]\nfrom = [\"{}\"]\n", family.client);
        apply(host, &allowing(""));
        let open = |source| Flows::open(&site.topology.client, source, family.host, PUBLISHED);
        let (mut denied, mut other) = (open(family.client), open(family.other));
        denied.expect(Answer::Answered, "allowed");
        other.expect(Answer::Answered, "allowed");

        let kept = format!("{}{deny}", allowing(""));
        assert_eq!(flows(&plan(host, &kept)), [0, 0, 2], "{family:?}");
        apply(host, &kept);
        denied.expect(Answer::Answered, "kept");

        let outcome = apply(host, &format!("{}{deny}", allowing(CUT)));
        assert_eq!(outcome["flows_terminated"], 2, "{family:?}: {outcome}");
        denied.expect(Answer::Refused, "cut");
        other.expect(Answer::Answered, "allowed");
    }
}
