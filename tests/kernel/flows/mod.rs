//! Flows that were there before the policy changed, over real connections.

mod many;
mod published;
mod server;
mod site;

use super::support::{
    Answer, Connection, Datagrams, Namespace, Topology, apply, tcp_echo, udp_echo_at,
};
use site::{CUT, FAMILIES, HOSTS_OWN, PUBLISHED, Site, policy};

/// Somebody who is none of the clients.
const NOBODY: &str = "203.0.113.1";

#[test]
fn a_refused_client_gets_in_once_it_is_allowed() {
    for family in FAMILIES {
        let site = Site::new();
        let host = &site.topology.host;
        apply(host, &policy(&[NOBODY], ""));
        let client = site.datagrams(family.client, family.host, PUBLISHED);
        assert_eq!(client.echo(), Answer::Refused, "{family:?}");

        // The control: to change the rules is not enough.
        let iptables = if family.host.contains(':') { "ip6tables" } else { "iptables" };
        let allow = ["-t", "nat", "-A", "DOCKER-BLOCK", "-s", family.client, "-j", "DOCKER"];
        host.run(&[&[iptables], &allow[..]].concat());
        let fresh = site.datagrams(family.client, family.host, PUBLISHED);
        assert_eq!(fresh.echo(), Answer::Answered, "{family:?}");
        assert_eq!(client.echo(), Answer::Refused, "{family:?}");

        let outcome = apply(host, &policy(&[family.client], ""));
        assert_eq!(outcome["flows_forgotten"], 1, "{family:?}: {outcome}");
        assert_eq!(outcome["flows_ended"], 0, "{family:?}: {outcome}");
        assert_eq!(client.echo(), Answer::Answered, "{family:?}");
        assert_eq!(fresh.echo(), Answer::Answered, "{family:?}");
    }
}

#[test]
fn a_client_that_stays_refused_is_not_forgotten() {
    let site = Site::new();
    let host = &site.topology.host;
    apply(host, &policy(&[NOBODY], ""));
    let client = site.datagrams(Topology::REFUSED, Topology::HOST, PUBLISHED);
    assert_eq!(client.echo(), Answer::Refused);
    for _ in 0..2 {
        let outcome = apply(host, &policy(&[Topology::ALLOWED], CUT));
        assert_eq!(outcome["flows_forgotten"], 0, "{outcome}");
        assert_eq!(outcome["flows_ended"], 0, "{outcome}");
        assert_eq!(client.echo(), Answer::Refused);
    }
}

#[test]
fn flows_are_tended_even_where_no_rule_changes() {
    let site = Site::new();
    let host = &site.topology.host;
    // The container is not there yet.
    host.run(&["iptables", "-t", "nat", "-F", "DOCKER"]);
    let allowing = policy(&[Topology::ALLOWED], "");
    apply(host, &allowing);
    let client =
        Datagrams::open(&site.topology.client, Topology::ALLOWED, Topology::HOST, PUBLISHED);
    assert_eq!(client.echo(), Answer::Refused);
    site.publish();
    assert_eq!(client.echo(), Answer::Refused);

    let outcome = apply(host, &allowing);
    assert_eq!(outcome["changed"], false, "{outcome}");
    assert_eq!(outcome["flows_forgotten"], 1, "{outcome}");
    assert_eq!(client.echo(), Answer::Answered);
}

/// A flow of either protocol.
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
    fn are(&mut self, answer: Answer, what: &str) {
        assert_eq!((self.udp.echo(), self.tcp.echo()), (answer, answer), "{what}");
    }
}

#[test]
fn an_open_flow_outlasts_its_allow_unless_it_is_to_be_cut() {
    for family in FAMILIES {
        let site = Site::new();
        let host = &site.topology.host;
        let client = &site.topology.client;
        let open = |source, port| Flows::open(client, source, family.host, port);
        apply(host, &policy(&[family.client, family.other], CUT));
        let mut withdrawn = open(family.client, PUBLISHED);
        let mut allowed = open(family.other, PUBLISHED);
        let mut own = open(family.client, HOSTS_OWN);
        // A service out there has the published port as well.
        let _servers = (udp_echo_at(client, family.client, PUBLISHED), tcp_echo(client, PUBLISHED));
        let mut outgoing = Flows::open(&site.container, family.container, family.client, PUBLISHED);
        let mut bystanders = |what: &str| {
            allowed.are(Answer::Answered, what);
            own.are(Answer::Answered, what);
            outgoing.are(Answer::Answered, what);
        };
        bystanders("before");
        withdrawn.are(Answer::Answered, "before");

        let outcome = apply(host, &policy(&[family.other], ""));
        assert_eq!(outcome["flows_ended"], 0, "{family:?}: {outcome}");
        withdrawn.are(Answer::Answered, "kept");
        bystanders("kept");

        let outcome = apply(host, &policy(&[family.other], CUT));
        assert_eq!(outcome["changed"], false, "{outcome}");
        assert_eq!(outcome["flows_ended"], 2, "{family:?}: {outcome}");
        assert_eq!(outcome["flows_forgotten"], 0, "{family:?}: {outcome}");
        withdrawn.are(Answer::Refused, "cut");
        bystanders("cut");
    }
}
